"""Tensors out of PyTorch's pickled checkpoints, without running what a pickle may contain."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

_ZIP_SIGNATURE = b"PK\x03\x04"
_STATE_DICT_KEY = "state_dict"


def read_pickled_tensors(path: Path) -> dict[str, Tensor]:
    """Read a pickled state dict, bare or wrapped as ``{"state_dict": ...}``.

    Args:
        path: File that ``torch.save`` wrote. One of the present format is memory-mapped: values are
            read from disk when first used. One from before PyTorch 1.6 is read whole.

    Returns:
        The tensors by name, on the CPU. What a wrapper holds besides them is left out.

    Raises:
        OSError: If the file can't be read.
        ValueError: If it contains code, is damaged, or holds something else than named tensors; one
            line that says which.
    """
    content = _load(path)
    if isinstance(content, Mapping) and _STATE_DICT_KEY in content:
        content = cast("Mapping[object, object]", content)[_STATE_DICT_KEY]
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} must hold a state dict, got {type(content).__name__}")
    tensors: dict[str, Tensor] = {}
    for name, value in cast("Mapping[object, object]", content).items():
        if not isinstance(value, Tensor) or not isinstance(name, str):
            raise ValueError(
                f"{path} must hold tensors by name, or such a state dict under "
                f"{_STATE_DICT_KEY!r}; {name!r} is {type(value).__name__}"
            )
        tensors[name] = value
    return tensors


def _load(path: Path) -> object:
    with path.open("rb") as file:
        mmap = file.read(len(_ZIP_SIGNATURE)) == _ZIP_SIGNATURE
    try:
        with warnings.catch_warnings():
            # Of pickle protocols: what can't be read raises an error below.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise ValueError(
                f"{path}: it contains code, which is not run ({found[1]}); where it comes from a "
                f"source that you trust, save its state dict anew, alone"
            ) from error
        raise _damaged(path) from error
    except Exception as error:  # a damaged file can raise anything
        raise _damaged(path) from error


def _damaged(path: Path) -> ValueError:
    return ValueError(
        f"{path} is not a whole PyTorch checkpoint: it is damaged, incomplete or of another kind "
        f"(if there is code in it, that is not run)"
    )
