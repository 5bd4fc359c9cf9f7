"""Detail that the autoencoder loses, given back to predictions as far as targets share it.

What an autoencoder leaves of a photo is soft, and so is a prediction, whatever the J-DiT knows. But
the target of a photo that is to be coloured or repaired has much of the photo's own texture, and
that is at hand: it is what is missing in the query's own reconstruction. How much of it targets
keep is measured on the context's pairs, whatever their task: next to nothing is kept of a photo
whose edges or depth are asked for.

Clips are gone through frame by frame, as floats of a large one would fill the memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from lavin_dit.pipeline.fitting import (
    Placement,
    cut_margins,
    fit_frames,
    resize_frames,
    to_unit_range,
    unfit_frames,
)

LEAST_SHARE = 0.2
"""A smaller share counts as none: it is by chance, as where annotations are asked for, or of no use
(decision 0021)."""
MOST_SHARE = 2.0
"""A larger share counts as this one: noise would be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDetail:
    """What the inputs and targets of pairs have in common of what the autoencoder loses.

    Source:
        Ours, decision 0021.
    """

    product: float
    """Sum over all pixels of the detail lost of an input times that lost of its target."""
    square: float
    """Sum of the squares of the detail lost of inputs."""

    def __add__(self, other: "SharedDetail") -> "SharedDetail":
        """That of all pairs of two contexts."""
        return SharedDetail(product=self.product + other.product, square=self.square + other.square)

    @property
    def share(self) -> float:
        """Share of a query's lost detail that its target has, by least squares; 0, or 0.2 to 2."""
        if self.square == 0:
            return 0.0
        share = min(self.product / self.square, MOST_SHARE)
        return share if share >= LEAST_SHARE else 0.0


NO_DETAIL = SharedDetail(product=0.0, square=0.0)
"""That of pairs whose halves are not equally long."""


def shared_detail(
    lost_of_input: Float[Tensor, "t 3 h w"], lost_of_target: Float[Tensor, "t 3 h w"]
) -> SharedDetail:
    """Measure what the two halves of a pair have in common.

    Args:
        lost_of_input: From `lost_detail`.
        lost_of_target: Likewise, at the same size.
    """
    return SharedDetail(
        product=float((lost_of_input * lost_of_target).sum()),
        square=float(lost_of_input.square().sum()),
    )


def lost_detail(
    frames: UInt8[np.ndarray, "t h w 3"],
    rebuilt: Float[Tensor, "t 3 y x"],
    placement: Placement,
) -> Float[Tensor, "t 3 h w"]:
    """What is missing in the reconstruction of a clip, at the clip's own size.

    Args:
        frames: The clip.
        rebuilt: What the autoencoder leaves of it, on the canvas, values around [0, 1].
        placement: Where it lies there.
    """
    return to_unit_range(frames, device=rebuilt.device) - unfit_frames(rebuilt, placement)


def lost_working_detail(
    frames: UInt8[np.ndarray, "t h w 3"],
    rebuilt: Float[Tensor, "t 3 y x"],
    placement: Placement,
) -> Float[Tensor, "t 3 y2 x2"]:
    """The same at the working size, without margins.

    Args:
        frames: The clip, at its own size.
        rebuilt: As in `lost_detail`.
        placement: As in `lost_detail`.
    """
    on_canvas = to_unit_range(fit_frames(frames, placement), device=rebuilt.device)
    return cut_margins(on_canvas - rebuilt.clamp(0.0, 1.0), placement)


def with_detail(
    painted: Float[Tensor, "t 3 h w"], lost: Float[Tensor, "t 3 h w"], *, share: float
) -> Float[Tensor, "t 3 h w"]:
    """Give a painting a share of its query's lost detail.

    Args:
        painted: The painting, around [0, 1].
        lost: From `lost_detail` or `lost_working_detail`, at the painting's size.
        share: See `SharedDetail.share`.

    Returns:
        Values in [0, 1].
    """
    return painted.clamp(0.0, 1.0).add_(lost, alpha=share).clamp_(0.0, 1.0)


def pair_detail(
    halves: Sequence[UInt8[np.ndarray, "t _ _ 3"]],
    rebuilt: Sequence[Float[Tensor, "t 3 y x"]],
    placements: Sequence[Placement],
) -> SharedDetail:
    """Measure what the halves of one pair share, at the input's size.

    Args:
        halves: Input and target; equally long, their sizes may differ.
        rebuilt: What the autoencoder leaves of each, on the canvas.
        placements: Where each lies there.
    """
    height, width = halves[0].shape[1:3]
    at_input = replace(placements[1], source_height=height, source_width=width)
    total = NO_DETAIL
    for number in range(len(halves[0])):
        one = slice(number, number + 1)
        target = resize_frames(halves[1][one], (height, width))
        total += shared_detail(
            lost_detail(halves[0][one], rebuilt[0][one], placements[0]),
            lost_detail(target, rebuilt[1][one], at_input),
        )
    return total
