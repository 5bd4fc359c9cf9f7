import pytest
import torch
from torch import Tensor

from lavin_dit.st_vae.convolution import (
    CausalConv3d,
    StreamState,
    convolve_clip,
    per_frame,
    prefer_layout,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def new_convolution(in_channels: int, out_channels: int, kernel_size: int) -> CausalConv3d:
    convolution = CausalConv3d(in_channels, out_channels, kernel_size=kernel_size).double()
    with torch.no_grad():
        for seed, parameter in enumerate(convolution.parameters()):
            parameter.copy_(draw(*parameter.shape, seed=100 + seed))
    return convolution


def by_definition(convolution: CausalConv3d, clip: Tensor) -> Tensor:
    """Sum over taps one by one: the past of the first frame is itself, space is zero outside."""
    weight, bias = convolution.conv.weight, convolution.conv.bias
    size, height, width = weight.shape[-1], clip.shape[-2], clip.shape[-1]
    border = size // 2
    framed = torch.zeros(*clip.shape[:-2], height + 2 * border, width + 2 * border).double()
    framed[..., border : border + height, border : border + width] = clip
    output = torch.zeros(clip.shape[0], weight.shape[0], *clip.shape[2:]).double()
    for t in range(clip.shape[2]):
        for tap in range(size):
            frame = framed[:, :, max(0, t - (size - 1) + tap)]
            for dy in range(size):
                for dx in range(size):
                    window = frame[..., dy : dy + height, dx : dx + width]
                    output[:, :, t] += torch.einsum(
                        "bchw,dc->bdhw", window, weight[:, :, tap, dy, dx]
                    )
    return output + bias.view(-1, 1, 1, 1)


@pytest.mark.parametrize("kernel_size", [3, 1])
@pytest.mark.parametrize("num_frames", [1, 2, 4])
def test_against_the_definition(kernel_size, num_frames):
    convolution, clip = new_convolution(3, 5, kernel_size), draw(2, 3, num_frames, 4, 7)
    torch.testing.assert_close(convolution(clip), by_definition(convolution, clip))


@pytest.mark.parametrize("kernel_size", [3, 1])
@pytest.mark.parametrize("num_frames", [1, 2, 4])
def test_a_single_clip_is_convolved_as_two_are(kernel_size, num_frames):
    """One small clip goes another way on a CPU; its gradients are the same, too."""
    convolution = new_convolution(3, 5, kernel_size)
    clip, probe = draw(1, 3, num_frames, 4, 7), draw(1, 5, num_frames, 4, 7, seed=1).float()
    expected = by_definition(convolution, clip).float()
    convolution, clip = convolution.float(), clip.float().requires_grad_()
    torch.testing.assert_close(convolution(clip), expected, atol=1e-5, rtol=1e-5)
    wanted = (clip, *convolution.parameters())
    alone = torch.autograd.grad((convolution(clip) * probe).sum(), wanted)
    doubled = convolution(torch.cat([clip, clip])) * probe / 2
    together = torch.autograd.grad(doubled.sum(), wanted)
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "dtype", "by_pictures"),
    [
        ((1, 16, 15, 64, 8), torch.float32, True),
        ((1, 16, 21, 64, 8), torch.float32, False),
        ((2, 16, 15, 64, 8), torch.float32, False),
        ((1, 16, 15, 64, 8), torch.bfloat16, False),
    ],
)
def test_only_small_single_clips_are_convolved_as_pictures(shape, dtype, by_pictures, monkeypatch):
    ways = []
    for name in ("conv2d", "conv3d"):
        monkeypatch.setattr(
            f"lavin_dit.st_vae.convolution.functional.{name}",
            lambda given, *_, name=name, **__: (ways.append(name), given[:, :16])[1],
        )
    convolve_clip(torch.zeros(shape, dtype=dtype), torch.zeros(16, 16, 3, 3, 3), None, border=1)
    assert ways == ["conv2d" if by_pictures else "conv3d"]


@pytest.mark.parametrize("kernel_size", [3, 1])
def test_pictures_in_two_dimensions(kernel_size):
    convolution, picture = new_convolution(3, 5, kernel_size), draw(2, 3, 4, 7)
    expected = by_definition(convolution, picture.unsqueeze(2)).squeeze(2)
    torch.testing.assert_close(convolution(picture), expected)


def test_pictures_give_the_weights_the_same_gradients():
    convolution, picture = new_convolution(3, 5, 3), draw(2, 3, 4, 7)
    probe = draw(2, 5, 4, 7, seed=1)
    flat = torch.autograd.grad((convolution(picture) * probe).sum(), convolution.parameters())
    clip = convolution(picture.unsqueeze(2)).squeeze(2)
    deep = torch.autograd.grad((clip * probe).sum(), convolution.parameters())
    torch.testing.assert_close(flat, deep)


def test_pictures_follow_the_weights():
    convolution, picture = new_convolution(3, 5, 3).requires_grad_(False), draw(1, 3, 4, 7)
    before = convolution(picture)
    convolution.conv.weight.data.mul_(2)  # an update that autograd's version counters don't see
    bias = convolution.conv.bias.view(-1, 1, 1)
    torch.testing.assert_close(convolution(picture) - bias, 2 * (before - bias))


def test_a_stream_remembers_two_frames():
    convolution, clip = new_convolution(3, 5, 3), draw(1, 3, 7, 4, 6)
    state = StreamState()
    chunks = []
    for chunk in clip.split([2, 1, 1, 3], dim=2):
        chunks.append(convolution(chunk, state))
        state.has_past = True
        assert state.tails[convolution].shape[2] == 2
    torch.testing.assert_close(torch.cat(chunks, dim=2), convolution(clip))


def test_layout_changes_no_value():
    for features in (draw(2, 3, 4, 5), draw(2, 3, 4, 5, 6)):
        laid_out = prefer_layout(features)
        assert laid_out.stride(1) == 1
        torch.testing.assert_close(laid_out, features, rtol=0, atol=0)


def test_per_frame():
    clip = draw(2, 3, 4, 5, 6)
    doubled = per_frame(lambda frames: frames[..., ::2, :] * frames.shape[0], clip)
    torch.testing.assert_close(doubled, clip[..., ::2, :] * 8)
