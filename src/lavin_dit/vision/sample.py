"""A clip and everything that is known about it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, Size, Window

KindType = TypeVar("KindType")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One clip with its annotations; an image is a clip of one frame.

    Cropping, flipping, resizing and cutting move the clip and all annotations together, and
    return a new sample.

    Attributes:
        rgb: The clip.
        annotations: At most one annotation of each kind, all of the clip's shape.
        name: Where it comes from, unique within its source; for error messages and score files.
    """

    rgb: Rgb
    annotations: tuple[Annotation, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        """Check that all annotations describe this clip, and no kind occurs twice."""
        kinds: set[type[object]] = {Rgb}
        for annotation in self.annotations:
            kind = type(annotation)
            if kind in kinds:
                raise ValueError(
                    f"sample {self.name!r} has two annotations of kind {kind.__name__}"
                )
            kinds.add(kind)
            if annotation.shape != self.shape:
                raise ValueError(
                    f"{kind.__name__} of sample {self.name!r} describes {annotation.shape}, but "
                    f"the clip is {self.shape}"
                )

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return self.rgb.shape

    @property
    def kinds(self) -> tuple[type[object], ...]:
        """The kinds of annotation that it has."""
        return tuple(type(annotation) for annotation in self.annotations)

    def __contains__(self, kind: type[object]) -> bool:
        """Whether it has an annotation of a kind, as in ``Depth in sample``."""
        return kind is Rgb or kind in self.kinds

    def __getitem__(self, kind: type[KindType]) -> KindType:
        """The annotation of a kind, as in ``sample[Depth]``.

        Args:
            kind: Its class.

        Returns:
            The annotation.

        Raises:
            KeyError: If the sample has none of that kind; the message names those that it has.
        """
        for annotation in (self.rgb, *self.annotations):
            if isinstance(annotation, kind):
                return annotation
        have = ", ".join(other.__name__ for other in self.kinds) or "no annotation"
        raise KeyError(f"sample {self.name!r} has no {kind.__name__}; it has {have}")

    def crop(self, window: Window) -> "Sample":
        """Cut the same window out of every frame."""
        return self._moved(lambda annotation: annotation.crop(window))

    def flip(self) -> "Sample":
        """Mirror left to right."""
        return self._moved(lambda annotation: annotation.flip())

    def resize(self, size: Size) -> "Sample":
        """Resample to another size; the content is stretched to fill it."""
        return self._moved(lambda annotation: annotation.resize(size))

    def take_frames(self, start: int, stop: int) -> "Sample":
        """Keep the frames from start up to, not including, stop."""
        return self._moved(lambda annotation: annotation.take_frames(start, stop))

    def _moved(self, move: Callable[[Annotation], Annotation]) -> "Sample":
        """The same operation on the clip and on every annotation."""
        rgb = move(self.rgb)
        assert isinstance(rgb, Rgb)
        return replace(self, rgb=rgb, annotations=tuple(map(move, self.annotations)))
