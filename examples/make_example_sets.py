"""Make the examples that ship with the package, in ``src/lavin_dit/examples/``.

Run ``python examples/make_example_sets.py --photos PHOTOS --clips CLIPS`` with folders that
``lavin prepare photos`` and ``lavin prepare clips`` made. The same files and seed give the same
examples; rerun it whenever a task paints differently. Nothing comes from a split that trains, and
photos and films come in only under CC0, CC-BY, CC-BY-SA or as public domain. Who is to be named
stands in the ``LICENCES.md`` that is written beside the sets.
"""

import argparse
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from lavin_dit.data.augment import CentralFraming
from lavin_dit.data.episodes import EpisodeDrawer
from lavin_dit.datasets.clips import Clips
from lavin_dit.datasets.photos import Photos
from lavin_dit.datasets.real.manifest import Entry
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.datasets.world.classes import CLASS_NAMES
from lavin_dit.datasets.world.world import World
from lavin_dit.pipeline.example_sets import (
    EXAMPLES,
    Example,
    ExampleSet,
    Provenance,
    save_examples,
)
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import AnyTask, NothingToPaintError, discover_tasks

NUM_IMAGE_PAIRS, NUM_IMAGE_QUERIES = 8, 2
NUM_CLIP_PAIRS, NUM_CLIP_QUERIES = 4, 1
LEAST_SIDE_PX = 360  # photos below are single things on a plain ground
CLIP_STRIDE = 2  # films run at 24 or 25 frames a second, the synthetic world at 12
LEAST_MOTION = 8.0  # levels between first and last frame, so that there is something to predict
MOST_TRIED = 4000
LEAST_SHARE = 0.03  # of a picture that the one thing of a class covers
FREE_LICENCE = re.compile(r"(cc0|public-domain|cc-by-\d|cc-by-sa-\d)[\w.-]*", re.IGNORECASE)
WORLD_LICENCE = "Apache-2.0"
WORLD_ATTRIBUTION = "the LaVin-DiT project's synthetic world"

# The one class that an episode of a task without trained classes is about.
ABOUT = {"foreground_segmentation": "chair", "single_object_detection": "duck"}


def settings_for(name: str, side_px: int) -> Mapping[str, Any]:
    """What differs from a task's defaults, so that the examples suit anybody's own picture.

    Args:
        name: Name of the task.
        side_px: Side of the pictures.
    """
    match name:
        case "object_detection":  # a user's classes are not those of the world
            return {"by_class": 0.0}
        case "inpainting":  # the paper's hole
            return {"kinds": ("square",), "levels": (0,)}
        case "pose_estimation" | "pose_to_image":
            return {"least_extent_px": max(24.0, side_px / 3)}
        case _:
            return {}


class OneClass:
    """Scenes of the synthetic world that show one thing of a class, and what is known of it."""

    name = "world"
    kinds = (Mask, Boxes)
    skipped: Mapping[str, int] = MappingProxyType({})

    def __init__(self, world: World, wanted: str) -> None:
        """Choose the class by its name."""
        self.split = world.split
        self._world = world
        self._wanted = CLASS_NAMES.index(wanted)

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self._world)

    def __getitem__(self, index: int) -> Sample:
        """A scene with the mask and the box of the one thing.

        Raises:
            UnusableSampleError: If there is not exactly one, or it is small.
        """
        sample = self._world[index]
        segments, boxes = sample[Panoptic], sample[Boxes]
        (numbers,) = np.nonzero(segments.classes == self._wanted)
        (places,) = np.nonzero(boxes.classes == self._wanted)
        mask = np.isin(segments.ids, numbers + 1)
        if len(places) != 1 or mask.mean() < LEAST_SHARE:
            raise UnusableSampleError(sample.name, "not exactly one large thing of the class")
        box = replace(
            boxes,
            corners_px=boxes.corners_px[:, places],
            present=boxes.present[:, places],
            classes=boxes.classes[places],
        )
        return replace(sample, annotations=(Mask(foreground=mask), box))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Samples of one split of a source.

    Attributes:
        source: Where they come from.
        terms: Licence and attribution of the sample of an index.
    """

    source: Source
    terms: Callable[[int], tuple[str, str]]

    def samples(
        self, task: AnyTask, size: Size, generator: np.random.Generator
    ) -> Iterator[tuple[Sample, Provenance]]:
        """Samples for a task at the size of the examples, in a drawn order."""
        drawer = EpisodeDrawer(task, self.source, framing=CentralFraming(size=size))
        for index in generator.permutation(min(len(self.source), MOST_TRIED)).tolist():
            try:
                sample = drawer.read(index, generator=generator)
            except UnusableSampleError:
                continue
            if task.name == "frame_prediction" and _motion(sample) < LEAST_MOTION:
                continue
            licence, attribution = self.terms(index)
            yield (
                sample,
                Provenance(
                    source=self.source.name,
                    split=self.source.split,
                    sample=sample.name,
                    licence=licence,
                    attribution=attribution,
                ),
            )


def world_pool(task: AnyTask, size: Size) -> Pool:
    """Scenes and clips of the synthetic world that training never draws."""
    world = World(split="test", num_frames=task.num_frames, size=size)
    about = ABOUT.get(task.name)
    source = world if about is None else OneClass(world, about)
    return Pool(source=source, terms=lambda _: (WORLD_LICENCE, WORLD_ATTRIBUTION))


def photo_pool(folder: Path, split: str) -> Pool:
    """Photos under a free licence that are large enough to show a whole scene."""
    photos = Photos(folder, split=split)
    photos.entries = [
        entry
        for entry in photos.entries
        if is_free(entry) and min(entry.height, entry.width) >= LEAST_SIDE_PX
    ]
    return Pool(source=photos, terms=lambda index: terms_of(photos.entries[index]))


def clip_pool(folder: Path, split: str, *, num_frames: int) -> Pool:
    """Clips of films under a free licence."""
    clips = Clips(folder, split=split, num_frames=num_frames, stride=CLIP_STRIDE)
    clips.clips = [(shot, first) for shot, first in clips.clips if is_free(shot)]
    return Pool(source=clips, terms=lambda index: terms_of(clips.clips[index][0]))


def is_free(entry: Entry) -> bool:
    """Whether a file's licence lets us ship it with its author's name."""
    return FREE_LICENCE.fullmatch(entry.licence) is not None


def terms_of(entry: Entry) -> tuple[str, str]:
    """Licence and attribution of a file."""
    return entry.licence, f"{entry.attribution} (in {entry.package}: {entry.member})"


def make_examples(
    task: AnyTask, *, context: Pool, queries: Pool, size: Size, seed: Sequence[int]
) -> ExampleSet:
    """Draw the examples of a task; queries come from another pool, or from the same one's rest."""
    generator = np.random.default_rng(seed)
    num_pairs = NUM_IMAGE_PAIRS if task.num_frames == 1 else NUM_CLIP_PAIRS
    num_queries = NUM_IMAGE_QUERIES if task.num_frames == 1 else NUM_CLIP_QUERIES
    candidates = context.samples(task, size, generator)
    rest = candidates if queries is context else queries.samples(task, size, generator)
    # The rule is drawn from samples that all can be painted by it.
    drawn = [next(candidates) for _ in range(num_pairs)]
    rule = task.draw_rule([sample for sample, _ in drawn], generator=generator)
    pairs = _render(task, chain(drawn, candidates), rule, num_pairs, "pair", generator)
    asked = _render(task, rest, rule, num_queries, "query", generator)
    return ExampleSet(
        task=task, rule=rule, class_names=_class_names(task, context), context=pairs, queries=asked
    )


def _render(
    task: AnyTask,
    samples: Iterator[tuple[Sample, Provenance]],
    rule: object,
    num: int,
    name: str,
    generator: np.random.Generator,
) -> tuple[Example, ...]:
    """The first samples that the task can show."""
    examples: list[Example] = []
    for sample, provenance in samples:
        try:
            pair = task.render(sample, rule=rule, generator=generator)
        except NothingToPaintError:
            continue
        number = len(examples) + 1
        examples.append(
            Example(
                name=f"{name}_{number}",
                input=pair.input,
                target=pair.target,
                key=pair.key,
                provenance=provenance,
            )
        )
        if number == num:
            return tuple(examples)
    raise ValueError(f"{task.name}: only {len(examples)} of {num} examples could be made")


def _class_names(task: AnyTask, pool: Pool) -> Mapping[int, str]:
    """Names of the classes of a source, where the task tells of any."""
    if not {Boxes, Panoptic} & set(task.needs) or task.held_out:
        return {}
    names: Mapping[int, str] = getattr(pool.source, "class_names", {})
    return dict(names)


def _motion(sample: Sample) -> float:
    """Mean difference between the first and the last frame, in levels."""
    pixels = sample.rgb.pixels.astype(np.float32)
    return float(np.abs(pixels[-1] - pixels[0]).mean())


def pools_for(task: AnyTask, *, size: Size, photos: Path, clips: Path) -> tuple[Pool, Pool]:
    """Where context and queries of a task come from."""
    if task.needs:
        pool = world_pool(task, size)
        return pool, pool
    if task.num_frames == 1:
        return photo_pool(photos, "validation"), photo_pool(photos, "test")
    num_frames = task.num_frames
    return (
        clip_pool(clips, "validation", num_frames=num_frames),
        clip_pool(clips, "test", num_frames=num_frames),
    )


def licence_page(sets: Sequence[ExampleSet]) -> str:
    """Who is to be named for which picture, as a page."""
    lines = [
        "# Licences of the example pictures",
        "",
        "Pictures were cut to squares, made smaller, and changed or annotated as their task says.",
        f"All that is not listed comes from {WORLD_ATTRIBUTION} and is under {WORLD_LICENCE}.",
        "",
        "| licence | attribution | pictures |",
        "|---|---|---|",
    ]
    used: dict[tuple[str, str], list[str]] = {}
    for examples in sets:
        for example in (*examples.context, *examples.queries):
            own = example.provenance
            if own.source != "world":
                where = f"{examples.task.name}/{example.name}"
                places = used.setdefault((own.licence, own.attribution), [])
                places += [where] if where not in places else []  # at another size
    for (licence, attribution), places in sorted(used.items()):
        lines.append(f"| {licence} | {attribution.replace('|', '/')} | {', '.join(places)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make all sets anew, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=EXAMPLES)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128], help="in pixels")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sets: list[ExampleSet] = []
    total = 0
    for side in options.sides:
        size = Size(height=side, width=side)
        folder = options.out / str(side)
        shutil.rmtree(folder, ignore_errors=True)
        for number, (name, usual) in enumerate(discover_tasks().items()):
            record: Any = usual
            task: AnyTask = replace(record, **settings_for(name, side))
            context, queries = pools_for(
                task, size=size, photos=options.photos, clips=options.clips
            )
            made = make_examples(
                task, context=context, queries=queries, size=size, seed=(options.seed, number)
            )
            written = save_examples(made, folder)
            sets.append(made)
            total += written
            counts = f"{len(made.context)} pairs, {len(made.queries)} queries"
            print(f"{side} {name}: {counts}, {written:,} bytes")
    (options.out / "LICENCES.md").write_text(licence_page(sets), encoding="utf-8")
    print(f"{options.out}: {len(sets)} sets, {total:,} bytes")


if __name__ == "__main__":
    main()
