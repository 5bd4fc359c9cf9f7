"""When a run ends: after its steps, when its time is up, or when it is asked to."""

import re
import signal
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``9m``, ``90s``, ``1h30m`` or ``2d``.

    Raises:
        ValueError: If it is not written like that, or is zero.
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"a duration is written 90s, 9m, 1h30m or 2d, got {text!r}")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds <= 0:
        raise ValueError(f"a duration must be longer than nothing, got {text!r}")
    return seconds


@dataclass(slots=True)
class StopRequest:
    """Whether somebody asked the run to end.

    Attributes:
        signal_name: Name of the signal that did, None if none.
    """

    signal_name: str | None = None


@contextmanager
def stopped_by_signals() -> Generator[StopRequest]:
    """Turn SIGTERM, SIGINT and SIGUSR1 into a request that the loop honours after its step.

    A second SIGINT interrupts at once. Outside the main thread, signals are left alone.
    """
    request = StopRequest()

    def ask(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and request.signal_name is not None:
            raise KeyboardInterrupt
        request.signal_name = signal.Signals(number).name

    earlier: dict[int, object] = {}
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            earlier[number] = signal.signal(number, ask)
    except ValueError:  # not the main thread
        pass
    try:
        yield request
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType] - what it returned
