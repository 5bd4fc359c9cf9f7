"""Pseudo labels: annotations that a detector or a network makes of clips that have none.

A labeller takes a clip and gives one annotation. Those of depth, normals and foreground are made
of any function from a frame to numbers per pixel: a network in an ONNX file, or whatever a user
has, such as Depth Anything V2 or StableNormal run by their own code on local weights. Those of
boxes and poses are in ``detections.py``.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.datasets.real.opencv import cv2
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.sample import Sample

_log = logging.getLogger(__name__)

LabelType_co = TypeVar("LabelType_co", bound=Annotation, covariant=True)
PixelFunction: TypeAlias = Callable[[UInt8[np.ndarray, "h w 3"]], Float32[np.ndarray, "h w c"]]
# A depth that is known up to scale and shift spans these metres, as when a picture is read.
_NEAR_M, _FAR_M = 1.0, 10.0


class NoLabelError(ValueError):
    """A labeller has no answer that is worth learning from."""


@runtime_checkable
class Labeller(Protocol[LabelType_co]):
    """Makes one kind of annotation."""

    @property
    def kind(self) -> type[LabelType_co]:
        """The kind."""
        ...

    @property
    def name(self) -> str:
        """What made the labels, for the record of a data set."""
        ...

    def label(self, clip: Rgb) -> LabelType_co:
        """Label a clip.

        Args:
            clip: Any clip; an image is a clip of one frame.

        Returns:
            An annotation of the clip's shape.

        Raises:
            NoLabelError: If it has no answer that is worth learning from.
        """
        ...


def with_labels(
    sample: Sample, labellers: Sequence[Labeller[Annotation]], *, refused: Counter[str]
) -> Sample:
    """A sample with pseudo labels added to its annotations.

    Args:
        sample: Any sample. Kinds that it has already are left as they are: what was measured is
            worth more than what was guessed.
        labellers: What labels it.
        refused: Counts the labellers that had no answer, by name and reason; each is logged.

    Returns:
        The sample with more annotations.
    """
    made: list[Annotation] = []
    for labeller in labellers:
        try:
            made.append(labeller.label(sample.rgb))
        except NoLabelError as reason:
            refused[f"{labeller.name}: {reason}"] += 1
            _log.warning("sample %r is not labelled by %s: %s", sample.name, labeller.name, reason)
    new = tuple(annotation for annotation in made if type(annotation) not in sample.kinds)
    return replace(sample, annotations=(*sample.annotations, *new))


@dataclass(frozen=True, slots=True, kw_only=True)
class CannyEdges:
    """Edges by Canny's detector, which needs no network.

    Attributes:
        low: Change of brightness in levels, summed over a 3 x 3 Sobel filter, that goes on with an
            edge.
        high: Change that begins one.
        blur_px: Width of the Gaussian that takes noise away first; 0 for none.

    Source:
        Ours (ADR 12); section B.1 of the paper does not name its edge detector.
    """

    low: float = 80.0
    high: float = 200.0
    blur_px: float = 1.0

    def __post_init__(self) -> None:
        """Refuse thresholds that are the wrong way round."""
        if not 0 < self.low <= self.high or self.blur_px < 0:
            raise ValueError(f"0 < low <= high and blur_px >= 0 are needed, got {self}")

    @property
    def kind(self) -> type[Edges]:
        """What it makes."""
        return Edges

    @property
    def name(self) -> str:
        """The detector and its settings."""
        return f"canny({self.low:g}, {self.high:g}, blur {self.blur_px:g} px)"

    def label(self, clip: Rgb) -> Edges:
        """Find edges in each frame.

        Args:
            clip: Any clip.

        Returns:
            Lines of one pixel, 1 on 0.
        """
        return Edges(strength=np.stack([self._edges(frame) for frame in clip.pixels]))

    def _edges(self, frame: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
        """The edges of one frame."""
        grey = cv2().cvtColor(np.ascontiguousarray(frame), cv2().COLOR_RGB2GRAY)
        if self.blur_px > 0:
            grey = cv2().GaussianBlur(grey, (0, 0), self.blur_px)
        return (cv2().Canny(grey, self.low, self.high) > 0).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthLabels:
    """Depth by a function of a frame.

    Attributes:
        name: What the function is.
        function: Gives one number for each pixel, of shape (h, w, 1).
        quantity: ``disparity`` for a network that gives 1 / depth up to scale and shift, as Depth
            Anything V2 does; such labels span 1 to 10 m over the clip by convention, so only what
            does not change with scale and shift of 1 / depth is to be learned from them.
            ``metres`` for one that gives metres.
    """

    name: str
    function: PixelFunction
    quantity: Literal["disparity", "metres"] = "disparity"

    @property
    def kind(self) -> type[Depth]:
        """What it makes."""
        return Depth

    def label(self, clip: Rgb) -> Depth:
        """Estimate depth.

        Args:
            clip: Any clip.

        Returns:
            Depth in metres, or by the convention above; not valid where the function gives no
            number, or metres that are not above 0.

        Raises:
            ValueError: If the function gives another shape.
            NoLabelError: If it gives nothing finite.
        """
        values = _fields(self.function, clip, channels=1, name=self.name)[..., 0]
        valid = np.isfinite(values)
        if not valid.any():
            raise NoLabelError("no finite value")
        if self.quantity == "metres":
            valid &= values > 0
            return Depth(metres=np.where(valid, values, np.float32(1)), valid=valid)
        low, high = values[valid].min(), values[valid].max()
        nearness = (np.where(valid, values, low) - low) / max(high - low, np.float32(1e-12))
        metres = 1 / (1 / _FAR_M + nearness * (1 / _NEAR_M - 1 / _FAR_M))
        return Depth(metres=metres.astype(np.float32), valid=valid)


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalLabels:
    """Surface normals by a function of a frame.

    Attributes:
        name: What the function is.
        function: Gives three numbers for each pixel, of shape (h, w, 3), of any length.
        signs: What to multiply x, y and z with so that x points right, y up and z to the camera:
            (1, 1, 1) for StableNormal's pictures taken from 0..1 to -1..1, (1, -1, -1) for a
            network in the axes of a camera whose y points down and z away.
    """

    name: str
    function: PixelFunction
    signs: tuple[int, int, int] = (1, 1, 1)

    def __post_init__(self) -> None:
        """Refuse what is not a sign."""
        if any(sign not in (-1, 1) for sign in self.signs):
            raise ValueError(f"signs are 1 or -1, got {self.signs}")

    @property
    def kind(self) -> type[Normals]:
        """What it makes."""
        return Normals

    def label(self, clip: Rgb) -> Normals:
        """Estimate normals.

        Args:
            clip: Any clip.

        Returns:
            Unit vectors; not valid where the function gives no direction.

        Raises:
            ValueError: If the function gives another shape.
        """
        raw = _fields(self.function, clip, channels=3, name=self.name)
        vectors = np.nan_to_num(raw) * np.array(self.signs, dtype=np.float32)
        length = np.linalg.norm(vectors, axis=-1)
        valid = np.isfinite(raw).all(axis=-1) & (length > 1e-3)
        unit = vectors / np.where(valid, length, np.float32(1))[..., None]
        return Normals(vectors=unit.astype(np.float32), valid=valid)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForegroundLabels:
    """The foreground by a function of a frame.

    Attributes:
        name: What the function is.
        function: Gives one number for each pixel, of shape (h, w, 1).
        threshold: Number above which a pixel is foreground.
        max_unsure: Share of pixels with a number between 0.1 and 0.9 above which the network has
            no answer; 1 takes any.
    """

    name: str
    function: PixelFunction
    threshold: float = 0.5
    max_unsure: float = 1.0

    @property
    def kind(self) -> type[Mask]:
        """What it makes."""
        return Mask

    def label(self, clip: Rgb) -> Mask:
        """Separate foreground from background.

        Args:
            clip: Any clip.

        Returns:
            The mask.

        Raises:
            ValueError: If the function gives another shape.
            NoLabelError: If too many pixels are unsure, or none is foreground.
        """
        values = _fields(self.function, clip, channels=1, name=self.name)[..., 0]
        if float(((values > 0.1) & (values < 0.9)).mean()) > self.max_unsure:
            raise NoLabelError("foreground and background are not told apart")
        if not (values > self.threshold).any():
            raise NoLabelError("no foreground")
        return Mask(foreground=values > self.threshold)


def _fields(
    function: PixelFunction, clip: Rgb, *, channels: int, name: str
) -> Float32[np.ndarray, "t h w c"]:
    """What a function gives for each frame, checked."""
    wanted = (clip.shape.height, clip.shape.width, channels)
    fields: list[Float32[np.ndarray, "h w c"]] = []
    for frame in clip.pixels:
        field = function(frame)
        if field.shape != wanted:
            raise ValueError(f"{name} gives shape {field.shape} for a frame; {wanted} is needed")
        fields.append(field.astype(np.float32))
    return np.stack(fields)
