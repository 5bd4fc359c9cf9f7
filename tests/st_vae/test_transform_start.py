"""A fresh encoder is a block transform: its latents tell of the picture."""

import pytest
import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from lavin_dit.st_vae.autoencoder import STVAE
from pictures import picture

WIDTHS = [(16, 32, 64, 128), (32, 64, 64, 64)]


@pytest.fixture(scope="module")
def photos() -> Tensor:
    """Smooth pictures with edges, at several scales, in [-1, 1]."""
    levels = [torch.from_numpy(picture(64, 96, seed=seed).copy()) for seed in range(6)]
    return torch.stack(levels).permute(0, 3, 1, 2).unsqueeze(2) / 127.5 - 1


def fresh(new_config, widths: tuple[int, ...], num_latents: int = 16) -> STVAE:
    config = new_config(
        block_out_channels=widths,
        latent_channels=num_latents,
        encoder_norm_groups=8,
        decoder_norm_groups=8,
        latent_mean=(0.0,),
    )
    model = STVAE(config).requires_grad_(False)
    model.reset_parameters(torch.Generator().manual_seed(0))
    return model


def explained(model: STVAE, photos: Tensor) -> float:
    """Share of the pixels' variance that the latents at the same place explain linearly."""
    latents = rearrange(model.encode(photos).mode(), "b c 1 y x -> (b y x) c").double()
    known = functional.pad(latents, (0, 1), value=1.0)
    blocks = rearrange(photos, "b c 1 (y i) (x j) -> (b y x) (c i j)", i=8, j=8).double()
    rest = blocks - known @ torch.linalg.lstsq(known, blocks).solution
    return float(1 - rest.var() / blocks.var())


@pytest.mark.parametrize("widths", WIDTHS)
def test_latents_tell_of_the_picture(new_config, photos, widths):
    blocks = rearrange(photos, "b c 1 (y i) (x j) -> (b y x) (c i j)", i=8, j=8).double()
    variances = torch.linalg.eigvalsh(torch.cov(blocks.T)).flip(0)
    best = float(variances[:16].sum() / variances.sum())
    assert explained(fresh(new_config, widths), photos) > best - 0.1


@pytest.mark.parametrize("widths", WIDTHS)
def test_latents_have_useful_scales(new_config, photos, widths):
    means = fresh(new_config, widths).encode(photos).mode()
    assert 0.3 < means.std() < 2


def test_the_first_latent_is_the_brightness(new_config, photos):
    latent = fresh(new_config, (16, 32, 64, 128)).encode(photos).mode()[:, 0, 0].flatten(1)
    bright = functional.avg_pool2d(photos.mean(dim=1)[:, 0], 8).flatten(1)
    for one, other in zip(latent, bright, strict=True):
        assert torch.corrcoef(torch.stack([one, other]))[0, 1].abs() > 0.97


def test_no_random_number_decides_it(new_config, photos):
    model = fresh(new_config, (16, 32, 64, 128))
    before = model.encode(photos).mode()
    model.reset_parameters(torch.Generator().manual_seed(5))
    torch.testing.assert_close(model.encode(photos).mode(), before, rtol=1e-3, atol=1e-3)


def test_a_clip_is_transformed_frame_by_frame(new_config, photos):
    model = fresh(new_config, (16, 32, 64, 128))
    clip = photos[:1].expand(-1, -1, 5, -1, -1)
    latent = model.encode(clip).mode()
    alone = model.encode(photos[:1]).mode()
    torch.testing.assert_close(latent, alone.expand_as(latent), rtol=1e-3, atol=1e-3)


def test_norms_without_room_for_constants_keep_random_weights(new_config):
    model = fresh(new_config, (16, 16, 16, 16), num_latents=4)
    assert (model.encoder.conv_out.conv.weight[:4, :, -1] != 0).all()


def test_widths_that_narrow_start_so_too(new_config, photos):
    assert explained(fresh(new_config, (32, 64, 32, 48)), photos) > 0.9
