"""What it costs to measure outlines on a pair, to draw a painting and to enlarge it.

Beside a prediction by the nano, with all of its samples and steps, at its own size. Seconds of
processor time.

    python benchmarks/outlines.py
"""

import argparse
from collections.abc import Callable
from time import process_time

import numpy as np
import torch

from lavin_dit import LavinDiTPipeline
from lavin_dit.pipeline.fitting import resized
from lavin_dit.pipeline.outlines import drawn_after, enlarged_after, measured_outlines
from record import record, time_side_by_side

NANO_PX = 64


def scene(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """A noisy photo of a disc, and the disc's mask."""
    rows, cols = np.mgrid[:size_px, :size_px] / size_px - 0.5
    disc = (rows**2 + cols**2 < 0.07)[None, ..., None]
    noise = np.random.default_rng(0).normal(0, 10, (1, size_px, size_px, 1))
    photo = np.where(disc, [40, 160, 80], [200, 60, 40]) + noise
    return photo.clip(0, 255).astype(np.uint8), np.where(disc, 255, [0, 0, 0]).astype(np.uint8)


def operations() -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    query, target = scene(NANO_PX)
    outlines = measured_outlines(query, target)
    if outlines.share == 0:
        raise RuntimeError("nothing would be drawn, so there is nothing to time")
    painted = torch.rand(1, 3, NANO_PX, NANO_PX, generator=torch.Generator().manual_seed(0))
    pipe = LavinDiTPipeline.from_pretrained("nano")
    task = pipe.compile_context(task="depth_estimation", keep_detail=False)

    def predict() -> object:
        return pipe(query, context=task, task="depth_estimation", keep_detail=False, progress=False)

    timed: dict[str, Callable[[], object]] = {"predict": predict}
    for size_px in (NANO_PX, 256, 512):
        pair = scene(size_px)
        timed[f"measure a pair of {size_px} px"] = lambda pair=pair: measured_outlines(*pair)
    timed[f"draw at {NANO_PX} px"] = lambda: drawn_after(painted, query, outlines=outlines)
    for size_px in (256, 1024):
        large = scene(size_px)[0]
        timed[f"enlarge to {size_px} px"] = lambda large=large: resized(
            enlarged_after(painted, large, outlines=outlines), large.shape[1:3]
        )
    return timed


def main() -> None:
    """Measure, print a table and write the results."""
    parser = argparse.ArgumentParser(description="cost of outlines")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with torch.inference_mode():
        times = time_side_by_side(operations(), repeats=arguments.repeats, clock=process_time)
    rows = [{"operation": name} | own for name, own in times.items()]
    record("outlines", settings={"repeats": arguments.repeats}, rows=rows)


if __name__ == "__main__":
    main()
