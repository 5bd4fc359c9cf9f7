"""An ST-VAE on a CUDA device computes what it computes on a CPU, and what the release computes.

Within 2e-4 of the largest value: cuDNN may choose a convolution that is quicker and less exact.
"""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from random_networks import random_st_vae

pytestmark = pytest.mark.gpu
PARITY = Path(__file__).parents[1] / "parity"
SHARE = 2e-4
BFLOAT16_SHARE = 0.06


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("case", ["img", "imgs_nonsquare", "vid4_even", "vid5", "vid9"])
def test_pictures_and_clips_are_the_releases(gpu, assert_near, case):
    cases = load_file(PARITY / "vae.cases.safetensors")
    model = STVAE(
        STVAEConfig(
            block_out_channels=(32, 64, 32, 32),
            layers_per_block=1,
            latent_channels=16,
            encoder_norm_groups=8,
            decoder_norm_groups=32,
            norm_statistics="clip",
            latent_mean=(0.032470703125,),
            latent_scale=(1.08936170213,),
        )
    )
    model.load_state_dict(load_file(PARITY / "vae.weights.safetensors"))
    model = model.to(gpu).eval()
    posterior = model.encode(cases[f"{case}.video"].to(gpu))
    moments = torch.cat([posterior.mean, posterior.logvar], dim=1)
    assert_near(moments, cases[f"{case}.moments"], SHARE)
    assert_near(model.decode(cases[f"{case}.z"].to(gpu)), cases[f"{case}.dec_z"], SHARE)


@pytest.mark.parametrize("frames", [1, 5, 9])
@pytest.mark.parametrize("statistics", ["frame", "clip"])
def test_encode_and_decode(gpu, assert_near, statistics, frames):
    model = random_st_vae(statistics)
    clip = torch.rand(2, 3, frames, 24, 40, generator=torch.Generator().manual_seed(1)) * 2 - 1
    latent = model.normalize(model.encode(clip).mode())
    decoded = model.decode(model.denormalize(latent))
    twin = deepcopy(model).to(gpu)
    found = twin.normalize(twin.encode(clip.to(gpu)).mode())
    assert_near(found, latent, SHARE)
    assert_near(twin.decode(twin.denormalize(latent.to(gpu))), decoded, SHARE)


@pytest.mark.parametrize("frames", [1, 5])
def test_bfloat16(gpu, frames):
    model = random_st_vae("frame")
    clip = torch.rand(1, 3, frames, 24, 40, generator=torch.Generator().manual_seed(1)) * 2 - 1
    latent = model.encode(clip).mode()
    decoded = model.decode(latent)
    twin = deepcopy(model).to(gpu, torch.bfloat16)
    found = twin.encode(clip.to(gpu, torch.bfloat16)).mode()
    shown = twin.decode(latent.to(gpu, torch.bfloat16))
    for ours, theirs in ((found, latent), (shown, decoded)):
        error = (ours.float().cpu() - theirs).square().mean().sqrt()
        assert error < BFLOAT16_SHARE * theirs.square().mean().sqrt()
