"""Tiny networks with every weight drawn at random, so that no branch is silent."""

from dataclasses import replace
from typing import Any, Literal

import torch

from lavin_dit.jdit.config import ContextAttention
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.weights.defaults import PipelineDefaults


def random_jdit(
    context_attention: ContextAttention = "joint", patch_size: int = 2, **changes: Any
) -> JDiT:
    """A two-layer network whose gates are open and whose output is not zero."""
    numbers: dict[str, Any] = {
        "hidden_size": 48,
        "num_layers": 2,
        "num_heads": 4,
        "num_kv_heads": 2,
        "drop_path": 0.0,
    }
    config = jdit_config(context_attention=context_attention, **(numbers | changes))
    model = JDiT(replace(config, patch_size=patch_size))
    generator = torch.Generator().manual_seed(7)
    model.reset_parameters(generator)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.3 if parameter.ndim == 1 else parameter.shape[-1] ** -0.5
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=scale)
    return model.eval()


def latents(*shape: int, seed: int = 0) -> torch.Tensor:
    """Random latents."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_st_vae(norm_statistics: Literal["clip", "frame"] = "frame") -> STVAE:
    """The smallest autoencoder that has every part."""
    model = STVAE(
        STVAEConfig(
            block_out_channels=(32, 32, 32, 32),
            layers_per_block=1,
            latent_channels=16,
            encoder_norm_groups=8,
            decoder_norm_groups=8,
            norm_statistics=norm_statistics,
            latent_mean=(0.1,),
            latent_scale=(1.2,),
        )
    )
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * fan_in**-0.5)
            if "norm" in name and name.endswith("weight") and parameter.ndim == 1:
                parameter.add_(1.0)
    return model.eval()


def random_pipeline(context_attention: ContextAttention = "joint") -> LavinDiTPipeline:
    """Both tiny networks, at a working size of 32 by 48 pixels."""
    return LavinDiTPipeline(
        st_vae=random_st_vae(),
        jdit=random_jdit(context_attention),
        defaults=PipelineDefaults(
            height=32,
            width=48,
            num_context_pairs=3,
            num_steps=2,
            guidance_scale=1.5,
            solver="euler",
            posterior="mode",
        ),
        device="cpu",
    )
