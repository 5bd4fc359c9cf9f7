"""``lavin convert``: bring other checkpoints into this project's format, or another precision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

MAX_SHOWN = 3
_RELEASED_NORM_GROUPS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Convert:
    """Convert the authors' released checkpoint, or a saved pipeline to another precision or patch.

    Of stvae.pt and lavin_dit.safetensors, names and shapes of all tensors are checked before
    anything is written, and no network is held in memory as a whole. A saved pipeline, such as the
    export of a run, is stored in another precision, or in files of another size: lavin convert
    pipeline runs/nano/export -o nano --dtype float16. With another patch size it's a start for
    further training, and of little use before.
    """

    layout: tyro.conf.Positional[Literal["official", "pipeline"]]
    """Which kind of checkpoint: the authors' release, or a saved pipeline."""
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """Folder with the authors' two files, or of the pipeline; nano for the one that ships."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder to write the pipeline to."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision to store; that of the source if not given."""
    num_heads: int | None = None
    """Query heads of the J-DiT; needed only where its shapes are not a preset's."""
    patch_size: int | None = None
    """Side of the J-DiT's patches in latent cells, of a saved pipeline; its own if not given."""
    encoder_norm_groups: int = _RELEASED_NORM_GROUPS
    """Groups of the ST-VAE encoder's norms, which no shape tells."""
    max_shard_gib: float = 4.0
    """Size of a weights file from which a new one is begun."""

    def run(self) -> int:
        """Convert."""
        if not 1 <= self._max_shard_bytes < float("inf"):
            raise ValueError(f"max_shard_gib must be above 0 and finite, got {self.max_shard_gib}")
        if self.layout == "pipeline":
            return self._pipeline()
        if self.patch_size is not None:
            raise ValueError(
                "the released checkpoint has its own patch_size: leave it out, and convert the "
                "pipeline that is written"
            )
        import torch

        from lavin_dit.weights.official import convert_official

        report = convert_official(
            self.source,
            output=self.output,
            dtype=None if self.dtype is None else getattr(torch, self.dtype),
            num_heads=self.num_heads,
            encoder_norm_groups=self.encoder_norm_groups,
            max_shard_bytes=int(self._max_shard_bytes),
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

    @property
    def _max_shard_bytes(self) -> float:
        return self.max_shard_gib * 2**30

    def _pipeline(self) -> int:
        """Store a pipeline anew."""
        import torch

        from lavin_dit.jdit.patch_resize import with_patch_size
        from lavin_dit.weights.checkpoint import load_checkpoint, save_checkpoint
        from lavin_dit.weights.locate import NANO, locate

        if self.num_heads is not None or self.encoder_norm_groups != _RELEASED_NORM_GROUPS:
            raise ValueError(
                "a saved pipeline tells its own architecture: leave num_heads and "
                "encoder_norm_groups out"
            )
        folder = locate(NANO) if str(self.source) == NANO else self.source
        checkpoint = load_checkpoint(folder, dtype=None, device="cpu")
        jdit = checkpoint.jdit
        if self.patch_size is not None:
            jdit = with_patch_size(jdit, self.patch_size)
        networks = checkpoint.st_vae, jdit
        if self.dtype is not None:
            for network in networks:
                network.to(getattr(torch, self.dtype))
        save_checkpoint(
            self.output,
            st_vae=checkpoint.st_vae,
            jdit=jdit,
            defaults=checkpoint.defaults,
            max_shard_bytes=int(self._max_shard_bytes),
        )
        counts = [sum(p.numel() for p in network.parameters()) for network in networks]
        print(f"{self.output}: ST-VAE with {counts[0]:,} and J-DiT with {counts[1]:,} parameters")
        return 0
