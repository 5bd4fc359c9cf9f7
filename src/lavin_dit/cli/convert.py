"""``lavin convert``: bring other checkpoints into this project's format."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

MAX_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Convert:
    """Convert the authors' released checkpoint: stvae.pt and lavin_dit.safetensors.

    Names and shapes of all tensors are checked before anything is written, and no network is held
    in memory as a whole.
    """

    layout: tyro.conf.Positional[Literal["official"]]
    """Which kind of checkpoint: the authors' release."""
    source: tyro.conf.Positional[Path]
    """Folder with both files."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write the pipeline to."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """Precision to store; that of the source if not given."""
    num_heads: int | None = None
    """Query heads of the J-DiT; needed only where its shapes are not a preset's."""
    encoder_norm_groups: int = 32
    """Groups of the ST-VAE encoder's norms, which no shape tells."""
    max_shard_gib: float = 4.0
    """Size of a weights file from which a new one is begun."""

    def run(self) -> int:
        """Convert."""
        import torch

        from lavin_dit.weights.official import convert_official

        report = convert_official(
            self.source,
            output=self.output,
            dtype=None if self.dtype is None else getattr(torch, self.dtype),
            num_heads=self.num_heads,
            encoder_norm_groups=self.encoder_norm_groups,
            max_shard_bytes=int(self.max_shard_gib * 2**30),
        )
        print(
            f"{self.output}: ST-VAE with {report.st_vae_parameters:,} and J-DiT with "
            f"{report.jdit_parameters:,} parameters"
        )
        if report.ignored:
            shown = ", ".join(report.ignored[:MAX_SHOWN])
            more = ", ..." if len(report.ignored) > MAX_SHOWN else ""
            print(f"left out {len(report.ignored)} tensors of training losses: {shown}{more}")
        return 0
