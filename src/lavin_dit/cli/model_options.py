"""Options that every verb with a model shares."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lavin_dit.cli.result_log import digest_of_files

if TYPE_CHECKING:
    from lavin_dit.pipeline.pipeline import LavinDiTPipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which model, and where it computes."""

    model: str = "nano"
    """The nano that ships with the package; or the folder of a saved pipeline (`lavin convert`),
    or a repository on the Hugging Face hub."""
    adapter: Path | None = None
    """Folder of an adapter that `lavin finetune` wrote for this model."""
    device: str | None = None
    """cpu, cuda, cuda:1 or mps; the best one of this machine if not given."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """Precision; bfloat16 on CUDA and float32 elsewhere if not given."""
    offload: Literal["none", "model", "block"] = "none"
    """Keep on the device only the network at work, or only the J-DiT's block at work."""
    tile_px: int | None = None
    """Encode and decode large sizes in tiles of so many pixels."""

    def load(self) -> "LavinDiTPipeline":
        """Load the model.

        An adapter is merged into the weights.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, the adapter is another model's, or the device is missing.
        """
        import torch

        from lavin_dit.pipeline.pipeline import LavinDiTPipeline

        dtype = None if self.dtype is None else getattr(torch, self.dtype)
        pipeline = LavinDiTPipeline.from_pretrained(
            self.model, device=self.device, dtype=dtype, offload=self.offload
        )
        if self.adapter is not None:
            pipeline.load_adapter(self.adapter).merge_adapter()
        pipeline.networks.tile_px = self.tile_px
        return pipeline

    def identity(self) -> dict[str, object]:
        """What tells the model's answers from another's, without loading it.

        Weights and settings in a folder count, wherever it is; a repository on the hub goes by its
        name.
        """
        from lavin_dit.weights.locate import NANO, locate

        is_here = self.model == NANO or Path(self.model).is_dir()
        return {
            "model": _digest_of_weights(locate(self.model)) if is_here else self.model,
            "adapter": None if self.adapter is None else _digest_of_weights(self.adapter),
        }


def _digest_of_weights(folder: Path) -> str:
    """A short name for the weights and settings of a pipeline or an adapter."""
    from lavin_dit.weights.checkpoint import JDIT_FOLDER, ST_VAE_FOLDER

    folders = folder, folder / JDIT_FOLDER, folder / ST_VAE_FOLDER
    files = [path for one in folders if one.is_dir() for path in one.iterdir()]
    return digest_of_files(path for path in files if path.suffix in {".json", ".safetensors"})
