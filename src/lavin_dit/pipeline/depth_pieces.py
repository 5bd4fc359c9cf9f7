"""Depth of a clip longer than a piece: pieces brought to one range before they are read as one.

A piece is painted in a range of its own, its nearest white and its farthest dark. Two pieces share
a frame, and tell by it how the range of one becomes that of the other.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lavin_dit.pipeline.prediction import Prediction

_DARKEST = 32 / 255  # the farthest depth; up to half of it is no depth (vision/codecs/depth.py)
_LEAST_PIXELS = 16
_LEAST_SPREAD = 4 / 255
_LEAST_LIKENESS = 0.5  # correlation of the two paintings of a shared frame
_MOST_CHANGE = 2.0
_TAIL = 0.01  # share of a piece's pixels, at each end, that may saturate
_PICTURES = "pixels", "working_pixels", "drawn_pixels"


def in_one_range(parts: Sequence[Prediction]) -> list[Prediction]:
    """Bring pieces of painted depth to the range of the first one.

    Mean and deviation of the shared frame's brightness become those of the piece before, so that
    nothing flattens from piece to piece, as it would by least squares; deviations are changed by a
    factor of 1/2 to 2. All are shrunk together where more than a hundredth of their pixels would
    leave what can be painted.

    Args:
        parts: Pieces in their order, of which each begins with the frame that ends the one before;
            with pixels.

    Returns:
        The pieces in one range. A piece whose shared frame does not look as it does in the piece
        before, or is flat, is taken to have that one's range.

    Source:
        Ours.
    """
    scales = [(1.0, 0.0)]
    for before, after in itertools.pairwise(parts):
        own = _between(_brightness(after, 0), _brightness(before, -1))
        factor, offset = scales[-1]
        scales.append((factor * own[0], factor * own[1] + offset))
    if all(scale == (1.0, 0.0) for scale in scales):
        return list(parts)
    factor, offset = _fitting(parts, scales)
    return [
        _moved(part, factor * own, factor * shift + offset)
        for part, (own, shift) in zip(parts, scales, strict=True)
    ]


def _between(given: Float[Tensor, "y x"], wanted: Float[Tensor, "y x"]) -> tuple[float, float]:
    """Factor and offset that bring one painting of a frame to another's range."""
    known = _is_depth(given) & _is_depth(wanted)
    one, other = (frame[known].clamp(_DARKEST, 1.0) for frame in (given, wanted))
    if len(one) < _LEAST_PIXELS or min(one.std().item(), other.std().item()) < _LEAST_SPREAD:
        return 1.0, 0.0
    if torch.corrcoef(torch.stack([one, other]))[0, 1] < _LEAST_LIKENESS:
        return 1.0, 0.0
    factor = min(max((other.std() / one.std()).item(), 1 / _MOST_CHANGE), _MOST_CHANGE)
    return factor, (other.mean() - factor * one.mean()).item()


def _fitting(
    parts: Sequence[Prediction], scales: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Factor and offset after which all that is depth lies in what can be painted."""
    low, high = _DARKEST, 1.0
    for part, (factor, offset) in zip(parts, scales, strict=True):
        assert part.working_pixels is not None
        grey = part.working_pixels.mean(dim=1)
        inside = grey[_is_depth(grey)].clamp(_DARKEST, 1.0).cpu().numpy() * factor + offset
        if len(inside):
            least, most = np.quantile(inside, [_TAIL, 1.0 - _TAIL]).tolist()
            low, high = min(low, least), max(high, most)
    factor = (1.0 - _DARKEST) / (high - low)
    return factor, _DARKEST - factor * low


def _moved(part: Prediction, factor: float, offset: float) -> Prediction:
    """A piece in another range; what is no depth stays black."""
    moved: dict[str, Tensor] = {}
    for name in _PICTURES:
        frames: Tensor | None = getattr(part, name)
        if frames is None:
            continue
        known = _is_depth(frames.mean(dim=1, keepdim=True))
        moved[name] = torch.where(known, (frames * factor + offset).clamp(_DARKEST, 1.0), frames)
    return replace(part, **moved)


def _brightness(part: Prediction, frame: int) -> Float[Tensor, "y x"]:
    assert part.working_pixels is not None
    return part.working_pixels[frame].mean(dim=0)


def _is_depth(brightness: Float[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
    """Where brightness is that of a depth."""
    return brightness > _DARKEST / 2
