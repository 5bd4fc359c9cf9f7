"""How fast the synthetic world is, and how exact.

    python benchmarks/world.py
    python benchmarks/world.py --device cuda

Speeds are frames or clips in a second of one core: CPU time of this process, which runs a single
thread. Every clip is a different scene, and all channels are computed. Exactness is the difference
between the renderer and MuJoCo's ray caster in double precision, on the scenes of the tests.

With ``--device cuda`` the same clips are rendered by one core and by a GPU in one run, in seconds
of the clock, and compared. Only the casting of rays moves to the GPU; physics, lens, development
and annotations stay with the core.
"""

import argparse
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from lavin_dit.datasets.world import World
from lavin_dit.datasets.world.packing import pack
from lavin_dit.datasets.world.physics import simulate
from lavin_dit.datasets.world.renderer import Device, Rendering, render
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


def compare_devices(*, size_px: int, num_frames: int, count: int) -> list[dict[str, object]]:
    """Render the same clips by one core and by a GPU.

    Args:
        size_px: Height and width.
        num_frames: Frames of each clip.
        count: How many clips.

    Returns:
        A row for each device: frames in a second of rendering alone, and of everything from seed to
        annotations; and how the GPU's clips differ from the core's.
    """
    rows: list[dict[str, object]] = []
    seen: dict[Device, list[Rendering]] = {}
    size = Size(height=size_px, width=size_px)
    devices: tuple[Device, ...] = ("cpu", "cuda")
    for device in devices:
        world = World(num_frames=num_frames, size=size, device=device)
        specs = [world.draw(index) for index in range(count)]
        scenes = [(pack(spec, simulate(spec), size=size), spec.optics) for spec in specs]
        start = perf_counter()
        seen[device] = [
            render(scene, size=size, optics=optics, device=device) for scene, optics in scenes
        ]
        rendering = perf_counter() - start
        start = perf_counter()
        for spec in specs:
            world.render(spec)
        whole = perf_counter() - start
        rows.append(
            {
                "size_px": size_px,
                "num_frames": num_frames,
                "clips": count,
                "device": device,
                "rendered_frames_per_s": num_frames * count / rendering,
                "frames_per_s": num_frames * count / whole,
                **differences(seen["cpu"], seen[device]),
            }
        )
    return rows


def differences(ours: Sequence[Rendering], theirs: Sequence[Rendering]) -> dict[str, float]:
    """How renderings of the same clips differ.

    Args:
        ours: One device's.
        theirs: Another's.

    Returns:
        How often another part was found, and quantiles of what differs where the same was.
    """
    wrong, depth, levels = [], [], []
    for one, other in zip(ours, theirs, strict=True):
        same = one.buffers.parts == other.buffers.parts
        hit = same & (one.buffers.depth > 0)
        wrong.append(~same.ravel())
        depth.append(np.abs(other.buffers.depth[hit] / one.buffers.depth[hit] - 1))
        levels.append(np.abs(other.rgb.astype(int) - one.rgb).max(axis=-1).ravel())
    return {
        "wrong_parts": float(np.concatenate(wrong).mean()),
        "depth_max": float(np.concatenate(depth).max()),
        "levels_p99": float(np.quantile(np.concatenate(levels), 0.99)),
        "levels_over_8": float((np.concatenate(levels) > 8).mean()),
    }


def compile_kernels(device: Device) -> None:
    """Have Numba compile everything that a clip takes; the CPU's part of it stays on disk."""
    world = World(num_frames=2, size=Size(height=32, width=32), device=device)
    for index in range(6):  # some are of people, whose joints take a kernel more
        world.clip(index)


def compile_for_both() -> float:
    """Compile for the CPU in another process meanwhile, which takes half a minute, as CUDA's does.

    Returns:
        Seconds.

    Raises:
        SystemExit: If Numba finds no CUDA device.
    """
    from numba import cuda

    if not cuda.is_available():
        raise SystemExit("Numba finds no CUDA device: there is nothing to compare a core with")
    start = perf_counter()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        on_cpu = pool.submit(compile_kernels, "cpu")
        compile_kernels("cuda")
        on_cpu.result()
    compile_kernels("cpu")
    return perf_counter() - start


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
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments = parser.parse_args()
    count = arguments.count
    if arguments.device == "cuda":
        settings = {"count": count, "compiling_s": compile_for_both()}
        rows: list[dict[str, object]] = []
        for size_px, num_frames, share in ((128, 1, 1), (128, 13, 4), (256, 13, 10)):
            rows += compare_devices(
                size_px=size_px, num_frames=num_frames, count=max(1, count // share)
            )
            record("world_cuda", settings=settings, rows=rows)
        return
    rows = [
        time_clips(size_px=128, num_frames=1, count=3 * count),
        time_clips(size_px=128, num_frames=13, count=count),
        time_clips(size_px=256, num_frames=13, count=max(1, count // 4)),
    ]
    record("world", settings={"count": count, "exactness": measure_exactness()}, rows=rows)


if __name__ == "__main__":
    main()
