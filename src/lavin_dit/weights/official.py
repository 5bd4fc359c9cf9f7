"""Conversion of the authors' released checkpoint into a saved pipeline.

The release's names of tensors are ours, so nothing is renamed: what is added is the configuration,
which the release keeps in its code. Names and shapes are checked from the files' headers; values
are then copied one by one.
"""

import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from safetensors import safe_open
from torch import Tensor, nn
from tqdm import tqdm

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.weights.checkpoint import (
    JDIT_FOLDER,
    PIPELINE_FILE,
    ST_VAE_FOLDER,
    save_defaults,
)
from lavin_dit.weights.defaults import RELEASED_DEFAULTS
from lavin_dit.weights.files import open_safetensors
from lavin_dit.weights.official_shapes import Shapes, jdit_config, st_vae_config
from lavin_dit.weights.pickled import read_pickled_tensors
from lavin_dit.weights.shards import DEFAULT_MAX_SHARD_BYTES, ShardWriter
from lavin_dit.weights.store import check_shapes

ST_VAE_FILE = "stvae.pt"
JDIT_FILE = "lavin_dit.safetensors"
ARCHIVE_FOLDER = "weights"
IGNORED_PREFIX = "loss."
FLOATING_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
"""Types of values that a released file may hold, by their names in safetensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficialReport:
    """What a conversion found."""

    st_vae: STVAEConfig
    """Architecture of the ST-VAE."""
    jdit: JDiTConfig
    """Architecture of the J-DiT."""
    st_vae_parameters: int
    """Number of the ST-VAE's values."""
    jdit_parameters: int
    """Number of the J-DiT's values."""
    ignored: tuple[str, ...]
    """Tensors that were left out: what the ST-VAE's training kept of its losses."""


def convert_official(
    source: Path,
    *,
    output: Path,
    dtype: torch.dtype | None = None,
    num_heads: int | None = None,
    encoder_norm_groups: int = 32,
    max_shard_bytes: int = DEFAULT_MAX_SHARD_BYTES,
) -> OfficialReport:
    """Convert ``stvae.pt`` and ``lavin_dit.safetensors`` into a saved pipeline.

    Both files are checked before anything is written, and no network is ever held in memory as a
    whole: what is held is one shard. If anything fails, nothing is left behind.

    Args:
        source: Folder with both files, or the one that the release's archive was unpacked in.
        output: Folder for the pipeline: an empty one, or one to be made.
        dtype: Floating-point type to store; None keeps each tensor's own.
        num_heads: Query heads of the J-DiT. No shape tells them: needed unless the shapes are those
            of the released network.
        encoder_norm_groups: Groups of the ST-VAE encoder's norms. No shape tells them either; the
            released network has 32.
        max_shard_bytes: Size from which a new weights file is begun.

    Returns:
        What was found.

    Raises:
        FileExistsError: If there is something at the output already; it stays as it is.
        FileNotFoundError: If one of the files is missing.
        WeightsMismatchError: If names or shapes aren't the release's; it lists all that differ.
        ValueError: If a file is damaged, contains code, or tells no possible architecture.
        OSError: If the output can't be written to or its disk is too small.
    """
    source, output = Path(source), Path(output)
    if dtype is not None and not dtype.is_floating_point:
        raise ValueError(f"dtype must be a floating-point type, got {dtype}")
    _check_nothing_there(output)
    st_vae_path, jdit_path = _find_files(source)
    st_vae_tensors, ignored = _open_st_vae(st_vae_path)
    with _naming(st_vae_path):
        st_vae = st_vae_config(st_vae_tensors.shapes, encoder_norm_groups=encoder_norm_groups)
    st_vae_copy = _Copy(ST_VAE_FOLDER, st_vae_tensors, config=st_vae, build=lambda: STVAE(st_vae))
    with open_safetensors(jdit_path) as file:
        jdit_tensors = _open_jdit(jdit_path, file)
        with _naming(jdit_path):
            jdit = jdit_config(
                jdit_tensors.shapes,
                latent_channels=st_vae.latent_channels,
                num_heads=num_heads,
            )
        jdit_copy = _Copy(JDIT_FOLDER, jdit_tensors, config=jdit, build=lambda: JDiT(jdit))
        copies = (st_vae_copy, jdit_copy)
        num_bytes = sum(copy.num_bytes(dtype) for copy in copies)
        with _new_folder(output, num_bytes=num_bytes), _progress(num_bytes) as bar:
            for copy in copies:
                copy.write(output, dtype=dtype, max_shard_bytes=max_shard_bytes, bar=bar)
            save_defaults(output, RELEASED_DEFAULTS)
    return OfficialReport(
        st_vae=st_vae,
        jdit=jdit,
        st_vae_parameters=st_vae_copy.num_values,
        jdit_parameters=jdit_copy.num_values,
        ignored=ignored,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tensors:
    """Tensors in a file, whose values are read on demand."""

    path: Path
    shapes: Shapes
    dtypes: Mapping[str, torch.dtype | None]
    """None for what holds no plain floating-point numbers."""
    read: Callable[[str], Tensor]


class _Copy:
    """A network to be copied, whose names and shapes are right."""

    def __init__(
        self, folder: str, tensors: _Tensors, *, config: object, build: Callable[[], nn.Module]
    ) -> None:
        with torch.device("meta"):
            state = build().state_dict()
        expected = {name: tuple(tensor.shape) for name, tensor in state.items()}
        check_shapes(tensors.shapes, expected=expected, source=str(tensors.path))
        dtypes = {name: tensors.dtypes[name] for name in expected}
        if other := [name for name, dtype in dtypes.items() if dtype is None]:
            raise ValueError(
                f"{tensors.path}: {len(other)} tensors hold no plain floating-point numbers, the "
                f"first is {other[0]}"
            )
        self._folder = folder
        self._tensors = tensors
        self._config = config
        self._num_values = {name: tensor.numel() for name, tensor in state.items()}
        self._item_sizes = {name: dtype.itemsize for name, dtype in dtypes.items() if dtype}

    @property
    def num_values(self) -> int:
        """Number of values in all tensors."""
        return sum(self._num_values.values())

    def num_bytes(self, dtype: torch.dtype | None) -> int:
        """Count what `write` will write, headers aside."""
        return sum(
            count * (self._item_sizes[name] if dtype is None else dtype.itemsize)
            for name, count in self._num_values.items()
        )

    def write(
        self,
        output: Path,
        *,
        dtype: torch.dtype | None,
        max_shard_bytes: int,
        bar: "tqdm[NoReturn]",
    ) -> None:
        """Copy tensor by tensor, in the order of the network."""
        with ShardWriter(
            output / self._folder, config=self._config, max_shard_bytes=max_shard_bytes
        ) as writer:
            for name in self._num_values:
                tensor = self._tensors.read(name).detach()
                tensor = tensor if dtype is None else tensor.to(dtype)
                writer.add(name, tensor)
                bar.update(tensor.nbytes)


def _check_nothing_there(output: Path) -> None:
    if output.is_dir():
        if any(output.iterdir()):
            what = "a saved pipeline" if (output / PIPELINE_FILE).exists() else "files"
            raise FileExistsError(
                f"{output} holds {what} already and nothing is overwritten: name an empty or a new "
                f"folder"
            )
    elif output.exists():
        raise FileExistsError(f"{output} is a file: name an empty or a new folder")


def _find_files(source: Path) -> tuple[Path, Path]:
    """Find both files in the folder, or in the one that the release's archive makes there."""
    if source.is_file():
        raise FileNotFoundError(f"{source} is a file: unpack the release and name its folder")
    found: list[str] = []
    for folder in (source, source / ARCHIVE_FOLDER):
        st_vae, jdit = folder / ST_VAE_FILE, folder / JDIT_FILE
        if st_vae.is_file() and jdit.is_file():
            return st_vae, jdit
        found += [str(path) for path in (st_vae, jdit) if path.is_file()]
    raise FileNotFoundError(
        f"no released checkpoint in {source}: looked for {ST_VAE_FILE} and {JDIT_FILE} there and "
        f"in {source / ARCHIVE_FOLDER}, found {' and '.join(found) or 'neither'}"
    )


def _open_st_vae(path: Path) -> tuple[_Tensors, tuple[str, ...]]:
    """Open the ST-VAE and tell which tensors are left out."""
    stored = read_pickled_tensors(path)
    ignored = tuple(name for name in stored if name.startswith(IGNORED_PREFIX))
    kept = {name: tensor for name, tensor in stored.items() if name not in ignored}
    tensors = _Tensors(
        path=path,
        shapes={name: tuple(tensor.shape) for name, tensor in kept.items()},
        dtypes={
            name: tensor.dtype if tensor.dtype in FLOATING_TYPES.values() else None
            for name, tensor in kept.items()
        },
        read=kept.__getitem__,
    )
    return tensors, ignored


def _open_jdit(path: Path, file: safe_open) -> _Tensors:
    names = list(file.keys())
    slices = {name: file.get_slice(name) for name in names}
    return _Tensors(
        path=path,
        shapes={name: tuple(part.get_shape()) for name, part in slices.items()},
        dtypes={name: FLOATING_TYPES.get(part.get_dtype()) for name, part in slices.items()},
        read=file.get_tensor,
    )


@contextmanager
def _naming(path: Path) -> Generator[None]:
    """Name the file in what its shapes can be wrong about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


@contextmanager
def _new_folder(folder: Path, *, num_bytes: int) -> Generator[None]:
    """Make a folder that can hold so many bytes; take away what is in it after an exception."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        _prepare(folder, num_bytes)
        yield
    except BaseException:
        for name in (ST_VAE_FOLDER, JDIT_FOLDER):
            shutil.rmtree(folder / name, ignore_errors=True)
        with suppress(OSError):
            (folder / PIPELINE_FILE).unlink(missing_ok=True)
            for path in made:
                path.rmdir()
        raise


def _prepare(folder: Path, num_bytes: int) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(f"{folder} can't be written to: {error.strerror or error}") from error
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise OSError(
            f"{folder}: the pipeline takes {num_bytes / 1e9:.2f} GB, and {free / 1e9:.2f} GB are "
            f"free there"
        )


def _progress(num_bytes: int) -> "tqdm[NoReturn]":
    """Make a bar for people; a log file gets none."""
    return tqdm(total=num_bytes, unit="B", unit_scale=True, desc="converting", disable=None)
