"""The numbers of an ST-VAE.

A configuration is plain data (integers, floats, strings, tuples), so that it can be written beside
the weights as JSON. The convention to know: the two compressions, 8 in space and 4 in time, are
those of the architecture (three halvings in space, the first two also in time) and no setting.
"""

import math
from dataclasses import dataclass
from typing import Literal

NUM_STAGES = 4
"""Resolutions of encoder and decoder: full size, 1/2, 1/4 and 1/8."""

NUM_TIME_STAGES = 2
"""Of the three halvings, those that halve the frames as well: the two at the highest resolution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class STVAEConfig:
    """Architecture of an ST-VAE and the statistics of its latents.

    Raises:
        ValueError: If a number is out of its range; the message names it and what was expected.

    Source:
        Paper, section 3.1.1; the numbers of the released code are in
        `lavin_dit.st_vae.presets`. ``norm_statistics`` is ours, see its field.
    """

    block_out_channels: tuple[int, ...]
    """Widths at full, 1/2, 1/4 and 1/8 resolution: four numbers. The decoder has them reversed."""

    layers_per_block: int
    """Residual blocks at each resolution of the encoder; the decoder has one more."""

    latent_channels: int
    """Channels of the latent. The encoder returns twice as many: means and log-variances."""

    encoder_norm_groups: int
    """Groups of every normalisation in the encoder; divides every width."""

    decoder_norm_groups: int
    """Groups of every normalisation in the decoder; divides every width."""

    norm_statistics: Literal["clip", "frame"]
    """What a normalisation pools over besides height, width and the channels of a group.

    ``"clip"``: all frames, as in the released code; early latents then depend on late
    frames. ``"frame"``: each frame by itself, which makes the whole model causal and streamable.
    """

    latent_mean: tuple[float, ...]
    """Subtracted from latents by `STVAE.normalize`: one number, or one for each latent channel."""

    latent_scale: tuple[float, ...]
    """Multiplied onto the centred latents by `STVAE.normalize`, positive: one number, or one for
    each latent channel."""

    def __post_init__(self) -> None:
        """Refuse numbers with which no model can be built."""
        if len(self.block_out_channels) != NUM_STAGES:
            raise ValueError(
                f"block_out_channels {self.block_out_channels} must hold {NUM_STAGES} widths"
            )
        for name in (
            "layers_per_block",
            "latent_channels",
            "encoder_norm_groups",
            "decoder_norm_groups",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be at least 1")
        for name in ("encoder_norm_groups", "decoder_norm_groups"):
            groups: int = getattr(self, name)
            if any(width < 1 or width % groups for width in self.block_out_channels):
                raise ValueError(
                    f"block_out_channels {self.block_out_channels} must all be positive multiples "
                    f"of {name} {groups}"
                )
        if self.norm_statistics not in ("clip", "frame"):
            raise ValueError(f"norm_statistics {self.norm_statistics!r} must be 'clip' or 'frame'")
        self._check_latent_statistics()

    def _check_latent_statistics(self) -> None:
        for name, values in (
            ("latent_mean", self.latent_mean),
            ("latent_scale", self.latent_scale),
        ):
            if len(values) not in (1, self.latent_channels):
                raise ValueError(
                    f"{name} holds {len(values)} numbers; expected 1 or one for each of the "
                    f"{self.latent_channels} latent channels"
                )
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name} {values} must be finite")
        if min(self.latent_scale) <= 0:
            raise ValueError(f"latent_scale {self.latent_scale} must be positive")
