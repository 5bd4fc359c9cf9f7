"""Episodes per second that the loader delivers from shards.

Writes synthetic pictures as shards into a temporary folder, and loads episodes of 4 pairs and a
query (9 clips given, and the target of the query) with worker processes. Remake with::

    PYTHONPATH=src:benchmarks python benchmarks/loader.py
"""

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import ClassVar

import numpy as np

from lavin_dit.data.augment import RandomFraming
from lavin_dit.data.loader import EpisodeLoader, Workers
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.sample_members import PictureEncoding
from lavin_dit.data.shard_source import ShardSource
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, Size, resize_linear, to_levels
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import find_task
from record import record

NUM_PAIRS = 4
KINDS = (Depth, Normals, Instances)
TASKS = (
    "colorization",
    "inpainting",
    "depth_estimation",
    "depth_to_image",
    "surface_normal_estimation",
    "instance_segmentation",
)


class SyntheticPictures:
    """Random scenes under smooth noise, so that pictures compress about like photos."""

    name = "synthetic_pictures"
    split = "train"
    kinds = KINDS
    skipped: ClassVar[dict[str, int]] = {}

    def __init__(self, length: int, side: int) -> None:
        """Draw nothing yet."""
        self._length = length
        self._shape = ClipShape(num_frames=1, height=side, width=side)

    def __len__(self) -> int:
        """Number of pictures."""
        return self._length

    def __getitem__(self, index: int) -> Sample:
        """Draw one."""
        generator = np.random.default_rng(index)
        scene = random_scene(self._shape, generator=generator, num_things=8)
        size = self._shape.size
        coarse = generator.normal(0, 25, (1, size.height // 4, size.width // 4, 3))
        noise = resize_linear(coarse.astype(np.float32), size)
        pixels = to_levels(scene.rgb.pixels.astype(np.float32) + noise)
        return Sample(
            rgb=Rgb(pixels=pixels),
            annotations=tuple(scene[kind] for kind in KINDS),
            name=f"{index}",
        )


def measure(folder: Path, tasks: list[str], options: argparse.Namespace) -> dict:
    """Time batches after the workers have started."""
    source = ShardSource(folder)
    framing = RandomFraming(size=Size(height=options.size, width=options.size))
    settings = BatchSettings(
        batch_size=options.batch_size, framing=framing, min_pairs=NUM_PAIRS, max_pairs=NUM_PAIRS
    )
    entries = [MixtureEntry(task=find_task(name), source=source) for name in tasks]
    mixture = Mixture(entries, settings=settings, seed=0)
    loader = EpisodeLoader(mixture, workers=Workers(count=options.workers, prefetch=4))
    # What was made ahead while nothing was timed must not count: measure well beyond it.
    batches = iter(loader)
    for _ in range(8 * max(options.workers, 1)):
        next(batches)
    rates = []
    for _ in range(options.repeats):
        start = perf_counter()
        for _ in range(options.batches):
            next(batches)
        rates.append(options.batches * options.batch_size / (perf_counter() - start))
    batches.close()
    start = process_time()
    for step in range(4):
        mixture.batch(step)
    cpu_s = process_time() - start
    return {
        "tasks": tasks[0] if len(tasks) == 1 else "all of these",
        "workers": options.workers,
        "median_episodes_per_s": median(rates),
        "min_episodes_per_s": min(rates),
        "max_episodes_per_s": max(rates),
        "cpu_ms_per_episode": 1000 * cpu_s / (4 * options.batch_size),
        "load_average": os.getloadavg()[0],
    }


def main() -> None:
    """Write shards and load from them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--stored-side", type=int, default=160, help="side of stored pictures")
    parser.add_argument("--size", type=int, default=128, help="side of an episode's clips")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batches", type=int, default=20, help="batches per repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        start = perf_counter()
        report = prepare_shards(
            SyntheticPictures(options.samples, options.stored_side),
            folder,
            settings=ShardSettings(samples_per_shard=200, pictures=PictureEncoding(format="jpg")),
            workers=options.workers,
        )
        seconds = perf_counter() - start
        size = sum(path.stat().st_size for path in folder.glob("*.tar"))
        rows = [measure(folder, [name], options) for name in options.tasks]
        if len(options.tasks) > 1:
            rows.append(measure(folder, options.tasks, options))
    record(
        "loader",
        settings={
            "stored_side_px": options.stored_side,
            "size_px": options.size,
            "num_pairs": NUM_PAIRS,
            "clips_per_episode": "9 given, 1 to be painted",
            "batch_size": options.batch_size,
            "samples": report.num_samples,
            "kilobytes_per_sample": size / report.num_samples / 1000,
            "prepared_samples_per_s": report.num_samples / seconds,
            "cores": os.cpu_count(),
            "note": "load_average counts whatever ran; this program alone makes it about 2.5. "
            "cpu_ms_per_episode is of one process and does not depend on what else ran",
        },
        rows=rows,
    )


if __name__ == "__main__":
    main()
