"""The ST-VAE computes what the authors' released inference code computes.

The fixtures hold inputs, random weights and outputs of that code (DerrickWang005/LaVin-DiT,
commit f372858), made on a CPU in float32. They cannot be remade from this repository, which holds
neither code nor trained weights of the authors. ``keys_stvae_default.json`` lists the names and
shapes of the released checkpoint's weights.
"""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.posterior import DiagonalGaussian
from lavin_dit.st_vae.presets import ST_VAE_PRESETS

FIXTURES = Path(__file__).parent
CASES = load_file(FIXTURES / "vae.cases.safetensors")
ENCODED = ("img", "imgs_nonsquare", "inter", "vid4_even", "vid5", "vid6_even", "vid9")
DECODED = (*ENCODED, "lat4")


@pytest.fixture(scope="module")
def model() -> STVAE:
    config = STVAEConfig(
        block_out_channels=(32, 64, 32, 32),
        layers_per_block=1,
        latent_channels=16,
        encoder_norm_groups=8,
        decoder_norm_groups=32,
        norm_statistics="clip",
        latent_mean=(0.032470703125,),
        latent_scale=(1.08936170213,),
    )
    model = STVAE(config)
    model.load_state_dict(load_file(FIXTURES / "vae.weights.safetensors"))
    return model.requires_grad_(False)


def assert_same(actual: Tensor, name: str) -> None:
    # Feature maps inside the decoder reach 14, where the fixtures themselves are 1.5e-5 away from
    # the same computation in float64; images and moments are smaller and get the plain 1e-5.
    expected = CASES[name]
    atol = max(1e-5, 3e-6 * expected.abs().max().item())
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0, msg=lambda m: f"{name}: {m}")


def moments(posterior: DiagonalGaussian) -> Tensor:
    return torch.cat([posterior.mean, posterior.logvar], dim=1)


@pytest.mark.parametrize("case", ENCODED)
def test_encode(model, case):
    assert_same(moments(model.encode(CASES[f"{case}.video"])), f"{case}.moments")


@pytest.mark.parametrize("case", DECODED)
def test_decode(model, case):
    assert_same(model.decode(CASES[f"{case}.z"]), f"{case}.dec_z")


@pytest.mark.parametrize("case", ["img", "vid5"])
def test_decode_of_the_mean(model, case):
    mean = CASES[f"{case}.moments"].chunk(2, dim=1)[0]
    assert_same(model.decode(mean), f"{case}.dec_mean")


@pytest.mark.parametrize("case", ["img", "imgs_nonsquare"])
def test_pictures_in_three_dimensions(model, case):
    assert_same(model.encoder(CASES[f"{case}.video"]), f"{case}.moments")
    assert_same(model.decoder(CASES[f"{case}.z"]), f"{case}.dec_z")


def test_first_frame_alone(model):
    assert_same(moments(model.encode(CASES["vid5.video"][:, :, :1])), "vid5.first_frame_moments")


INTERMEDIATES = {
    "inter.enc.conv_in.frames1and4": "encoder.conv_in",
    **{f"inter.enc.down{i}": f"encoder.down_blocks.{i}" for i in range(4)},
    "inter.enc.mid": "encoder.mid_block.resnets.1",
    "inter.dec.conv_in": "decoder.conv_in",
    "inter.dec.mid.resnet0.norm1": "decoder.mid_block.resnets.0.norm1",
    "inter.dec.mid": "decoder.mid_block.resnets.1",
    **{f"inter.dec.up{i}": f"decoder.up_blocks.{i}" for i in range(2)},
    **{f"inter.dec.up{i}.frames1and4": f"decoder.up_blocks.{i}" for i in (2, 3)},
    "inter.dec.norm_out.frames1and4": "decoder.norm_out",
}


def test_every_stored_intermediate_is_compared():
    compared = {*INTERMEDIATES, "inter.video", "inter.z", "inter.moments", "inter.dec_z"}
    assert {name for name in CASES if name.startswith("inter.")} == compared


@pytest.mark.parametrize(("name", "module"), INTERMEDIATES.items())
def test_intermediate(model, name, module):
    outputs: list[Tensor] = []
    hook = model.get_submodule(module).register_forward_hook(lambda *call: outputs.append(call[2]))
    with hook:
        if module.startswith("encoder"):
            model.encode(CASES["inter.video"])
        else:
            model.decode(CASES["inter.z"])
    (output,) = outputs
    assert_same(output[:, :, [1, 4]] if name.endswith("frames1and4") else output, name)


def test_posterior_sample(model):
    posterior = model.encode(CASES["imgs_nonsquare.video"])
    assert_same(posterior.sample_with_noise(CASES["posterior.eps"]), "posterior.sample")


def test_posterior_clamp():
    posterior = DiagonalGaussian.from_moments(CASES["clamp.moments"])
    assert_same(posterior.mean, "clamp.mean")
    assert_same(posterior.logvar, "clamp.logvar")
    torch.testing.assert_close(posterior.std, CASES["clamp.std"])  # up to exp(10), so relative


def test_normalisation_of_latents(model):
    scaled = model.normalize(CASES["posterior.sample"])
    assert_same(scaled, "posterior.scaled")
    assert_same(model.denormalize(scaled), "posterior.unscaled")


def test_released_names_and_shapes():
    expected = json.loads((FIXTURES / "keys_stvae_default.json").read_text())
    with torch.device("meta"):
        model = STVAE(ST_VAE_PRESETS["released"])
    actual = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert actual == expected
    assert sum(parameter.numel() for parameter in model.parameters()) == 215_583_907
