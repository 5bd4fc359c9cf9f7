"""Files of one set of weights: their names, and what they hold according to their headers.

Small weights are one file, ``model.safetensors``. Larger ones are shards,
``model-00001-of-00003.safetensors`` and so on, with ``model.safetensors.index.json`` naming the
shard of each tensor, in the layout that Hugging Face libraries read. If a folder holds both, the
single file counts.
"""

import json
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from lavin_dit.weights.config import Json

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
CONFIG_FILE = "config.json"
WEIGHTS_FILE_PATTERN = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors|" + re.escape(INDEX_FILE))
EARLIER_PREFIX = ".earlier-"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """A tensor on disk, as the header of its file describes it."""

    path: Path
    """File that holds it."""
    shape: tuple[int, ...]
    """Shape."""


def read_headers(directory: Path | str) -> dict[str, StoredTensor]:
    """List the tensors in a folder without reading their values.

    Args:
        directory: Folder with ``model.safetensors``, or shards and their index.

    Raises:
        FileNotFoundError: If the folder, its weights or one of its shards is missing.
        ValueError: If a file is damaged, or index and shards contradict each other.
    """
    directory = Path(directory)
    if not directory.is_dir():
        raise FileNotFoundError(f"no weights folder at {directory}")
    if (directory / SINGLE_FILE).is_file():
        return _read_header(directory / SINGLE_FILE)
    if not (directory / INDEX_FILE).is_file():
        raise FileNotFoundError(
            f"no weights in {directory}: looked for {SINGLE_FILE} and {INDEX_FILE}"
            f"{interrupted_save_hint(directory)}"
        )
    files = _read_index(directory / INDEX_FILE)
    missing = sorted({name for name in files.values() if not (directory / name).is_file()})
    if missing:
        raise FileNotFoundError(f"{directory / INDEX_FILE} names missing {', '.join(missing)}")
    stored: dict[str, StoredTensor] = {}
    for file_name in sorted(set(files.values())):
        header = _read_header(directory / file_name)
        named = {name for name, owner in files.items() if owner == file_name}
        if named != set(header):
            different = sorted(named ^ set(header))
            raise ValueError(
                f"{directory / file_name} and {INDEX_FILE} disagree about {len(different)} "
                f"tensors, the first is {different[0]}"
            )
        stored.update(header)
    return stored


@contextmanager
def open_safetensors(path: Path) -> Generator[safe_open]:
    """Open a safetensors file, memory-mapped.

    Raises:
        ValueError: If it is damaged; the message says where and how.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole safetensors file: {error}") from error


def read_json(path: Path) -> dict[str, Json]:
    """Read a JSON object.

    Raises:
        ValueError: If the file holds anything else; the message names it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} must hold a JSON object, got {type(data).__name__}")
    return data


def shard_names(count: int) -> list[str]:
    """Name the files of a number of shards."""
    if count == 1:
        return [SINGLE_FILE]
    return [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]


def interrupted_save_hint(directory: Path) -> str:
    """Say where a save that was killed left the weights before it; empty if there was none."""
    earlier = sorted(directory.glob(f"{EARLIER_PREFIX}*"))
    if not earlier:
        return ""
    return f"; a save was interrupted here, the earlier files are in {earlier[0]}"


def _read_index(path: Path) -> dict[str, str]:
    weight_map = read_json(path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ValueError(f"{path} has no weight_map")
    files: dict[str, str] = {}
    for name, file_name in weight_map.items():
        if not isinstance(file_name, str) or Path(file_name).name != file_name:
            raise ValueError(f"{path}: {name} must be in a file of that folder, got {file_name!r}")
        files[name] = file_name
    return files


def _read_header(path: Path) -> dict[str, StoredTensor]:
    with open_safetensors(path) as file:
        return {
            name: StoredTensor(path=path, shape=tuple(file.get_slice(name).get_shape()))
            for name in file.keys()  # noqa: SIM118 - a safe_open is no mapping
        }


def give_usual_permissions(path: Path) -> None:
    """Let others read a file as far as the process's mask allows.

    Safetensors makes files that only their owner can read, which helps nobody on a shared disk.
    """
    mask = os.umask(0o022)  # it can be read only by setting it
    os.umask(mask)
    path.chmod(0o666 & ~mask)
