"""What every source of samples has in common, and what it does with data that cannot be used.

The policy is the same for all sources:

* A *file or folder of the layout* that is missing stops the constructor with
  :class:`~lavin_dit.datasets.layout.LayoutError`, which says what was expected where.
* A *defect that the index shows* (a box without area, an image that has none of the annotations
  asked for, a listed file that is not there) is left out when the source is constructed, and
  counted by reason in ``skipped``.
* A *defect that only reading shows* (a corrupt picture, annotations of another size, depth that is
  nowhere finite, a clip shorter than asked for) is refused with :class:`UnusableSampleError`;
  :func:`usable_samples` passes over such samples and counts them. Any other exception is a bug.

So a sample that arrives is right, and what did not arrive can be counted.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from lavin_dit.vision.sample import Sample

_log = logging.getLogger(__name__)


class UnusableSampleError(ValueError):
    """One sample of a source cannot be used; the others can.

    Attributes:
        name: The sample's name within its source.
        reason: What is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        """Say which sample cannot be used, and why."""
        # Both are given on, so that the error survives the way out of a worker process.
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        """One line for a log."""
        return f"sample {self.name!r} cannot be used: {self.reason}"


@runtime_checkable
class Source(Protocol):
    """An indexed collection of samples; constructed as ``Coco(root, split="train")``.

    Constructing reads an index but opens no picture, reading a sample changes nothing, and the
    same index always gives the same sample. A source can be pickled into worker processes.
    """

    @property
    def name(self) -> str:
        """Name of the data set: that of its module, such as ``coco``."""
        ...

    @property
    def split(self) -> str:
        """Which part of the data set this is, such as ``train``."""
        ...

    @property
    def kinds(self) -> tuple[type[object], ...]:
        """The kinds of annotation that each of its samples has, such as ``(Boxes, Panoptic)``."""
        ...

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many entries the index left out, by reason."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """Read one sample.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The clip with an annotation of each kind in ``kinds``.

        Raises:
            IndexError: If there is no such sample.
            UnusableSampleError: If its files are corrupt or say nothing.
        """
        ...


def check_index(index: int, *, length: int) -> int:
    """An index that exists; negative ones count from the end.

    Args:
        index: What was asked for.
        length: Number of samples that there are.

    Returns:
        The index, from 0 on.

    Raises:
        IndexError: If there is no such sample.
    """
    if not -length <= index < length:
        raise IndexError(f"there is no sample {index} in a source of {length}")
    return index % length


def usable_samples(
    source: Source, indices: Iterable[int], *, skipped: Counter[str]
) -> Iterator[Sample]:
    """Read samples one after the other, passing over those that cannot be used.

    Args:
        source: Where to read.
        indices: Which samples.
        skipped: Counts the samples passed over, by reason; each is logged as a warning.

    Yields:
        The samples that can be used.
    """
    for index in indices:
        try:
            sample = source[index]
        except UnusableSampleError as error:
            skipped[error.reason] += 1
            _log.warning("%s (%s): %s", source.name, source.split, error)
            continue
        yield sample
