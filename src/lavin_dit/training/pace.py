"""Time of a run: what it has taken, what is left, and what its end is going to need."""

from dataclasses import dataclass, field
from time import perf_counter

from lavin_dit.training.config import LoopConfig
from lavin_dit.training.stopping import parse_duration

_UNMEASURED_SHARE, _UNMEASURED_S = 0.1, 60.0
"""What the end of a run is taken to need of its budget until it was measured: a share, at most so
many seconds."""
_RESERVE = 1.25


@dataclass(slots=True, kw_only=True)
class Pace:
    """The clock of a run.

    Attributes:
        config: Number of steps, and budget if there is one.
        elapsed_s: Seconds that earlier sessions of the run took.
        save_s: Seconds of the longest checkpoint; 0 until there was one.
        validation_s: Seconds of the longest validation, likewise.
    """

    config: LoopConfig
    elapsed_s: float = 0.0
    save_s: float = 0.0
    validation_s: float = 0.0
    _began_s: float = field(default_factory=perf_counter)

    def begin(self) -> None:
        """Start the clock, anew where a run goes on."""
        self._began_s = perf_counter()

    def spent_s(self) -> float:
        """Seconds that the run has taken, over all its sessions."""
        return self.elapsed_s + perf_counter() - self._began_s

    def progress(self, step: int) -> float:
        """Share of the run that is over: of its steps, or of its budget if that is more.

        Args:
            step: Steps taken.
        """
        share, budget_s = step / self.config.num_steps, self._budget_s()
        return share if budget_s is None else max(share, self.spent_s() / budget_s)

    def remaining_s(self, step: int, *, step_time_s: float) -> float:
        """Seconds until the run is over, as far as can be told.

        Args:
            step: Steps taken.
            step_time_s: Seconds of a step.
        """
        left, budget_s = (self.config.num_steps - step) * step_time_s, self._budget_s()
        return left if budget_s is None else max(0.0, min(left, budget_s - self.spent_s()))

    def is_budget_spent(self, *, validates: bool) -> bool:
        """Whether what is left of the budget is needed for the end: a validation, a checkpoint.

        Args:
            validates: Whether the run ends with a validation.
        """
        budget_s = self._budget_s()
        if budget_s is None:
            return False
        reserve_s = _RESERVE * (self.save_s + self.validation_s)
        if not self.save_s or (validates and not self.validation_s):
            reserve_s = max(min(_UNMEASURED_SHARE * budget_s, _UNMEASURED_S), reserve_s)
        return self.spent_s() + reserve_s >= budget_s

    def _budget_s(self) -> float | None:
        budget = self.config.budget
        return None if budget is None else parse_duration(budget)
