"""Drawing episodes of one task from one source.

A sample that cannot be used, or that has nothing of what the task is about, is replaced by the
next draw and counted; the same generator state therefore always gives the same episode.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from lavin_dit.data.augment import Framing
from lavin_dit.data.recolouring import can_be_recoloured, draw_recolouring, recoloured
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.episode import Episode, check_num_pairs
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import AnyTask, NothingToPaintError, Pair


class NoEpisodeError(ValueError):
    """Too many samples of a source were rejected on the way to one episode."""


@runtime_checkable
class Narrowable(Protocol):
    """A source that can save itself the work of reading kinds that nobody needs."""

    def with_kinds(self, kinds: Sequence[type[object]]) -> Source:
        """The same samples with the given kinds of annotation alone."""
        ...


class EpisodeDrawer:
    """Draws episodes of one task from one source; holds no state, so it can be pickled anywhere.

    Attributes:
        task: What is shown.
        source: Where samples come from, narrowed to what the task needs.
        max_rejections: Most samples rejected for each one of an episode, on average.
        recolour: Share of episodes whose targets get other colours.
    """

    def __init__(
        self,
        task: AnyTask,
        source: Source,
        *,
        framing: Framing,
        max_rejections: int = 100,
        recolour: float = 0.0,
    ) -> None:
        """Check that the source has what the task needs.

        Args:
            task: What to show.
            source: Where to take samples from.
            framing: How samples come to the size of the episodes.
            max_rejections: Most samples rejected for each one of an episode, on average.
            recolour: Share of episodes whose targets get other colours, from 0 to 1; none, where
                targets are photos.

        Raises:
            ValueError: If the source lacks a kind of annotation, or has fewer than 2 samples.
        """
        check_task_fits(task, source)
        self.task = task
        self.source = _narrowed(source, task.needs)
        self.max_rejections = max_rejections
        self.recolour = recolour if can_be_recoloured(task) else 0.0
        self._framing = framing

    def episode(
        self,
        generator: np.random.Generator,
        *,
        num_pairs: int,
        query: int | None = None,
        among: range | None = None,
        rule_seed: Sequence[int] | None = None,
        skipped: Counter[str] | None = None,
    ) -> Episode:
        """Draw an episode.

        Args:
            generator: Source of all randomness.
            num_pairs: Number of context pairs, 1 to 8.
            query: Index of the query's sample; drawn where None. If it is rejected, another one
                takes its place.
            among: Indices that the others are drawn from; all of the source where None.
            rule_seed: Draws the episode's rule, which then doesn't hang on the number of pairs;
                from the generator where None.
            skipped: Counts the samples rejected on the way, by task, source and reason.

        Returns:
            The episode; no sample occurs in it twice. Where too few samples show the classes of an
            episode about few, it is about all.

        Raises:
            NoEpisodeError: If too many samples are rejected, or there are no more.
            ValueError: If the number of pairs is not 1 to 8.
        """
        check_num_pairs(num_pairs)
        draw = _Draw(
            drawer=self,
            task=self.task,
            generator=generator,
            pool=range(len(self.source)) if among is None else among,
            num_samples=num_pairs + 1,
            rule_seed=rule_seed,
            skipped=Counter() if skipped is None else skipped,
        )
        try:
            episode = draw.episode(num_pairs, query)
        except NoEpisodeError:
            if not draw.is_about_few_classes:
                raise
            episode = draw.about_all_classes().episode(num_pairs, query)
        if self.recolour and generator.random() < self.recolour:
            return recoloured(episode, draw_recolouring(generator))
        return episode

    def read(self, index: int, *, generator: np.random.Generator) -> Sample:
        """Read a sample and bring it to the length and size of this task's episodes.

        Args:
            index: Which sample.
            generator: Decides which frames and which window are taken.

        Returns:
            The sample with the annotations that the task needs and no others.

        Raises:
            UnusableSampleError: If it cannot be read, or has too few frames.
        """
        sample = self.source[index]
        needed = tuple(one for one in sample.annotations if type(one) in self.task.needs)
        sample = replace(sample, annotations=needed)
        spare = sample.shape.num_frames - self.task.num_frames
        if spare < 0:
            raise UnusableSampleError(sample.name, f"fewer than {self.task.num_frames} frames")
        if spare > 0:
            start = int(generator.integers(spare + 1))
            sample = sample.take_frames(start, start + self.task.num_frames)
        return self._framing(sample, generator=generator)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One episode on its way."""

    drawer: EpisodeDrawer
    task: AnyTask
    generator: np.random.Generator
    pool: range
    num_samples: int
    rule_seed: Sequence[int] | None
    skipped: Counter[str]
    used: set[int] = field(default_factory=set[int])
    rejected: Counter[str] = field(default_factory=Counter[str])

    @property
    def is_about_few_classes(self) -> bool:
        """Whether the task's episodes may be about few classes."""
        return bool(getattr(self.task, "few_classes", 0.0))

    def about_all_classes(self) -> "_Draw":
        """The same from its start, of a task whose episodes may be about few classes."""
        task: Any = self.task
        return replace(
            self, task=replace(task, few_classes=0.0), used=set[int](), rejected=Counter[str]()
        )

    def episode(self, num_pairs: int, query: int | None) -> Episode:
        """The context, and then the query."""
        if query is not None:
            self.used.add(query)
        samples, pairs, rule = self.context(num_pairs)
        sample, pair = self.query(query, rule=rule)
        return Episode(
            context=tuple(pairs),
            query=pair,
            rule=rule,
            task=self.task.name,
            source=self.drawer.source.name,
            context_names=tuple(member.name for member in samples),
            query_name=sample.name,
        )

    def context(self, num_pairs: int) -> tuple[list[Sample], list[Pair[Any]], object]:
        """The context's samples, their pairs and the rule; a rejected sample is replaced."""
        task = self.task
        samples = [self.sample() for _ in range(num_pairs)]
        rendered: dict[int, Pair[Any]] = {}
        while True:
            try:
                own = self.rule_seed
                generator = self.generator if own is None else np.random.default_rng(own)
                rule = task.draw_rule(samples, generator=generator)
                if rule is not None:  # it may follow from samples of which one is new
                    rendered.clear()
                for place, sample in enumerate(samples):
                    if place not in rendered:
                        rendered[place] = task.render(sample, rule=rule, generator=self.generator)
            except NothingToPaintError as error:
                self.reject(error)
                place = self._place_of(error.name, samples)
                samples[place] = self.sample()
                rendered.pop(place, None)
                continue
            return samples, [rendered[place] for place in range(num_pairs)], rule

    def query(self, index: int | None, *, rule: object) -> tuple[Sample, Pair[Any]]:
        """The query's sample and pair; a rejected sample is replaced."""
        while True:
            sample = self.sample(index)
            try:
                pair = self.task.render(sample, rule=rule, generator=self.generator)
            except NothingToPaintError as error:
                self.reject(error)
                index = None
                continue
            return sample, pair

    def sample(self, index: int | None = None) -> Sample:
        """The sample of an index or, if there is none or it is rejected, the next usable one."""
        while True:
            chosen = self._unused() if index is None else index
            index = None
            try:
                return self.drawer.read(chosen, generator=self.generator)
            except UnusableSampleError as error:
                self.reject(error)

    def reject(self, error: UnusableSampleError | NothingToPaintError) -> None:
        """Count a rejected sample, and give up after too many."""
        drawer = self.drawer
        self.rejected[error.reason] += 1
        self.skipped[f"{drawer.task.name} from {drawer.source.name}: {error.reason}"] += 1
        # Few classes are given up sooner, as there is something else to do.
        samples = 1 if self.is_about_few_classes else self.num_samples
        if self.rejected.total() > drawer.max_rejections * samples:
            raise self._failure()

    def _place_of(self, name: str, samples: Sequence[Sample]) -> int:
        """Whom to replace: the sample that was named, or any if the error names none of them."""
        for place, sample in enumerate(samples):
            if sample.name == name:
                return place
        return int(self.generator.integers(len(samples)))

    def _unused(self) -> int:
        """Draw an index that the episode has not used."""
        if self.used.issuperset(self.pool):
            raise self._failure()
        while True:
            index = self.pool[int(self.generator.integers(len(self.pool)))]
            if index not in self.used:
                self.used.add(index)
                return index

    def _failure(self) -> NoEpisodeError:
        """What to tell of an episode that could not be drawn."""
        task, source = self.drawer.task, self.drawer.source
        reasons = "; ".join(f"{count} x {why}" for why, count in self.rejected.most_common(3))
        return NoEpisodeError(
            f"{task.name} from {source.name}: no episode could be drawn from {len(self.pool)} "
            f"samples, {len(self.used)} of which were tried; rejected: {reasons or 'none'}"
        )


def check_task_fits(task: AnyTask, source: Source) -> None:
    """Check that samples of a source can show a task.

    Args:
        task: What to show.
        source: Where to take samples from.

    Raises:
        ValueError: If the source lacks a kind of annotation, or has fewer than 2 samples.
    """
    missing = [kind.__name__ for kind in task.needs if kind is not Rgb and kind not in source.kinds]
    if missing:
        have = ", ".join(kind.__name__ for kind in source.kinds) or "no annotation"
        raise ValueError(
            f"{task.name} needs {', '.join(missing)}, but {source.name} ({source.split}) has {have}"
        )
    if len(source) < 2:
        raise ValueError(
            f"an episode needs at least 2 samples, but {source.name} ({source.split}) has "
            f"{len(source)}"
        )


def _narrowed(source: Source, kinds: Sequence[type[object]]) -> Source:
    """The source without the kinds that are not needed, where it can do that."""
    if not isinstance(source, Narrowable):
        return source
    return source.with_kinds(tuple(kind for kind in source.kinds if kind in kinds))
