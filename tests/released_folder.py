"""A pretend release: its layout and its tensors' names, with tiny random networks."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

PARITY = Path(__file__).parent / "parity"
NUM_HEADS = 4
ENCODER_NORM_GROUPS = 8


def st_vae_tensors() -> dict[str, Tensor]:
    """The parity fixtures' ST-VAE."""
    return load_file(PARITY / "vae.weights.safetensors")


def jdit_tensors() -> dict[str, Tensor]:
    """The parity fixtures' first J-DiT."""
    return load_file(PARITY / "dit_a.weights.safetensors")


def write_release(
    folder: Path,
    *,
    st_vae: object = None,
    jdit: dict[str, Tensor] | None = None,
) -> Path:
    """Write both files where the release's archive puts them; returns the folder around."""
    weights = folder / "weights"
    weights.mkdir(parents=True)
    if st_vae is None:
        st_vae = {"state_dict": st_vae_tensors()}
    torch.save(st_vae, weights / "stvae.pt")
    save_file(jdit_tensors() if jdit is None else jdit, weights / "lavin_dit.safetensors")
    return folder
