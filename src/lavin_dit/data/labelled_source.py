"""A source whose samples are labelled as they are read, and how a user says by what."""

import runpy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lavin_dit.data import networks
from lavin_dit.data.detections import BoxLabels
from lavin_dit.data.pseudo_labels import CannyEdges, Labeller, NoLabelError
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.sample import Sample

_NETWORKS = {
    "boxes": networks.nanodet_boxes,
    "depth": networks.depth_anything_v2,
    "foreground": networks.isnet_foreground,
    "pose": networks.movenet_pose,
}


def labeller_from_words(words: str) -> Labeller[Annotation]:
    """A labeller as users name it.

    Args:
        words: ``edges``; or ``boxes``, ``depth``, ``foreground`` or ``pose`` with the network's
            file after an equals sign; or ``program.py:name`` for one that a program makes.

    Returns:
        The labeller, with its usual settings.

    Raises:
        ValueError: If there is no such labeller.
        FileNotFoundError: If a file does not exist.
    """
    if words == "edges":
        return CannyEdges()
    if ".py:" in words:
        return _from_program(words)
    name, _, file = words.partition("=")
    if name not in _NETWORKS or not file:
        raise ValueError(
            f"labels are edges, {', '.join(f'{known}=FILE' for known in _NETWORKS)} or "
            f"PROGRAM.py:NAME, got {words!r}"
        )
    if not Path(file).is_file():
        raise FileNotFoundError(f"{file} does not exist; docs/data.md says how to get networks")
    return _NETWORKS[name](Path(file))


def _from_program(words: str) -> Labeller[Annotation]:
    """A labeller that a program of the user's makes."""
    path, _, attribute = words.rpartition(":")
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such program")
    found: Any = runpy.run_path(path).get(attribute)
    if not isinstance(found, Labeller):
        raise ValueError(f"{attribute} of {path} is no labeller: it needs kind, name and label")
    return found


class LabelledSource:
    """A source with pseudo labels; its name tells what made them.

    Labels are made whenever a sample is read: to train on them, write the source as shards.
    """

    def __init__(self, source: Source, labellers: Sequence[Labeller[Annotation]]) -> None:
        """Put labellers to a source.

        Args:
            source: Any source.
            labellers: At most one of each kind of annotation that the source lacks.

        Raises:
            ValueError: If a kind is there already, or classes would be numbered twice.
        """
        kinds = list(source.kinds)
        for labeller in labellers:
            if labeller.kind in kinds:
                raise ValueError(f"{source.name} has {labeller.kind.__name__} already")
            kinds.append(labeller.kind)
        own: Mapping[int, str] = getattr(source, "class_names", {})
        made = [labeller.class_names for labeller in labellers if isinstance(labeller, BoxLabels)]
        if own and made:
            raise ValueError(f"{source.name} numbers its classes otherwise than boxes by a network")
        self.name = " + ".join([source.name, *(labeller.name for labeller in labellers)])
        self.kinds: tuple[type[object], ...] = tuple(kinds)
        self.class_names = made[0] if made else own
        self._source, self._labellers = source, tuple(labellers)

    @property
    def split(self) -> str:
        """Which part of the data set this is."""
        return self._source.split

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many entries the index left out, by reason."""
        return self._source.skipped

    def __len__(self) -> int:
        """Number of samples, with those that labellers will have no answer for."""
        return len(self._source)

    def __getitem__(self, index: int) -> Sample:
        """Read and label one sample.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The sample with an annotation by each labeller.

        Raises:
            IndexError: If there is no such sample.
            UnusableSampleError: If it cannot be read, or a labeller has no answer.
        """
        sample = self._source[index]
        made: list[Annotation] = []
        for labeller in self._labellers:
            try:
                made.append(labeller.label(sample.rgb))
            except NoLabelError as error:
                raise UnusableSampleError(sample.name, f"{labeller.name}: {error}") from error
        return replace(sample, annotations=(*sample.annotations, *made))
