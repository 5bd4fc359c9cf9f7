"""Which samples a protocol asks about, and which it shows as examples.

The rules are written down here and in the protocols, not drawn at run time: the same protocol on
the same data always asks about the same samples.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lavin_dit.data.order import permuted
from lavin_dit.datasets.source import Source, check_index
from lavin_dit.vision.sample import Sample

_MAX_BYTES = 1 << 30
_BYTES_PER_PIXEL = 40  # of a sample with every kind of annotation


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the samples of one episode come from.

    Attributes:
        source: The source of query and examples.
        query: Index of the query's sample.
        among: Indices that examples are drawn from; all of the source where None.
        group: Class that the episode is about; "" where that does not matter.
    """

    source: Source
    query: int
    among: range | None = None
    group: str = ""


Places: TypeAlias = Iterable[Place]
"""Places in the order in which a protocol asks; it takes the first that can be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbounded:
    """Places in a source that makes up its samples: the first ones are examples, the rest queries.

    Few samples serve as examples, so that each is made up, and encoded, once.

    Attributes:
        source: The source.
        num_examples: How many of its first samples serve as examples.
    """

    source: Source
    num_examples: int = 64

    def __iter__(self) -> Iterator[Place]:
        """One place for each further sample."""
        among = range(min(self.num_examples, len(self.source)))
        for index in range(len(among), len(self.source)):
            yield Place(source=self.source, query=index, among=among)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled:
    """Places in a source of finite size: every sample is a query in turn, in a fixed random order.

    After the last, it begins again: the same queries with other examples and, where a task spoils
    its inputs, spoilt in another way.

    Attributes:
        source: The source.
        queries: Indices of the queries; all where None.
        among: Indices of the examples; all where None.
        seed: Which order.
    """

    source: Source
    queries: range | None = None
    among: range | None = None
    seed: int = 0

    def __iter__(self) -> Iterator[Place]:
        """Endless, unless there is no query."""
        queries = range(len(self.source)) if self.queries is None else self.queries
        turn = 0
        while len(queries):
            for position in range(len(queries)):
                index = permuted(position, length=len(queries), seed=self.seed + turn)
                yield Place(source=self.source, query=queries[index], among=self.among)
            turn += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InOrder:
    """Places in a source of finite size, each sample once, in the source's order.

    Attributes:
        source: The source.
        queries: Indices of the queries; all where None.
        among: Indices of the examples; all where None.
    """

    source: Source
    queries: range | None = None
    among: range | None = None

    def __iter__(self) -> Iterator[Place]:
        """One place for each query."""
        queries = range(len(self.source)) if self.queries is None else self.queries
        for index in queries:
            yield Place(source=self.source, query=index, among=self.among)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByClass:
    """Places whose episodes are about one class each, the classes taking turns.

    Attributes:
        sources: The source of each class, by the class's name.
        num_examples: How many of a source's first samples serve as examples; None for all, where
            queries are examples of others, and queries begin again after the last, with other
            examples.
    """

    sources: Mapping[str, Source]
    num_examples: int | None = None

    def __iter__(self) -> Iterator[Place]:
        """One place for each query."""
        while True:
            yield from self._round()
            if self.num_examples is not None or not any(map(len, self.sources.values())):
                return

    def _round(self) -> Iterator[Place]:
        """Every query once; classes take turns as long as they have some."""
        waiting = OrderedDict(
            (group, iter(self._own(group, source))) for group, source in self.sources.items()
        )
        while waiting:
            for group in list(waiting):
                place = next(waiting[group], None)
                if place is None:
                    del waiting[group]
                else:
                    yield place

    def _own(self, group: str, source: Source) -> Iterator[Place]:
        """The places of one class."""
        among = None if self.num_examples is None else range(min(self.num_examples, len(source)))
        for index in range(0 if among is None else len(among), len(source)):
            yield Place(source=source, query=index, among=among, group=group)


class Subset:
    """Some samples of a source, as a source."""

    def __init__(self, source: Source, indices: Sequence[int]) -> None:
        """Choose.

        Args:
            source: The source.
            indices: Which of its samples, in order.
        """
        self._source = source
        self._indices = tuple(indices)
        self.name, self.split, self.kinds = source.name, source.split, source.kinds

    @property
    def skipped(self) -> Mapping[str, int]:
        """What the source left out."""
        return self._source.skipped

    def __len__(self) -> int:
        """Number of samples chosen."""
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        """Read a sample."""
        return self._source[self._indices[check_index(index, length=len(self))]]


class Joined:
    """Two sources of the same kinds as one: first all of the one, then all of the other."""

    def __init__(self, first: Source, second: Source) -> None:
        """Put them together.

        Args:
            first: Where examples come from.
            second: Where queries come from.

        Raises:
            ValueError: If they have different kinds of annotation.
        """
        if set(first.kinds) != set(second.kinds):
            raise ValueError(f"{first.name} has {first.kinds}, {second.name} has {second.kinds}")
        self._first, self._second = first, second
        self.name, self.kinds = second.name, second.kinds
        self.split = f"{first.split}+{second.split}"

    @property
    def first(self) -> range:
        """Indices of the first source's samples."""
        return range(len(self._first))

    @property
    def second(self) -> range:
        """Indices of the second source's samples."""
        return range(len(self._first), len(self))

    @property
    def skipped(self) -> Mapping[str, int]:
        """What both left out."""
        return {**self._first.skipped, **self._second.skipped}

    def __len__(self) -> int:
        """Number of samples of both."""
        return len(self._first) + len(self._second)

    def __getitem__(self, index: int) -> Sample:
        """Read a sample."""
        index = check_index(index, length=len(self))
        first = len(self._first)
        return self._first[index] if index < first else self._second[index - first]


class Remembering:
    """A source whose samples stay in memory, as many as fit into a gigabyte.

    For sources that make up their samples, which takes longer than keeping them.
    """

    def __init__(self, source: Source) -> None:
        """Begin with none.

        Args:
            source: The source.
        """
        self._source = source
        self._samples: OrderedDict[int, Sample] = OrderedDict()
        self.name, self.split, self.kinds = source.name, source.split, source.kinds

    @property
    def skipped(self) -> Mapping[str, int]:
        """What the source left out."""
        return self._source.skipped

    def __len__(self) -> int:
        """Number of samples."""
        return len(self._source)

    def __getitem__(self, index: int) -> Sample:
        """Read a sample, or remember it; one that cannot be used is tried again each time."""
        index = check_index(index, length=len(self))
        sample = self._samples.get(index)
        if sample is None:
            sample = self._source[index]
        self._samples[index] = sample
        self._samples.move_to_end(index)
        shape = sample.shape
        num_bytes = _BYTES_PER_PIXEL * shape.num_frames * shape.height * shape.width
        while len(self._samples) > max(1, _MAX_BYTES // num_bytes):
            self._samples.popitem(last=False)
        return sample
