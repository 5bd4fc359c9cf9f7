"""Tiny networks with every weight drawn at random, so that no branch is silent."""

from typing import Any

import torch

from lavin_dit.jdit.config import ContextAttention
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config


def random_jdit(context_attention: ContextAttention = "joint", **changes: Any) -> JDiT:
    """A two-layer network whose gates are open and whose output is not zero."""
    numbers: dict[str, Any] = {
        "hidden_size": 48,
        "num_layers": 2,
        "num_heads": 4,
        "num_kv_heads": 2,
        "drop_path": 0.0,
    }
    model = JDiT(jdit_config(context_attention=context_attention, **(numbers | changes)))
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
