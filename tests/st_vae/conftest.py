"""Small models with every weight drawn at random, so that no branch is silent, and clips."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig

SMALL = STVAEConfig(
    block_out_channels=(32, 32, 64, 32),
    layers_per_block=1,
    latent_channels=6,
    encoder_norm_groups=8,
    decoder_norm_groups=4,
    norm_statistics="frame",
    latent_mean=(0.1, -0.2, 0.3, 0.0, 0.5, -0.6),
    latent_scale=(1.5,),
)


def make_config(**changes: Any) -> STVAEConfig:
    return dataclasses.replace(SMALL, **changes)


def make_model(seed: int = 0, **changes: Any) -> STVAE:
    with torch.device("meta"):
        model = STVAE(make_config(**changes))
    model = model.to_empty(device="cpu").requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter[0].numel() ** -0.5, generator=generator)
        else:
            scales = "norm" in name and name.endswith(".weight")
            multiplies = scales or name.endswith("conv_y.conv.bias")
            parameter.normal_(mean=float(multiplies), std=0.2, generator=generator)
    return model


def make_clip(*shape: int, seed: int = 0) -> Tensor:
    """Smooth moving waves with a little noise, in [-1, 1]; the shape is b c t h w."""
    generator = torch.Generator().manual_seed(seed)
    batch, channels, num_frames, height, width = shape
    grids = torch.meshgrid(
        *(torch.arange(size) / 8 for size in (num_frames, height, width)), indexing="ij"
    )
    rates = torch.randn(3, batch, channels, 1, 1, 1, generator=generator)
    phase = sum(rate * grid for rate, grid in zip(rates, grids, strict=True))
    noise = torch.randn(shape, generator=generator)
    return (0.7 * torch.sin(phase + rates[0]) + 0.1 * noise).clamp(-1, 1)


@pytest.fixture(scope="session")
def new_config() -> Callable[..., STVAEConfig]:
    return make_config


@pytest.fixture(scope="session")
def new_model() -> Callable[..., STVAE]:
    return make_model


@pytest.fixture(scope="session")
def new_clip() -> Callable[..., Tensor]:
    return make_clip


@pytest.fixture(scope="session")
def causal() -> STVAE:
    """A model with statistics per frame; no test may change it."""
    return make_model(norm_statistics="frame")


@pytest.fixture(scope="session")
def pooled() -> STVAE:
    """A model with statistics over the clip, as released; no test may change it."""
    return make_model(norm_statistics="clip")


@pytest.fixture(scope="session", params=["frame", "clip"])
def model(request, causal, pooled) -> STVAE:
    """Either; no test may change it."""
    return causal if request.param == "frame" else pooled


@pytest.fixture(autouse=True)
def one_thread():
    """Such small tensors gain nothing from threads, and wait for each other on a busy machine."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)
