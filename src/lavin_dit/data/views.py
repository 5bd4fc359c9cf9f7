"""Samples and pairs as strips of a contact sheet: what is known, and what survives painting it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np

from lavin_dit.data.mixture import Mixture
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.contact_sheet import Cell, Strip
from lavin_dit.vision.geometry import ClipShape, Size, clip_shape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.results.by_kind import as_result, with_class_names
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import AnyTask, NothingToPaintError

_SIDE_PX, _CLIP_SIDE_PX = 256, 168
_NUM_PAIRS_SHOWN = 2  # of an episode's context


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How samples are brought before the eye.

    Attributes:
        max_side_px: Samples are shrunk so that their longer side is no longer than this; None
            gives images 256 and clips 168, so that three clips fit side by side.
        num_frames: Frames cut out of clips, at random; whole clips where None.
        degraded: Whether a target is treated as an autoencoder would before it is read.
        class_names: Names of classes, where known.
    """

    max_side_px: int | None
    num_frames: int | None
    degraded: bool
    class_names: Mapping[int, str]

    def __post_init__(self) -> None:
        """Check the size."""
        if self.max_side_px is not None and self.max_side_px < 16:
            raise ValueError(f"pictures need at least 16 pixels a side, got {self.max_side_px}")

    def read(
        self,
        source: Source,
        indices: Iterable[int],
        *,
        generator: np.random.Generator,
        skipped: Counter[str],
    ) -> Iterator[Sample]:
        """Read samples, passing over those that cannot be used.

        Args:
            source: Where to read.
            indices: Which samples.
            generator: Draws which frames of a clip are taken.
            skipped: Counts the samples passed over, by reason.

        Yields:
            The samples, cut and shrunk.
        """
        for index in indices:
            try:
                sample = self._cut(source[index], generator)
            except UnusableSampleError as error:
                skipped[error.reason] += 1
                continue
            side_px = self.max_side_px or (
                _CLIP_SIDE_PX if sample.shape.num_frames > 1 else _SIDE_PX
            )
            size = _shrunk(sample.shape.size, side_px)
            yield sample if size == sample.shape.size else sample.resize(size)

    def sample_strip(self, sample: Sample) -> Strip:
        """A sample and each of its annotations.

        Args:
            sample: What to show.

        Returns:
            The clip, and a drawing of each annotation.
        """
        cells = [Cell(caption="RGB", frames=sample.rgb.pixels)]
        for annotation in sample.annotations:
            result = as_result(annotation, class_names=self.class_names)
            cells.append(Cell(caption=type(annotation).__name__, frames=result.draw(sample.rgb)))
        return Strip(title=f"{sample.name} ({_shape_words(sample.shape)})", cells=tuple(cells))

    def pair_strip(
        self, task: AnyTask, sample: Sample, *, rule: object, generator: np.random.Generator
    ) -> Strip:
        """A sample as a task shows it, and what is read back from the target.

        Args:
            task: What to show.
            sample: A sample that suits it.
            rule: The episode's rule.
            generator: Source of the pair's own randomness.

        Returns:
            Query, target, and a drawing of the reading.

        Raises:
            NothingToPaintError: If the sample has nothing of what the task is about.
        """
        pair = task.render(sample, rule=rule, generator=generator)
        picture = degrade(pair.target, generator=generator) if self.degraded else pair.target
        result = with_class_names(task.read(picture, rule=rule, key=pair.key), self.class_names)
        drawn = result.draw(sample.rgb if result.annotation.shape == sample.shape else None)
        return Strip(
            title=f"{sample.name} ({_shape_words(sample.shape)})",
            cells=(
                Cell(caption="query", frames=pair.input),
                Cell(caption="target", frames=picture),
                Cell(caption="read back", frames=drawn),
            ),
        )

    def episode_strips(
        self,
        task: AnyTask,
        samples: Iterable[Sample],
        *,
        num: int,
        generator: np.random.Generator,
        skipped: Counter[str],
    ) -> list[Strip]:
        """Samples as pairs of one episode, all by one rule.

        Args:
            task: What to show.
            samples: Candidates; the first ones that can decide the rule.
            num: Number of pairs wanted.
            generator: Source of all randomness.
            skipped: Counts the samples that have nothing of what the task is about, by reason.

        Returns:
            As many strips as there are suitable samples, up to ``num``.
        """
        remaining = iter(samples)
        strips: list[Strip] = []
        while context := list(islice(remaining, num)):
            try:
                rule = task.draw_rule(context, generator=generator)
            except NothingToPaintError as error:
                skipped[error.reason] += len(context)
            else:
                break
        else:
            return strips
        for sample in chain(context, remaining):
            try:
                strips.append(self.pair_strip(task, sample, rule=rule, generator=generator))
            except NothingToPaintError as error:
                skipped[error.reason] += 1
            if len(strips) == num:
                break
        return strips

    def _cut(self, sample: Sample, generator: np.random.Generator) -> Sample:
        """A part of a clip, from where chance says."""
        if self.num_frames is None:
            return sample
        spare = sample.shape.num_frames - self.num_frames
        if spare < 0:
            raise UnusableSampleError(sample.name, f"fewer than {self.num_frames} frames")
        start = int(generator.integers(spare + 1))
        return sample.take_frames(start, start + self.num_frames)


def check_kinds_present(task: AnyTask, source: Source) -> None:
    """Check that samples of a source have what a task needs.

    Args:
        task: What to show.
        source: Where to take samples from.

    Raises:
        ValueError: If the source lacks a kind of annotation.
    """
    missing = [kind.__name__ for kind in task.needs if kind not in source.kinds]
    if missing:
        have = ", ".join(kind.__name__ for kind in source.kinds) or "no annotation"
        raise ValueError(
            f"{task.name} needs {', '.join(missing)}, but {source.name} ({source.split}) has {have}"
        )


def mixture_strip(mixture: Mixture, step: int) -> Strip:
    """The first episode of one of a mixture's batches.

    Args:
        mixture: The mixture.
        step: Which batch.

    Returns:
        The first context pairs, the query, its target, and a drawing of what is read back from it,
        unless targets have other colours than the task's.

    Raises:
        NoEpisodeError: If too many samples are rejected.
    """
    episode = mixture.episode(step, 0)
    task = next(
        entry.task
        for entry in mixture.entries
        if (entry.task.name, entry.source.name) == (episode.task, episode.source)
    )
    cells: list[Cell] = []
    for number, pair in enumerate(episode.context[:_NUM_PAIRS_SHOWN], start=1):
        cells.append(Cell(caption=f"input {number}", frames=pair.input))
        cells.append(Cell(caption=f"target {number}", frames=pair.target))
    query = episode.query
    cells.append(Cell(caption="query", frames=query.input))
    cells.append(Cell(caption="target", frames=query.target))
    if not episode.is_recoloured:
        result = task.read(query.target, rule=episode.rule, key=query.key)
        fits = result.annotation.shape == clip_shape(query.input)
        drawn = result.draw(Rgb(pixels=query.input) if fits else None)
        cells.append(Cell(caption="read back", frames=drawn))
    title = f"batch {step}: {episode.task} on {episode.source}, {episode.num_pairs} pairs"
    return Strip(title=title, cells=tuple(cells))


def class_names_of(source: Source) -> Mapping[int, str]:
    """The names of a source's classes by number; none where it has no classes."""
    return getattr(source, "class_names", {})


def scene_for(task: AnyTask, size: Size, *, generator: np.random.Generator) -> Sample:
    """A random scene that suits a task: one object for single object detection, few for boxes.

    Args:
        task: What it is to show.
        size: Height and width.
        generator: Source of all randomness.

    Returns:
        The scene.
    """
    alone = task.name == "single_object_detection"
    crowded = Boxes in task.needs or Panoptic in task.needs
    scene = random_scene(
        ClipShape(num_frames=task.num_frames, height=size.height, width=size.width),
        generator=generator,
        num_things=1 if alone else 7 if crowded else 12,
    )
    if Keypoints not in task.needs:
        return scene
    # The figures of a random scene are not in its picture: draw them, so that it makes sense.
    pixels = as_result(scene[Keypoints], class_names={}).draw(scene.rgb)
    return replace(scene, rgb=Rgb(pixels=pixels))


def _shrunk(size: Size, max_side_px: int) -> Size:
    """A size of the same aspect whose longer side is short enough."""
    scale = min(1.0, max_side_px / max(size.height, size.width))
    return Size(height=max(1, round(size.height * scale)), width=max(1, round(size.width * scale)))


def _shape_words(shape: ClipShape) -> str:
    """Width and height, and the frames of a clip."""
    frames = f", {shape.num_frames} frames" if shape.num_frames > 1 else ""
    return f"{shape.width} x {shape.height}{frames}"
