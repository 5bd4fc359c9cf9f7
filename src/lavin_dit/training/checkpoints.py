"""Checkpoints of a run: whole or not there, a few at a time, readable by any number of processes.

The state of a run is written with torch's distributed checkpoint, whose files hold shards of
tensors and can be read onto another number of processes. Weights for use are exported apart
(`lavin_dit.training.export`); these files are for going on, and only a run's own should be opened,
since their index is a pickle.
"""

import json
import logging
import os
import re
import shutil
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer

from lavin_dit.training.ema import WeightAverage

_log = logging.getLogger(__name__)
_FOLDER = re.compile(r"step-(\d{9})")
_PROGRESS_FILE = "progress.json"
_OPTIONS = StateDictOptions(ignore_frozen_params=True, strict=True)
_TENSORS_PER_WEIGHT = 4  # itself, its average, and AdamW's two
_SPARE = 1.1  # bytes that a disk must have free for one of a checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """Where a run is.

    Attributes:
        step: Optimizer steps taken.
        elapsed_s: Seconds of training, over all sessions of the run.
        batches: State of the batches.
        num_skipped: Steps whose loss or gradient was not finite.
    """

    step: int
    elapsed_s: float
    batches: dict[str, Any]
    num_skipped: int


class CheckpointFolder:
    """The checkpoints of one run.

    Attributes:
        folder: Where they are.
        keep: How many are kept; older ones go when a new one is whole.
    """

    def __init__(self, folder: Path, *, keep: int) -> None:
        """Take a folder, which is made when the first checkpoint is saved.

        Args:
            folder: Where they are.
            keep: How many are kept, at least 1.

        Raises:
            ValueError: If none is kept.
        """
        if keep < 1:
            raise ValueError(f"keep must be at least 1 checkpoint, got {keep}")
        self.folder = folder
        self.keep = keep

    def latest(self) -> Path | None:
        """The newest whole checkpoint, None if there is none."""
        whole = self._whole()
        return whole[-1] if whole else None

    def save(
        self,
        objective: nn.Module,
        optimizers: Sequence[Optimizer],
        average: WeightAverage,
        progress: RunProgress,
    ) -> Path:
        """Write a checkpoint, of a step that has none yet; all processes call it together.

        Raises:
            OSError: If it can't be written; earlier checkpoints stay.
        """
        final = self.folder / f"step-{progress.step:09}"
        partial = self.folder / f".partial-{final.name}"
        first = _is_first()
        if first:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True, exist_ok=True)
        _barrier()
        try:
            with _one_process_is_meant():
                save(
                    _tensors(objective, optimizers, average),
                    checkpoint_id=partial,
                    no_dist=not dist.is_initialized(),
                )
            if first:
                record = {
                    "step": progress.step,
                    "elapsed_s": progress.elapsed_s,
                    "batches": progress.batches,
                    "num_skipped": progress.num_skipped,
                }
                _write_durably(partial / _PROGRESS_FILE, json.dumps(record))
                partial.replace(final)
                self._rotate()
        except BaseException:
            if first:
                shutil.rmtree(partial, ignore_errors=True)
            raise
        _barrier()
        return final

    def load(
        self,
        path: Path,
        objective: nn.Module,
        optimizers: Sequence[Optimizer],
        average: WeightAverage,
    ) -> RunProgress:
        """Put a checkpoint's values into a run; all processes call it together.

        Args:
            path: From `latest`.
            objective: As it was saved, freshly made.
            optimizers: As they were saved, freshly made.
            average: As it was saved, freshly made.

        Returns:
            Where the run was.

        Raises:
            ValueError: If the checkpoint is damaged or another run's.
        """
        tensors = _tensors(objective, optimizers, average)
        try:
            with _one_process_is_meant():
                load(tensors, checkpoint_id=path, no_dist=not dist.is_initialized())
            record = json.loads((path / _PROGRESS_FILE).read_text(encoding="utf-8"))
        except (CheckpointException, OSError, RuntimeError, ValueError) as error:
            reason = _reason(error)
            raise ValueError(f"{path} can't be read as this run's checkpoint: {reason}") from error
        set_state_dict(
            objective,
            optimizers,
            model_state_dict=tensors["objective"],
            optim_state_dict=tensors["optimizer"],
            options=StateDictOptions(ignore_frozen_params=True, strict=False),
        )
        average.load_state_dict(tensors["average"])
        return RunProgress(**record)

    def check_room(self, objective: nn.Module) -> None:
        """Find out before the first step whether checkpoints can be written.

        Raises:
            OSError: If the folder can't be written to, or the disk is too full for as many as are
                kept and the one that is being written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        probe = self.folder / ".probe"
        try:
            probe.write_bytes(b"probe")
        finally:
            probe.unlink(missing_ok=True)
        missing = max(1, self.keep + 1 - len(self._whole()))
        trained = [one for one in objective.parameters() if one.requires_grad]
        size = _TENSORS_PER_WEIGHT * sum(one.numel() * one.itemsize for one in trained)
        needed = missing * _SPARE * size
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(
                f"{self.folder} has {free / 1e9:.1f} GB free, but checkpoints to come take about "
                f"{needed / 1e9:.1f} GB; make room, keep fewer checkpoints, or choose another "
                "folder"
            )

    def _whole(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        found = (path for path in self.folder.iterdir() if _FOLDER.fullmatch(path.name))
        return sorted(path for path in found if (path / _PROGRESS_FILE).is_file())

    def _rotate(self) -> None:
        for path in self._whole()[: -self.keep]:
            shutil.rmtree(path, ignore_errors=True)
        for path in self.folder.glob(".partial-*"):
            shutil.rmtree(path, ignore_errors=True)


def _tensors(
    objective: nn.Module, optimizers: Sequence[Optimizer], average: WeightAverage
) -> dict[str, dict[str, Any]]:
    """Everything of a run that is a tensor."""
    if not all(optimizer.state for optimizer in optimizers):
        # Torch makes up the state that a first step would leave, and counts that step.
        get_optimizer_state_dict(objective, optimizers, options=_OPTIONS)
        for state in chain.from_iterable(optimizer.state.values() for optimizer in optimizers):
            if "step" in state:  # Muon counts none
                state["step"].zero_()
    model, optimizer_state = get_state_dict(objective, optimizers, options=_OPTIONS)
    return {
        "objective": dict(model),
        "optimizer": dict(optimizer_state),
        "average": average.state_dict(),
    }


def _reason(error: BaseException) -> str:
    """The first line of an error, or of the first one of those that torch collected."""
    if isinstance(error, CheckpointException) and error.failures:
        failure = next(iter(error.failures.values()))
        return f"{type(failure[0]).__name__}: {failure[0]}".partition("\n")[0]
    return str(error).strip().partition("\n")[0]


def _write_durably(path: Path, text: str) -> None:
    """Write a file that is on the disk before anything else happens, a loss of power included."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _one_process_is_meant() -> Generator[None]:
    """Keep torch from remarking that nothing is distributed where nothing should be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _is_first() -> bool:
    return not dist.is_initialized() or dist.get_rank() == 0


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()
