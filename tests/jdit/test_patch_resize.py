from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool3d

from lavin_dit.jdit.patch_resize import with_patch_size
from random_networks import latents, random_jdit


def resized(latent: Tensor, rows: int, cols: int) -> Tensor:
    """Latent frames of another size, by areas."""
    return adaptive_avg_pool3d(latent, (latent.shape[2], rows, cols))


@pytest.mark.parametrize(("old", "new"), [(2, 1), (1, 2), (3, 1), (2, 3), (2, 2)])
def test_it_does_with_a_patch_what_it_did_with_the_resized_patch(old: int, new: int) -> None:
    model = random_jdit(patch_size=old)
    other = with_patch_size(model, new)
    assert other.config.rope_patch_step == pytest.approx(new / old)
    other.config = replace(other.config, rope_patch_step=1.0)
    rows, cols = 3, 2  # of patches
    noisy = latents(2, 16, 2, rows * new, cols * new)
    condition = latents(2, 16, 5, rows * new, cols * new, seed=1)
    timestep = torch.tensor([0.2, 0.9])
    velocity = other(noisy, timestep, condition)
    old_velocity = model(
        resized(noisy, rows * old, cols * old),
        timestep,
        resized(condition, rows * old, cols * old),
    )
    if new <= old and old % new == 0:
        expected = resized(old_velocity, rows * new, cols * new)
        torch.testing.assert_close(velocity, expected, atol=1e-4, rtol=1e-4)
    else:  # the larger patch holds more than the smaller one told
        told = resized(velocity, rows * old, cols * old)
        torch.testing.assert_close(told, old_velocity, atol=1e-4, rtol=1e-4)


def test_the_network_itself_is_left_as_it_is() -> None:
    model = random_jdit(patch_size=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    smaller = with_patch_size(model, 1)
    with torch.no_grad():
        for parameter in smaller.parameters():
            parameter.zero_()
    assert model.config.patch_size == 2
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], atol=0, rtol=0)


def test_a_patch_has_at_least_one_cell() -> None:
    with pytest.raises(ValueError, match="patch_size must be at least 1, got 0"):
        with_patch_size(random_jdit(), 0)
