"""``lavin info``: what each size of model costs at a given size of picture and context."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lavin_dit.cli.tables import print_table

if TYPE_CHECKING:
    from lavin_dit.jdit.config import JDiTConfig
    from lavin_dit.jdit.cost import StepShape
    from lavin_dit.st_vae.config import STVAEConfig

BYTES_PER_VALUE = {"float32": 4, "bfloat16": 2}
GIB = 2**30

_JDIT_HEADINGS = (
    "J-DiT",
    "context",
    "parameters",
    "weights GiB",
    "activations GiB",
    "cache GiB",
    "TFLOP/step",
    "cached",
)
_ST_VAE_HEADINGS = ("ST-VAE", "norms over", "parameters", "weights GiB", "latent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Show the presets, or a saved pipeline: parameters, memory and arithmetic of a sampling step.

    Memory is of weights, of one query's activations (an estimate), and of the keys and values that
    a model with causal context keeps. Arithmetic is in TFLOP per step without guidance; a cached
    step is one with causal context whose condition has been computed before.
    """

    model: str | None = None
    """nano, or the folder of a saved pipeline; the presets if not given."""
    height: int = 256
    """Working height in pixels."""
    width: int = 256
    """Working width in pixels."""
    pairs: int = 4
    """Context pairs."""
    frames: int = 1
    """Frames of every clip; 1 for images."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of weights and activations."""

    def run(self) -> int:
        """Compute and print."""
        from lavin_dit.jdit.presets import JDIT_PRESETS
        from lavin_dit.st_vae.presets import ST_VAE_PRESETS

        jdits, st_vaes = JDIT_PRESETS, ST_VAE_PRESETS
        if self.model is not None:
            from lavin_dit.weights.checkpoint import load_configs
            from lavin_dit.weights.locate import locate

            folder = locate(self.model)
            jdit, st_vae = load_configs(folder)
            jdits, st_vaes = {folder.name: jdit}, {folder.name: st_vae}
        shape = self._shape()
        print(
            f"{self.pairs} pairs and a query of {self.frames} frame(s) at {self.height}x"
            f"{self.width}: {shape.condition_tokens:,} condition and {shape.target_tokens:,} "
            f"target tokens, {self.dtype}\n"
        )
        rows = [self._jdit_row(name, config, shape) for name, config in jdits.items()]
        print_table([_JDIT_HEADINGS, *rows], num_words=2)
        print()
        rows = [self._st_vae_row(name, config) for name, config in st_vaes.items()]
        print_table([_ST_VAE_HEADINGS, *rows], num_words=2)
        return 0

    def _shape(self) -> "StepShape":
        from lavin_dit.jdit.cost import StepShape
        from lavin_dit.pipeline.fitting import CANVAS_MULTIPLE, canvas_for
        from lavin_dit.st_vae.autoencoder import STVAE

        for name in ("pairs", "frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        canvas = canvas_for(self.height, self.width)
        latent_frames = -(-(self.frames - 1) // STVAE.TEMPORAL_COMPRESSION) + 1
        return StepShape(
            condition_frames=(2 * self.pairs + 1) * latent_frames,
            target_frames=latent_frames,
            rows=canvas.height // CANVAS_MULTIPLE,
            cols=canvas.width // CANVAS_MULTIPLE,
        )

    def _jdit_row(self, name: str, config: "JDiTConfig", shape: "StepShape") -> Sequence[str]:
        from lavin_dit.jdit.cost import (
            activation_bytes,
            causal_step_flops,
            context_cache_bytes,
            joint_step_flops,
            num_parameters,
        )

        size = BYTES_PER_VALUE[self.dtype]
        count = num_parameters(config)
        tokens = shape.condition_tokens + shape.target_tokens
        causal = config.context_attention == "causal"
        cache = context_cache_bytes(config, shape, bytes_per_value=size) / GIB
        return (
            name,
            config.context_attention,
            f"{count:,}",
            f"{count * size / GIB:.2f}",
            f"{activation_bytes(config, tokens, bytes_per_value=size) / GIB:.2f}",
            f"{cache:.2f}" if causal else "-",
            f"{joint_step_flops(config, shape) / 1e12:.3g}",
            f"{causal_step_flops(config, shape) / 1e12:.3g}" if causal else "-",
        )

    def _st_vae_row(self, name: str, config: "STVAEConfig") -> Sequence[str]:
        import torch

        from lavin_dit.st_vae.autoencoder import STVAE

        with torch.device("meta"):
            count = sum(parameter.numel() for parameter in STVAE(config).parameters())
        return (
            name,
            config.norm_statistics,
            f"{count:,}",
            f"{count * BYTES_PER_VALUE[self.dtype] / GIB:.2f}",
            f"{config.latent_channels} channels, 4x8x8",
        )
