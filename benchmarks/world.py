"""How fast the synthetic world is, and how exact.

    python benchmarks/world.py

Speeds are frames or clips in a second of one core: CPU time of this process, which runs a single
thread. Every clip is a different scene, and all channels are computed. Exactness is the difference
between the renderer and MuJoCo's ray caster in double precision, on the scenes of the tests.
"""

import argparse
import importlib.util
from pathlib import Path
from time import process_time

import numpy as np

from lavin_dit.datasets.world import World
from lavin_dit.datasets.world.physics import simulate
from lavin_dit.vision.geometry import Size
from record import record

TESTS = Path(__file__).parents[1] / "tests" / "datasets" / "world"


def time_clips(*, size_px: int, num_frames: int, count: int) -> dict[str, object]:
    """Make up clips of different scenes.

    Args:
        size_px: Height and width.
        num_frames: Frames of each clip.
        count: How many clips, after one that is not timed.

    Returns:
        Frames in a second: of rendering alone, and of everything from seed to annotations.
    """
    world = World(num_frames=num_frames, size=Size(height=size_px, width=size_px))
    world.clip(0)
    start = process_time()
    for index in range(1, count + 1):
        world.clip(index)
    whole = process_time() - start
    specs = [world.draw(index) for index in range(1, count + 1)]
    start = process_time()
    for spec in specs:
        simulate(spec)
    physics = process_time() - start
    return {
        "size_px": size_px,
        "num_frames": num_frames,
        "clips": count,
        "frames_per_s": num_frames * count / whole,
        "physics_clips_per_s": count / physics,
    }


def measure_exactness() -> dict[str, object]:
    """Compare with MuJoCo's rays.

    Returns:
        Quantiles of relative depth errors and of angles between normals, and how often another
        part was found.
    """
    scenes, exactness = _tests_module("conftest"), _tests_module("test_exactness")
    depth, angle, wrong, total = [], [], 0, 0
    for split in ("train", "validation", "test"):
        for seed in range(100, 120):
            generator = np.random.default_rng(seed)
            looks = scenes.Looks(split=split)
            seen = scenes.look_at(scenes.draw_scene(looks, generator, num_frames=3))
            ours, theirs, known = exactness.compare(seen)
            wrong += int((ours[0] != theirs[0])[known].sum())
            total += int(known.sum())
            same = exactness.same_part(ours, theirs, known)
            depth.append(np.abs(ours[1] / theirs[1] - 1)[same])
            angle.append(exactness.degrees_between(ours[2], theirs[2])[same])
    depth, angle = np.concatenate(depth), np.concatenate(angle)
    return {
        "pixels": total,
        "wrong_parts": wrong,
        "depth_median": float(np.median(depth)),
        "depth_p999": float(np.quantile(depth, 0.999)),
        "depth_max": float(depth.max()),
        "normal_p999_deg": float(np.quantile(angle, 0.999)),
        "normal_max_deg": float(angle.max()),
    }


def _tests_module(name: str) -> object:
    """A module of the tests, which are no package."""
    spec = importlib.util.spec_from_file_location(name, TESTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="clips of each size")
    count = parser.parse_args().count
    rows = [
        time_clips(size_px=128, num_frames=1, count=3 * count),
        time_clips(size_px=128, num_frames=13, count=count),
        time_clips(size_px=256, num_frames=13, count=max(1, count // 4)),
    ]
    record("world", settings={"count": count, "exactness": measure_exactness()}, rows=rows)


if __name__ == "__main__":
    main()
