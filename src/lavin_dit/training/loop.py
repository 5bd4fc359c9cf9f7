"""The training loop. It reads as a run goes; what each line needs is in a module of its own.

The loop knows neither networks nor data: an objective turns a batch into a loss, batches come one a
step, and what is to be done now and then is a hook. It is deterministic on a CPU: a run that was
killed and resumed ends with the bits of one that was not.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lavin_dit.training.batches import Batches, TrainingBatch
from lavin_dit.training.checkpoints import CheckpointFolder, RunProgress
from lavin_dit.training.config import LoopConfig, OptimizerConfig, ScheduleConfig
from lavin_dit.training.ema import WeightAverage
from lavin_dit.training.logged_values import LoggedValues
from lavin_dit.training.objective import Losses, Objective
from lavin_dit.training.optimizer import (
    clip_gradients,
    make_optimizers,
    set_learning_rate,
)
from lavin_dit.training.pace import Pace
from lavin_dit.training.processes import (
    Processes,
    gather_gradients,
    let_go_of_whole_weights,
)
from lavin_dit.training.progress_line import progress_line
from lavin_dit.training.run_folder import CHECKPOINTS, RunLog, read_events
from lavin_dit.training.schedule import learning_rate_share
from lavin_dit.training.stopping import StopRequest, stopped_by_signals
from lavin_dit.training.throughput import Meter, peak_flops

_log = logging.getLogger(__name__)
ENDS = ("steps", "budget")
"""Why a run is over; any other reason is a signal, after which it is whole and not over."""
_VALIDATED = "validated"
_GRADIENT_NORM = "gradient_norm"


class NonFiniteLossError(RuntimeError):
    """Too many steps in a row had a loss or a gradient that is not finite."""


@runtime_checkable
class Hook(Protocol):
    """What is done with the averaged weights now and then: validation, sheets, exports."""

    def __call__(self, step: int) -> Mapping[str, float]:
        """Do it, with the averaged weights in the network; returns numbers to be logged."""
        ...


@dataclass(slots=True, kw_only=True)
class Training:
    """A run: what is trained, on what, and where it is.

    Attributes:
        objective: What is trained.
        call: What the loop calls for a loss: the objective, or what wraps it for many processes.
        batches: What it is trained on.
        processes: This process among its peers.
        config: See `LoopConfig`.
        optimizer_config: See `OptimizerConfig`.
        schedule: See `ScheduleConfig`.
        folder: The run's folder.
        cells_per_token: Latent cells that the network takes as one token.
        matrices: What Muon steps, if ``optimizer_config`` asks for it.
        flops_of: Operations of forward and backward for a batch of this process; no MFU if None.
        validate: Done every ``validate_every`` steps and at the end.
        on_line: Shown to the user: a line of progress.
        step: Optimizer steps taken.
        num_skipped: Steps whose loss or gradient was not finite.
        pace: The run's clock.
    """

    objective: Objective
    call: Callable[[Any, int], Losses]
    batches: Batches
    processes: Processes
    config: LoopConfig
    optimizer_config: OptimizerConfig
    schedule: ScheduleConfig
    folder: Path
    cells_per_token: int = 1
    matrices: Sequence[nn.Parameter] = ()
    flops_of: Callable[[TrainingBatch], float] | None = None
    validate: Hook | None = None
    on_line: Callable[[str], object] | None = None
    step: int = 0
    num_skipped: int = 0
    pace: Pace = field(init=False)
    _skipped_in_a_row: int = 0
    _saved_step: int | None = None
    _next_batches: dict[str, Any] = field(default_factory=dict[str, Any])
    _optimizers: list[Optimizer] = field(init=False)
    _average: WeightAverage = field(init=False)
    _checkpoints: CheckpointFolder = field(init=False)

    def __post_init__(self) -> None:
        """Make optimizers and average; nothing is written yet."""
        self.pace = Pace(config=self.config)
        self._optimizers = make_optimizers(
            self.objective.parameter_groups(), self.optimizer_config, matrices=self.matrices
        )
        self._average = WeightAverage(self.objective.trained, decay=self.config.ema_decay)
        self._checkpoints = CheckpointFolder(
            self.folder / CHECKPOINTS, keep=self.config.keep_checkpoints
        )
        self._next_batches = self.batches.state_dict()

    @property
    def average(self) -> WeightAverage:
        """The averaged weights."""
        return self._average

    @property
    def optimizers(self) -> Sequence[Optimizer]:
        """What moves the weights."""
        return self._optimizers

    def resume(self) -> bool:
        """Go on from the newest checkpoint of the folder.

        Returns:
            Whether there was one.

        Raises:
            ValueError: If it is damaged or another run's.
        """
        path = self._checkpoints.latest()
        if path is None:
            return False
        progress = self._checkpoints.load(path, self._module(), self._optimizers, self._average)
        self.step, self.pace.elapsed_s = progress.step, progress.elapsed_s
        self._saved_step = progress.step
        self.num_skipped = progress.num_skipped
        self.batches.load_state_dict(progress.batches)
        self._next_batches = progress.batches
        return True

    def run(self) -> str:
        """Train until the run is over.

        Returns:
            Why it ended: ``steps``, ``budget``, or the name of a signal.

        Raises:
            NonFiniteLossError: If too many steps in a row were not finite; a checkpoint is saved.
            OSError: If the folder can't be written to, or is full.
        """
        self._checkpoints.check_room(self._module())
        log = RunLog(self.folder, resumed_at=self.step) if self.processes.is_first else None
        _log_event(log, "begin", step=self.step, world_size=self.processes.world_size)
        try:
            with stopped_by_signals() as request:
                try:
                    reason = self._run(log, request)
                except NonFiniteLossError as error:
                    self._forget_gradients()
                    self._save()
                    _log_event(log, "end", step=self.step, reason=str(error))
                    raise
                self._save()
            _log_event(log, "end", step=self.step, reason=reason)
        finally:
            if log is not None:
                log.close()
        return reason

    def _run(self, log: RunLog | None, request: StopRequest) -> str:
        """Steps, one after another."""
        self.pace.begin()
        dtype = torch.bfloat16 if self.config.precision == "bfloat16" else torch.float32
        peak = peak_flops(self.processes.device, dtype=dtype) if self.flops_of else 0.0
        meter = Meter(peak=peak * self.processes.world_size)
        batches = iter(self.batches)
        self._module().train()
        reason = self._reason_to_stop(request)
        if reason in ENDS and not self._is_validated():  # it was killed when it was about to be
            self._validate(log)
        while reason is None:
            began = perf_counter()
            batch = next(batches)
            waited_s = perf_counter() - began
            logged = self._step_on(batch, log)
            self._next_batches = self.batches.state_dict()
            meter.add(
                samples=len(batch) * self.processes.world_size,
                tokens=len(batch) * self._tokens_of(batch) * self.processes.world_size,
                flops=self.flops_of(batch) * self.processes.world_size if self.flops_of else 0.0,
                waited_s=waited_s,
            )
            self.step += 1
            reason = self._reason_to_stop(request)
            if self.step % self.config.log_every == 0 or reason is not None:
                self._tell(log, logged, meter)
            self._now_and_then(log, meter, reason=reason)
        return reason

    def _tokens_of(self, batch: TrainingBatch) -> int:
        """Tokens of one of a batch's samples."""
        return math.prod(batch.clip_cells) // self.cells_per_token

    def _step_on(self, batch: TrainingBatch, log: RunLog | None) -> LoggedValues:
        """One optimizer step, unless something is not finite."""
        groups = self.objective.parameter_groups()
        logged = self._gradients(batch)
        norms = clip_gradients(groups, max_norm=self.optimizer_config.clip_norm)
        logged.add({f"{_GRADIENT_NORM}/{name}": norm for name, norm in norms.items()}, share=1.0)
        total = logged.own()["total"]
        finite = all(math.isfinite(float(value)) for value in (total, *norms.values()))
        if self.processes.any(not finite):
            self._skip(batch, logged.own(), log)
        else:
            self._skipped_in_a_row = 0
            progress = self.pace.progress(self.step)
            if self.config.budget is not None:  # clocks differ, and weights must not
                progress = self.processes.largest(progress)
            share = learning_rate_share(self.schedule, step=self.step, progress=progress)
            set_learning_rate(self._optimizers, share * self.optimizer_config.lr)
            for optimizer in self._optimizers:
                optimizer.step()
            self._average.update(self.objective.trained)
        self._forget_gradients()
        return logged

    def _forget_gradients(self) -> None:
        for optimizer in self._optimizers:
            optimizer.zero_grad(set_to_none=True)

    def _gradients(self, batch: TrainingBatch) -> LoggedValues:
        """Gradients of a batch, added up over its micro batches; returns what is logged."""
        size = self.config.micro_batch_size or len(batch)
        starts = range(0, len(batch), size)
        logged = LoggedValues()
        for start in starts:
            stop = min(start + size, len(batch))
            share = (stop - start) / len(batch)
            gather_gradients(self._called_module(), last=start == starts[-1])
            part = batch.part(start, stop)  # outside autocast: encoding has its own precision
            with self._autocast():
                losses = self.call(part, self.step)
            (losses.total * share).backward()
            logged.add({"total": losses.total.detach(), **losses.logged}, share=share)
        return logged

    def _skip(self, batch: TrainingBatch, logged: Mapping[str, Tensor], log: RunLog | None) -> None:
        """Report a batch whose loss or gradient is not finite; weights and average stay."""
        self.num_skipped += 1
        self._skipped_in_a_row += 1
        values = {name: float(value) for name, value in logged.items()}
        own = sorted(name for name, value in values.items() if not math.isfinite(value))
        # Gradients are joined, so theirs is no sign of whose samples did it; losses are.
        is_own = any(not name.startswith(_GRADIENT_NORM) for name in own)
        is_own = is_own or self.processes.world_size == 1
        found = self.processes.gather((own, batch.describe() if is_own else []))
        bad = sorted({name for names, _ in found for name in names})
        samples = [line for _, lines in found for line in lines]
        _log.warning(
            "step %d was skipped: %s not finite; %s",
            self.step,
            ", ".join(bad),
            f"its batch: {'; '.join(samples)}" if samples else "all losses of its batch are finite",
        )
        _log_event(log, "not_finite", step=self.step, values=bad, batch=samples)
        if self._skipped_in_a_row > self.config.max_skipped_in_a_row:
            raise NonFiniteLossError(
                f"{self._skipped_in_a_row} steps in a row up to step {self.step} had a loss or "
                f"gradient that is not finite; {self.folder} says which batches. Lower the "
                "learning rate, or go on from an earlier checkpoint"
            )

    def _now_and_then(self, log: RunLog | None, meter: Meter, *, reason: str | None) -> None:
        """Checkpoints and validation, where it is their turn."""
        every = self.config.validate_every
        due = self.step % self.config.checkpoint_every == 0
        # Who sends a signal may not wait for a validation. A run that is over is saved behind it,
        # so that its time counts.
        began = perf_counter()
        if due if reason is None else reason not in ENDS:
            self._save()
        if reason is not None or (every and self.step % every == 0):
            self._validate(log)
        meter.skip(perf_counter() - began)

    def _validate(self, log: RunLog | None) -> None:
        """Validate with the averaged weights, if there is something to validate with."""
        if self.validate is None:
            return
        began, module = perf_counter(), self._module()
        module.eval()
        # Other shapes than training's: compiling for them would take longer than it saves.
        eager = torch.compiler.set_stance("force_eager")
        with eager, self._average.swapped_in(self.objective.trained):
            try:
                numbers = self.validate(self.step)
            finally:  # the average is taken out of shards
                let_go_of_whole_weights(module)
        module.train()
        self.pace.validation_s = max(self.pace.validation_s, perf_counter() - began)
        if log is not None and numbers:
            log.metrics(self.step, numbers)
        _log_event(log, _VALIDATED, step=self.step)

    def _is_validated(self) -> bool:
        """Whether this step was validated in an earlier session, as the last one of a run is."""
        events = read_events(self.folder) if self.processes.is_first else []
        here = [event for event in events if event.get("step") == self.step]
        return self.processes.any(
            any(event["event"] == _VALIDATED or event.get("reason") in ENDS for event in here)
        )

    def _save(self) -> None:
        """Write a checkpoint, unless this step has one."""
        if self._saved_step == self.step:
            return
        began = perf_counter()
        progress = RunProgress(
            step=self.step,
            elapsed_s=self.pace.spent_s(),
            batches=self._next_batches,
            num_skipped=self.num_skipped,
        )
        self._checkpoints.save(self._module(), self._optimizers, self._average, progress)
        self._saved_step = self.step
        self.pace.save_s = max(self.pace.save_s, perf_counter() - began)

    def _tell(self, log: RunLog | None, logged: LoggedValues, meter: Meter) -> None:
        """Write a line of metrics and show one of progress."""
        rates = meter.read()
        values = logged.joined(self.processes)
        if log is None:
            return
        values |= {"lr": float(self._optimizers[0].param_groups[0]["lr"]), **rates}
        log.metrics(self.step, values)
        if self.on_line is not None:
            left_s = self.pace.remaining_s(self.step, step_time_s=values["step_time_s"])
            self.on_line(
                progress_line(
                    values, step=self.step, num_steps=self.config.num_steps, left_s=left_s
                )
            )

    def _reason_to_stop(self, request: StopRequest) -> str | None:
        """Why the run is over, None if it is not."""
        asked = self.processes.any(request.signal_name is not None)
        if asked:
            return request.signal_name or "signal"
        if self.step >= self.config.num_steps:
            return "steps"
        if self.config.budget is None:
            return None
        spent = self.pace.is_budget_spent(validates=self.validate is not None)
        return "budget" if self.processes.any(spent) else None

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.config.precision == "bfloat16":
            return torch.autocast(self.processes.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _module(self) -> nn.Module:
        assert isinstance(self.objective, nn.Module), "an objective is a module"
        return self.objective

    def _called_module(self) -> nn.Module:
        return self.call if isinstance(self.call, nn.Module) else self._module()


def _log_event(log: RunLog | None, kind: str, **details: Any) -> None:  # noqa: ANN401 - plain data
    """Write an event, in the process that keeps the log."""
    if log is not None:
        log.event(kind, **details)
