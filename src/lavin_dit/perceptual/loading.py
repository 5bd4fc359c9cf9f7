"""From a path to a perceptual network; the names of the tensors tell which one it is."""

import pickle
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from lavin_dit.perceptual.efficientnet_lite import EfficientNetLite0
from lavin_dit.perceptual.inception import FIDInception
from lavin_dit.perceptual.network import PerceptualNetwork
from lavin_dit.perceptual.vgg import VGG16

_SAFE = ".safetensors"
_PICKLED = (".pth", ".pt")
_INCEPTION = "Mixed_7c.branch_pool.conv.weight"


def load_perceptual(path: Path) -> PerceptualNetwork:
    """Load a perceptual network.

    Args:
        path: A file of weights, or a folder whose files are taken together: what ``lavin prepare
            perceptual`` wrote; torchvision's VGG16, beside LPIPS's own weights for VGG16 if the
            distance is to be LPIPS; the FID's Inception, which stands back if one of the others
            is there. Safetensors, or PyTorch archives, whose code is never run.

    Returns:
        The network on the CPU, in float32.

    Raises:
        FileNotFoundError: If there are no weights.
        ValueError: If a file is damaged, or the weights are those of no network known here.
    """
    tensors = _all_tensors(path)
    if "_conv_stem.weight" in tensors:
        return EfficientNetLite0(tensors)
    if "features.0.weight" in tensors:
        return VGG16(tensors)
    if _INCEPTION in tensors:
        return FIDInception(tensors)
    some = ", ".join(sorted(tensors)[:3])
    raise ValueError(
        f"{path} holds the weights of no network known here ({some}, ...); expected "
        "EfficientNet-Lite0 as lavin prepare perceptual writes it, torchvision's VGG16, or the "
        "FID's Inception"
    )


def load_fid_network(path: Path) -> FIDInception | None:
    """Load the network that defines the FID, where its weights are.

    Args:
        path: As in `load_perceptual`.

    Returns:
        The network on the CPU, in float32; None if the weights are others alone.

    Raises:
        FileNotFoundError: If there are no weights.
        ValueError: If a file is damaged, or the network is not whole.
    """
    tensors = _all_tensors(path)
    return FIDInception(tensors) if _INCEPTION in tensors else None


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read tensors by name from one file.

    Args:
        file: Safetensors, or a PyTorch archive of a bare state dict.

    Raises:
        OSError: If it can't be read.
        ValueError: If it is damaged, contains code, or holds something else.
    """
    if file.suffix == _SAFE:
        try:
            return load_file(file)
        except SafetensorError as error:
            raise ValueError(f"{file} is not a whole safetensors file: {error}") from error
    try:
        content: object = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{file} is damaged, or holds more than weights") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} must hold tensors by name, got {type(content).__name__}")
    tensors = cast("dict[object, object]", content)
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise ValueError(f"{file} must hold tensors by name; {name!r} is another thing")
    return cast("dict[str, Tensor]", content)


def _all_tensors(path: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for file in _files(path):
        tensors.update(read_tensors(file))
    return tensors


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (_SAFE, *_PICKLED))
    else:
        files = [path] if path.exists() else []
    if not files:
        raise FileNotFoundError(
            f"{path} holds no weights of a perceptual network (.safetensors, .pth); fetch some by "
            "lavin prepare perceptual -o FOLDER"
        )
    return files
