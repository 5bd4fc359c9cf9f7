import copy

import pytest
import torch
from jaxtyping import TypeCheckError

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from lavin_dit.st_vae.residual import ResidualBlock


@pytest.mark.parametrize("num_frames", [1, 5, 9])
def test_shapes(model, new_clip, num_frames):
    clip = new_clip(2, 3, num_frames, 24, 40)
    latent = model.encode(clip).mode()
    assert latent.shape == (2, 6, model.num_latent_frames(num_frames), 3, 5)
    assert model.decode(latent).shape == clip.shape


def test_released_setting_takes_any_number_of_frames(pooled, new_clip):
    for num_frames in range(1, 10):
        latent = pooled.encode(new_clip(1, 3, num_frames, 8, 16)).mode()
        assert latent.shape[2] == pooled.num_latent_frames(num_frames) == (num_frames + 3) // 4


def test_numbers_of_frames(causal):
    pairs = {1: 1, 5: 2, 9: 3, 13: 4, 33: 9}
    for num_frames, num_latent_frames in pairs.items():
        assert causal.num_latent_frames(num_frames) == num_latent_frames
        assert causal.num_frames(num_latent_frames) == num_frames


@pytest.mark.parametrize("num_frames", [2, 3, 4, 6, 32])
def test_causal_setting_takes_only_whole_groups_of_frames(causal, new_clip, num_frames):
    message = rf"a clip of {num_frames} frames cannot be encoded causally; expected 1 \+ 4k frames"
    with pytest.raises(ValueError, match=message):
        causal.encode(new_clip(1, 3, num_frames, 8, 16))


@pytest.mark.parametrize("num_frames", [1, 5])
def test_pictures_and_clips_in_a_batch_are_independent(model, new_clip, num_frames):
    clips = new_clip(3, 3, num_frames, 16, 24)
    latents = model.encode(clips).mode()
    alone = model.encode(clips[1:2]).mode()
    torch.testing.assert_close(latents[1:2], alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.decode(latents)[1:2], model.decode(alone), atol=2e-5, rtol=0)


def test_pictures_take_the_exact_short_way(model, new_clip):
    clip = new_clip(2, 3, 1, 24, 40)
    posterior = model.encode(clip)
    moments = torch.cat([posterior.mean, posterior.logvar], dim=1)
    torch.testing.assert_close(moments, model.encoder(clip), atol=3e-5, rtol=0)
    latent = posterior.mode()
    torch.testing.assert_close(model.decode(latent), model.decoder(latent), atol=3e-5, rtol=0)


def test_the_short_way_has_no_convolution_over_time(model, new_clip, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a picture was convolved in three dimensions")

    monkeypatch.setattr("torch.nn.functional.conv3d", refuse)
    model.decode(model.encode(new_clip(1, 3, 1, 16, 24)).mode())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 1, 16, 16), r"\(1, 4, 1, 16, 16\); expected \(batch, 3, frames, height, width\)"),
        ((3, 1, 16, 16), r"\(3, 1, 16, 16\); expected \(batch, 3, frames, height, width\)"),
        ((1, 3, 1, 20, 16), "height 20 and width 16; expected positive multiples of 8"),
        ((1, 3, 1, 16, 0), "height 16 and width 0; expected positive multiples of 8"),
        ((1, 3, 0, 16, 16), "expected 1 sample and frame or more"),
    ],
)
def test_bad_clips_are_refused(model, shape, message):
    refuses(lambda: model.encode(torch.zeros(shape)), message)


@pytest.mark.parametrize("shape", [(1, 5, 1, 2, 3), (6, 1, 2, 3), (1, 6, 0, 2, 3), (1, 6, 1, 2, 0)])
def test_bad_latents_are_refused(model, shape):
    refuses(
        lambda: model.decode(torch.zeros(shape)), r"expected \(batch, 6, frames, height, width\)"
    )


def test_integers_are_refused(model):
    refuses(
        lambda: model.encode(torch.zeros(1, 3, 1, 8, 8, dtype=torch.uint8)), "dtype torch.uint8"
    )
    refuses(
        lambda: model.decode(torch.zeros(1, 6, 1, 1, 1, dtype=torch.int64)), "dtype torch.int64"
    )


@pytest.mark.parametrize("number", [0, -3])
def test_bad_numbers_of_frames_are_refused(model, number):
    with pytest.raises(ValueError, match=f"a clip of {number} frames"):
        model.num_latent_frames(number)
    with pytest.raises(ValueError, match=f"a latent of {number} frames"):
        model.num_frames(number)


def refuses(call, message):
    """The shape-checking hook, where it is on, refuses a wrong rank or dtype before our check."""
    try:
        call()
    except TypeCheckError:
        return
    except ValueError as error:
        assert pytest.RaisesExc(ValueError, match=message).matches(error), error  # noqa: PT017
        return
    pytest.fail("nothing was raised")


def test_latents_are_normalised_channel_by_channel(causal):
    latent = torch.randn(2, 6, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    normalised = causal.normalize(latent)
    for channel, mean in enumerate(causal.config.latent_mean):
        expected = (latent[:, channel] - mean) * 1.5
        torch.testing.assert_close(normalised[:, channel], expected)
    torch.testing.assert_close(causal.denormalize(normalised), latent)


def test_latents_are_normalised_in_float32(causal):
    latent = torch.full((1, 6, 1, 1, 1), 2.0, dtype=torch.bfloat16)
    expected = causal.normalize(latent.float()).bfloat16()
    torch.testing.assert_close(causal.normalize(latent), expected, rtol=0, atol=0)


@pytest.mark.parametrize("num_frames", [1, 5])
def test_16_bits(model, new_clip, num_frames):
    clip, half = new_clip(1, 3, num_frames, 16, 24), copy.deepcopy(model).bfloat16()
    exact, rough = model.encode(clip), half.encode(clip.bfloat16())
    assert rough.mean.dtype == rough.logvar.dtype == torch.bfloat16
    assert relative_rms(rough.mean, exact.mean) < 0.03
    latent = exact.mode()
    assert relative_rms(half.decode(latent.bfloat16()), model.decode(latent)) < 0.03


def relative_rms(actual, expected):
    return ((actual.float() - expected).square().mean() / expected.square().mean()).sqrt().item()


@pytest.mark.parametrize("num_frames", [1, 5])
def test_checkpointing_recomputes_and_gives_the_same_gradients(model, new_clip, num_frames):
    model = copy.deepcopy(model).requires_grad_()
    clip = new_clip(1, 3, num_frames, 16, 24)
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    calls = []
    for block in blocks:
        # A pre-hook: recomputation stops before a block has returned.
        block.register_forward_pre_hook(lambda *_: calls.append(None))
    gradients, num_calls = [], []
    for enabled in (False, True):
        model.gradient_checkpointing = enabled
        assert model.gradient_checkpointing is enabled
        calls.clear()
        posterior = model.encode(clip)
        latent = posterior.sample(torch.Generator().manual_seed(0))
        loss = (model.decode(latent) - clip).square().mean() + 1e-3 * posterior.kl().mean()
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
        num_calls.append(len(calls))
    assert num_calls == [len(blocks), 2 * len(blocks)]
    torch.testing.assert_close(gradients[0], gradients[1])
    assert all(gradient.abs().max() > 0 for gradient in gradients[0])


def test_checkpointing_rests_without_gradients(causal, new_clip):
    model = copy.deepcopy(causal)
    model.gradient_checkpointing = True
    with torch.no_grad():
        actual = model.encode(new_clip(1, 3, 1, 8, 16)).mean
    torch.testing.assert_close(actual, causal.encode(new_clip(1, 3, 1, 8, 16)).mean)


def test_nano_size():
    with torch.device("meta"):
        model = STVAE(ST_VAE_PRESETS["nano"])
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_413_747
