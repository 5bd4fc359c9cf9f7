"""Writing of weights: one shard in memory at a time, and in place either wholly or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from lavin_dit.weights.config import Json, config_to_json
from lavin_dit.weights.files import (
    CONFIG_FILE,
    EARLIER_PREFIX,
    INDEX_FILE,
    SINGLE_FILE,
    WEIGHTS_FILE_PATTERN,
    give_usual_permissions,
    shard_names,
)

DEFAULT_MAX_SHARD_BYTES = 5 * 10**9


class ShardWriter:
    """Writes tensors to a folder as they come, holding no more than one shard of them.

    Everything is written beside its final place and moved there by `close`, the index and the
    configuration last: until then, and if anything fails, earlier weights in the folder stay as
    they are. A process killed during the moves leaves a folder that loads as one of the two sets or
    refuses to load and says where the earlier files are; it never loads as a mixture.

    Use it as a context manager, which closes on success and discards on an exception.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        config: object | None = None,
        max_shard_bytes: int = DEFAULT_MAX_SHARD_BYTES,
    ) -> None:
        """Check that the folder can be written to, making it if need be.

        Args:
            directory: Where the weights go.
            config: Dataclass saved beside them as ``config.json``; none is written if None.
            max_shard_bytes: Size from which a new shard is begun; a tensor larger than this gets a
                shard of its own.

        Raises:
            OSError: If the folder cannot be written to.
            ValueError: If the shard size is not positive or the configuration cannot be saved.
        """
        if max_shard_bytes < 1:
            raise ValueError(f"max_shard_bytes must be at least 1, got {max_shard_bytes}")
        self._directory = Path(directory)
        self._max_shard_bytes = max_shard_bytes
        self._config = None if config is None else config_to_json(config)
        self._shard: dict[str, Tensor] = {}
        self._shard_bytes = 0
        self._total_bytes = 0
        self._shard_of: dict[str, int] = {}
        self._shard_paths: list[Path] = []
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._scratch = Path(tempfile.mkdtemp(prefix=".saving-", dir=self._directory))
        except OSError as error:
            raise OSError(
                error.errno, f"cannot write weights into {self._directory}: {error.strerror}"
            ) from error

    def add(self, name: str, tensor: Tensor) -> None:
        """Take a tensor; its shard is written once full and then let go.

        Args:
            name: Key in the state dict.
            tensor: Values, on any device. One on the CPU is kept by reference until its shard is
                written, so leave it unchanged until then.

        Raises:
            ValueError: If the name was given before, or the tensor has no values.
            RuntimeError: If the writer is closed.
        """
        self._check_open()
        if name in self._shard_of:
            raise ValueError(f"tensor {name} was added twice")
        if tensor.is_meta:
            raise ValueError(f"tensor {name} is on the meta device: it has no values to save")
        tensor = tensor.detach().cpu().contiguous()
        if tensor.untyped_storage().nbytes() > tensor.nbytes:
            # A view would keep all of the larger tensor that it was cut from.
            tensor = tensor.clone()
        if self._shard and self._shard_bytes + tensor.nbytes > self._max_shard_bytes:
            self._flush()
        self._shard[name] = tensor
        self._shard_of[name] = len(self._shard_paths)
        self._shard_bytes += tensor.nbytes
        self._total_bytes += tensor.nbytes

    def close(self) -> None:
        """Write what is left and put the new weights in place of earlier ones.

        Raises:
            ValueError: If no tensor was added.
            RuntimeError: If the writer is closed.
            OSError: If writing fails; earlier weights are unharmed.
        """
        self._check_open()
        try:
            if not self._shard_of:
                raise ValueError("no tensor was added: there are no weights to save")
            self._flush()
            self._commit()
        finally:
            self.discard()

    def discard(self) -> None:
        """Forget what was added since the folder's last complete weights."""
        self._shard = {}
        shutil.rmtree(self._scratch, ignore_errors=True)

    def __enter__(self) -> "ShardWriter":
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close after success, discard after an exception."""
        if kind is None:
            self.close()
        else:
            self.discard()

    def _flush(self) -> None:
        path = self._scratch / f"{len(self._shard_paths)}.safetensors"
        try:
            save_file(self._shard, path, metadata={"format": "pt"})
        except SafetensorError as error:
            raise OSError(f"cannot write weights into {self._directory}: {error}") from error
        give_usual_permissions(path)
        _flush_to_disk(path)
        self._shard_paths.append(path)
        self._shard, self._shard_bytes = {}, 0

    def _commit(self) -> None:
        names = shard_names(len(self._shard_paths))
        moves = dict(zip(names, self._shard_paths, strict=True))
        if len(names) > 1:
            index: Json = {
                "metadata": {"total_size": self._total_bytes},
                "weight_map": {name: names[shard] for name, shard in self._shard_of.items()},
            }
            moves[INDEX_FILE] = self._write_json(INDEX_FILE, index)
        new_names = set(moves)
        if self._config is not None:
            path = self._write_json(CONFIG_FILE, self._config)
            present = self._directory / CONFIG_FILE
            if not present.is_file() or present.read_bytes() != path.read_bytes():
                moves[CONFIG_FILE] = path
        _move_into_place(self._directory, moves)
        for path in self._directory.iterdir():
            if WEIGHTS_FILE_PATTERN.fullmatch(path.name) and path.name not in new_names:
                path.unlink()

    def _write_json(self, name: str, data: Json) -> Path:
        path = self._scratch / name
        path.write_text(json.dumps(data, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        _flush_to_disk(path)
        return path

    def _check_open(self) -> None:
        if not self._scratch.exists():
            raise RuntimeError("this writer is closed")


def _move_into_place(directory: Path, moves: Mapping[str, Path]) -> None:
    """Move files to their names in a folder, in order; undo everything if that fails.

    A single file is replaced in one step. Several are not, so the files by which weights are found
    are set aside first: whoever reads in between finds no weights, not a mixture.
    """
    if len(moves) == 1:
        ((name, path),) = moves.items()
        path.replace(directory / name)
        return
    earlier = Path(tempfile.mkdtemp(prefix=EARLIER_PREFIX, dir=directory))
    placed: list[Path] = []
    try:
        for name in (SINGLE_FILE, INDEX_FILE, *moves):
            if (directory / name).exists():
                (directory / name).replace(earlier / name)
        for name, path in moves.items():
            path.replace(directory / name)
            placed.append(directory / name)
    except BaseException:
        for path in placed:
            path.unlink()
        for path in earlier.iterdir():
            path.replace(directory / path.name)
        earlier.rmdir()
        raise
    shutil.rmtree(earlier)


def _flush_to_disk(path: Path) -> None:
    """Have the system write a file out, so that a name never outlives its content in a crash."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
