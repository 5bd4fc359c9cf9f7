"""The patch discriminator: its two ways, causality, and that it can learn to tell."""

import pytest
import torch

from lavin_dit.st_vae.discriminator import DiscriminatorConfig, PatchDiscriminator
from lavin_dit.st_vae.losses import hinge_loss

SMALL = DiscriminatorConfig(widths=(8, 16, 24), norm_groups=4)


@pytest.fixture
def network() -> PatchDiscriminator:
    network = PatchDiscriminator(SMALL)
    network.reset_parameters(torch.Generator().manual_seed(0))
    # Starting logits are near 0, where a relative difference hides.
    with torch.no_grad():
        network.conv_out.conv.weight.mul_(50)
    return network


def test_one_logit_for_a_patch(network, new_clip):
    assert network(new_clip(2, 3, 1, 24, 40)).shape == (2, 1, 1, 3, 5)
    assert network(new_clip(2, 3, 13, 24, 40)).shape == (2, 1, 4, 3, 5)


def test_a_picture_is_a_clip_of_one_frame(network, new_clip):
    frames = new_clip(2, 3, 5, 24, 40)
    torch.testing.assert_close(
        network(frames)[:, :, :1], network(frames[:, :, :1]), rtol=1e-4, atol=1e-5
    )


def test_logits_depend_on_no_later_frames(network, new_clip):
    frames = new_clip(1, 3, 9, 16, 24)
    changed = frames.clone()
    changed[:, :, 5:] = 0
    before, after = network(frames), network(changed)
    torch.testing.assert_close(before[:, :, :2], after[:, :, :2])
    assert (before[:, :, 2:] - after[:, :, 2:]).abs().max() > 1e-3


def test_samples_do_not_see_each_other(network, new_clip):
    frames = new_clip(3, 3, 5, 16, 24)
    torch.testing.assert_close(network(frames)[1:2], network(frames[1:2]), rtol=1e-4, atol=1e-5)


def test_fresh_logits_are_small_and_follow_the_generator(new_clip):
    network = PatchDiscriminator(SMALL)
    drawn = []
    for _ in range(2):
        network.reset_parameters(torch.Generator().manual_seed(3))
        drawn.append(network(new_clip(2, 3, 1, 32, 32)))
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=0)
    assert 0 < drawn[0].abs().mean() < 0.2


def test_learns_to_tell_noise_from_pictures(network, new_clip):
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(1)
    for step in range(30):
        noise = torch.randn(4, 3, 1, 16, 24, generator=generator)
        loss = hinge_loss(network(new_clip(4, 3, 1, 16, 24, seed=step)), network(noise)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        real = network(new_clip(8, 3, 1, 16, 24, seed=99))
        noisy = network(torch.randn(8, 3, 1, 16, 24, generator=generator))
    assert real.mean(dim=(1, 2, 3, 4)).min() > noisy.mean(dim=(1, 2, 3, 4)).max()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"widths": ()}, "must be one or more positive"),
        ({"widths": (8, 0)}, "must be one or more positive"),
        ({"widths": (8, 18)}, "multiples of norm_groups 4"),
        ({"norm_groups": 0}, "must be positive"),
    ],
)
def test_impossible_numbers_are_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        DiscriminatorConfig(**{"widths": (8, 16), "norm_groups": 4, **change})
