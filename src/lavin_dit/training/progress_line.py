"""How a run is doing, in a line."""

from collections.abc import Mapping


def progress_line(values: Mapping[str, float], *, step: int, num_steps: int, left_s: float) -> str:
    """One line that says how a run is doing.

    Args:
        values: What was logged: ``total`` (the loss), ``lr``, and the rates of a
            `lavin_dit.training.throughput.Meter`.
        step: Steps taken.
        num_steps: Steps of the whole run.
        left_s: Seconds that it is likely to take yet.
    """
    parts = [
        f"step {step:,}/{num_steps:,}",
        f"loss {values['total']:.4f}",
        f"lr {values['lr']:.2e}",
        f"{values['samples_per_s']:.1f} samples/s",
        f"{values['tokens_per_s']:,.0f} tokens/s",
    ]
    if "mfu" in values:
        parts.append(f"MFU {values['mfu']:.1%}")
    parts.append(f"wait {values['loader_wait_share']:.0%}")
    left = int(left_s)
    parts.append(f"left {left // 3600}:{left // 60 % 60:02}:{left % 60:02}")
    return "  ".join(parts)
