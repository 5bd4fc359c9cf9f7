"""The interfaces that every annotation kind fulfils, and what their records have in common.

A *codec* paints an annotation as an RGB clip and reads such a clip back. Painting also returns a
*key*: the few numbers that the picture cannot hold (the depth of white, the largest motion). A
picture that a network painted comes without its key; each codec says what can be read then.
"""

import dataclasses
from collections.abc import Mapping
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Shaped, UInt8

from lavin_dit.vision.geometry import ClipShape, Size, Window

KeyType = TypeVar("KeyType")
AnnotationType = TypeVar("AnnotationType", bound="Annotation")
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@runtime_checkable
class Annotation(Protocol):
    """One kind of annotation of one clip, in native units; an image is a clip of one frame.

    Records are immutable: every operation returns a new record, and their arrays are read-only.
    """

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width of the clip that is annotated."""
        ...

    def crop(self: AnnotationType, window: Window) -> AnnotationType:
        """Cut the same window out of every frame."""
        ...

    def flip(self: AnnotationType) -> AnnotationType:
        """Mirror left to right; flipping twice gives the annotation back."""
        ...

    def resize(self: AnnotationType, size: Size) -> AnnotationType:
        """Resample to another size; the clip's content is stretched to fill it."""
        ...

    def take_frames(self: AnnotationType, start: int, stop: int) -> AnnotationType:
        """Keep the frames from start up to, not including, stop."""
        ...


class Codec(Protocol[AnnotationType, KeyType]):
    """Paints one kind of annotation as RGB clips and reads them back.

    The law that binds the two: reading a painted clip after an autoencoder's treatment of colours
    (:func:`~lavin_dit.vision.codecs.degradation.degrade`) gives the annotation back, as far as
    8 bits and the invariance that the codec declares allow.
    """

    def paint(
        self, annotation: AnnotationType, *, key: KeyType | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], KeyType]:
        """Paint an annotation; with a key, paint it the way that key says."""
        ...

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, key: KeyType | None = None
    ) -> AnnotationType:
        """Read a painted clip; without its key, up to the invariance that the codec declares."""
        ...


def sealed(
    array: Shaped[np.ndarray, "..."],
    *,
    name: str,
    shape: tuple[int | str, ...],
    dtype: type[np.generic],
) -> Shaped[np.ndarray, "..."]:
    """A read-only view of an array whose shape and type have been checked.

    Args:
        array: What a record was given.
        name: Record and field, for the error.
        shape: What is expected along each axis: a number, or a letter for any length above 0; the
            letter n, a number of things, may also be 0.
        dtype: What its elements must be.

    Returns:
        A view of the same memory that cannot be written through.

    Raises:
        ValueError: If number of axes, lengths or type differ, or a lettered axis is empty.
    """
    fits = array.ndim == len(shape) and all(
        length == want if isinstance(want, int) else length > 0 or want == "n"
        for length, want in zip(array.shape, shape, strict=False)
    )
    if not fits or array.dtype != dtype:
        wanted = ", ".join(map(str, shape))
        raise ValueError(
            f"{name} must be {np.dtype(dtype)} of shape ({wanted}), got {array.dtype} of shape "
            f"{array.shape}"
        )
    view = array.view()
    view.flags.writeable = False
    return view


def check_frames(start: int, stop: int, *, num_frames: int) -> slice:
    """The slice of frames from start up to stop, or an error that says why there is none.

    Args:
        start: First frame kept.
        stop: First frame after those kept.
        num_frames: Number of frames that there are.

    Returns:
        The slice.

    Raises:
        ValueError: If the range is empty or leaves the clip.
    """
    if not 0 <= start < stop <= num_frames:
        raise ValueError(f"frames {start} to {stop} are not a part of a clip of {num_frames}")
    return slice(start, stop)


def key_to_json(key: object) -> dict[str, Json]:
    """A reading key as plain JSON values.

    Args:
        key: A key that a codec's ``paint`` returned.

    Returns:
        Its fields; tuples become lists.

    Raises:
        TypeError: If it is not a dataclass record.
    """
    if not dataclasses.is_dataclass(key) or isinstance(key, type):
        raise TypeError(f"a reading key is a dataclass record, got {key!r}")
    fields = dataclasses.asdict(key)
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
    }


def key_from_json(kind: type[KeyType], fields: Mapping[str, Json]) -> KeyType:
    """A reading key from what :func:`key_to_json` made of it.

    Args:
        kind: Which key it is, such as ``DepthKey``.
        fields: Its fields.

    Returns:
        The key, equal to the one that was written.
    """
    return kind(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
    )
