"""Surface normals as colour: red is right, green is up, blue faces the camera.

Camera space with x to the right, y up and z toward the camera; a component ``n`` is painted as
``(n + 1) / 2``, so that a wall facing the camera is light blue. Mid grey, the colour of the zero
vector, is kept for pixels without a surface.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.geometry import (
    ClipShape,
    Size,
    Window,
    clip_shape,
    crop_pixels,
    flip_pixels,
    resize_measured,
    to_levels,
)


def _lengths(vectors: Float32[np.ndarray, "t h w 3"]) -> Float32[np.ndarray, "t h w"]:
    """Length of each vector, in a tenth of the time of ``np.linalg.norm`` along an axis."""
    squares = vectors * vectors
    return np.sqrt(squares[..., 0] + squares[..., 1] + squares[..., 2])


def _unit(
    vectors: Float32[np.ndarray, "t h w 3"], lengths: Float32[np.ndarray, "t h w"]
) -> Float32[np.ndarray, "t h w 3"]:
    """Scale vectors of known length to length 1; those of next to none become 0."""
    scale = np.divide(np.float32(1), lengths, out=np.zeros_like(lengths), where=lengths > 1e-6)
    return vectors * scale[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Normals:
    """Surface normals in camera space.

    Attributes:
        vectors: Unit vectors (x right, y up, z toward the camera) where valid, to within 1 %.
        valid: True where there is a surface.
    """

    vectors: Float32[np.ndarray, "t h w 3"]
    valid: Bool[np.ndarray, "t h w"]

    def __post_init__(self) -> None:
        """Check shapes and lengths, and make the arrays read-only."""
        vectors = sealed(
            self.vectors, name="Normals.vectors", shape=("t", "h", "w", 3), dtype=np.float32
        )
        valid = sealed(self.valid, name="Normals.valid", shape=vectors.shape[:3], dtype=np.bool_)
        if not ((np.abs(_lengths(vectors) - 1) < 0.01) | ~valid).all():
            raise ValueError("Normals.vectors must have length 1 wherever they are valid")
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "valid", valid)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return clip_shape(self.vectors)

    def crop(self, window: Window) -> "Normals":
        """Cut the same window out of every frame."""
        return replace(
            self, vectors=crop_pixels(self.vectors, window), valid=crop_pixels(self.valid, window)
        )

    def flip(self) -> "Normals":
        """Mirror left to right: what pointed right points left."""
        vectors = flip_pixels(self.vectors).copy()
        np.negative(vectors[..., 0], out=vectors[..., 0])
        return replace(self, vectors=vectors, valid=flip_pixels(self.valid))

    def resize(self, size: Size) -> "Normals":
        """Interpolate between known normals and bring them back to length 1."""
        if size == self.shape.size:
            return self
        vectors, valid = resize_measured(self.vectors, self.valid, size)
        lengths = _lengths(vectors)
        # Opposite neighbours cancel: such a pixel has no normal of its own.
        return replace(self, vectors=_unit(vectors, lengths), valid=valid & (lengths > 1e-3))

    def take_frames(self, start: int, stop: int) -> "Normals":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(self, vectors=self.vectors[frames], valid=self.valid[frames])


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalCodec:
    """Paints normals as ``(n + 1) / 2`` and reads them back.

    Invariance: none. The picture holds all there is, so there is no key.

    Source:
        Ours (ADR 10); the colours are those in which the paper's pseudo labels (section B.1)
        are usually shown.
    """

    def paint(
        self, annotation: Normals, *, key: None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], None]:
        """Paint normals as colour.

        Args:
            annotation: What to paint.
            key: There is none.

        Returns:
            The picture, mid grey where there is no surface, and no key.
        """
        vectors = np.where(annotation.valid[..., None], annotation.vectors, np.float32(0))
        return to_levels((vectors + 1) * np.float32(127.5)), key

    def read(self, picture: UInt8[np.ndarray, "t h w 3"], *, key: None = None) -> Normals:
        """Read normals from colour.

        Args:
            picture: A painted clip.
            key: There is none.

        Returns:
            Unit vectors; not valid where the colour is closer to grey than to any direction.
        """
        del key
        vectors = picture.astype(np.float32) / np.float32(127.5) - 1
        lengths = _lengths(vectors)
        return Normals(vectors=_unit(vectors, lengths), valid=lengths > 0.5)
