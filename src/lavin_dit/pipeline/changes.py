"""How targets differ from their inputs, and what that says of a painting.

A painting and its query are two witnesses of the target. The J-DiT paints the whole of it with some
error; the query shows exactly what stays and is wrong about what changes. How inputs change is seen
in the context's pairs: a filled hole leaves all other pixels as they are, and deblurring moves most
of them a little. With that as the prior of a change and the painting as a noisy measurement of it,
the best guess of each value follows from Bayes' rule. A painting is mostly a little wrong, and
sometimes very: its error is taken to follow Student's distribution, of the width that explains best
how painting and query differ.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import interpolate

from lavin_dit.pipeline.fitting import Placement, cut_margins

_STEPS_PER_UNIT = 128
NUM_BINS = 2 * _STEPS_PER_UNIT + 1
"""Bins of a change from -1 to 1."""
_ERROR_WIDTHS = 0.03, 0.05, 0.08, 0.12, 0.2
"""What a painting's error may be, in values from 0 to 1; each frame gets the likeliest."""
_FREEDOM = 3.0
"""Degrees of freedom of its distribution, Student's."""
_UNSEEN = 0.02
"""Share of changes that are like none of the pairs."""
_COLOUR_ERROR = 0.04
"""A painting's error in colour alone, root mean square."""
_BRIGHTNESS = 0.299, 0.587, 0.114  # as grey photos have it (ITU-R BT.601)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """How often values of inputs change by how much in their targets.

    Measured at the working size, between what the autoencoder leaves of both.

    Raises:
        ValueError: If the counts are not those of three colours and 257 changes.

    Source:
        Ours, decision 0022.
    """

    counts: Float[Tensor, "f 3 bins"]
    """Pixels by frame, colour (red, green, blue) and change: bin i of 257 has those that change by
    (i - 128) / 128, to the nearest. One row of all frames together, or one of each frame of the
    target."""
    colour_square: float
    """Sum over all pixels and colours of the squares of a change less that of its brightness."""

    def __post_init__(self) -> None:
        """Check what a damaged file can get wrong."""
        if self.counts.shape[1:] != (3, NUM_BINS):
            raise ValueError(
                f"counts must be frames x 3 x {NUM_BINS}, got {tuple(self.counts.shape)}"
            )

    def __add__(self, other: "Changes") -> "Changes":
        """Those of all pairs of two contexts; by frame if both are, or the other has no pair."""
        mine, others = self.counts, other.counts
        if len(mine) != len(others) and mine.any() and others.any():
            mine, others = _together(mine), _together(others)
        return Changes(
            counts=mine + others,
            colour_square=self.colour_square + other.colour_square,
        )

    @property
    def colour_share(self) -> float:
        """How much of a painting's colour is up to the query, from 0 to 1.

        Half of it, where pairs change colours by a root mean square of 0.04; next to nothing where
        photos are to be coloured, whose own colour is no evidence of the target's.
        """
        mean_square = self.colour_square / max(self.counts.sum().item(), 1.0)
        return _COLOUR_ERROR**2 / (_COLOUR_ERROR**2 + mean_square)


def _together(counts: Float[Tensor, "f 3 bins"]) -> Float[Tensor, "1 3 bins"]:
    return counts.sum(dim=0, keepdim=True)


NO_CHANGES = Changes(counts=torch.zeros(1, 3, NUM_BINS), colour_square=0.0)
"""Those of no pair, which say nothing: paintings stay as they are."""


def measured_changes(
    rebuilt_input: Float[Tensor, "s 3 y x"], rebuilt_target: Float[Tensor, "t 3 y2 x2"]
) -> Changes:
    """Count by how much the values of a pair's halves differ.

    Args:
        rebuilt_input: What the autoencoder leaves of the input, without margins, around [0, 1]; of
            as many frames as the target, or of one.
        rebuilt_target: Likewise; it may have another size.

    Returns:
        Counts of all frames together where each has a frame of its own beside it; otherwise those
        of each frame of the target.

    Source:
        Ours, decision 0022.
    """
    if rebuilt_target.shape[2:] != rebuilt_input.shape[2:]:
        rebuilt_target = interpolate(
            rebuilt_target, size=rebuilt_input.shape[2:], mode="bilinear", antialias=True
        )
    rows, colour_square = [], 0.0
    for number, target in enumerate(rebuilt_target):
        given = rebuilt_input[min(number, len(rebuilt_input) - 1)]
        change = (target.clamp(0.0, 1.0) - given.clamp(0.0, 1.0)).nan_to_num(0.0)
        rows.append(_counted(change))
        colour_square += float((change - brightness(change)).square().sum())
    counts = torch.stack(rows).float().cpu()
    if len(rebuilt_input) == len(rebuilt_target):
        counts = _together(counts)
    return Changes(counts=counts, colour_square=colour_square)


def weighed_against_query(
    painted: Float[Tensor, "t 3 y x"],
    rebuilt: Float[Tensor, "s 3 y x"],
    placement: Placement,
    *,
    changes: Changes,
) -> Float[Tensor, "t 3 y x"]:
    """Move a painting towards its query where what it changes is like no change of the pairs.

    Every value becomes the mean of what it can be, given the query, the painting and how inputs of
    pairs change. One change of fifty is taken to be like none that was seen; where painting and
    query are apart by what only such a change explains, the painting stays as it is. Colour is
    moved as far as pairs leave it alone.

    Args:
        painted: The painting, on the canvas, around [0, 1].
        rebuilt: What the autoencoder leaves of the query, likewise; of as many frames, or of one,
            which all are compared with.
        placement: Where the query lies there; margins are no evidence of the painting's error.
        changes: Those of the pairs; those of all frames together, where the query has several.

    Returns:
        Values in [0, 1].

    Source:
        Ours, decision 0022.
    """
    painted, rebuilt = painted.clamp(0.0, 1.0), rebuilt.clamp(0.0, 1.0)
    counts = changes.counts.to(painted.device)
    if len(rebuilt) > 1:
        counts = _together(counts)
    expected = _ExpectedChange.under(counts)
    for number in range(len(painted)):
        apart = (rebuilt[min(number, len(rebuilt) - 1)] - painted[number]).nan_to_num(0.0)
        observed = _counted(cut_margins(apart[None], placement)[0]).float()
        table = expected.where_apart(observed, frame=number)
        move = apart + _read_off(table, apart)
        painted[number] += torch.lerp(brightness(move), move, changes.colour_share)
    return painted


@dataclass(frozen=True, slots=True, kw_only=True)
class _ExpectedChange:
    """What values change by, given how far apart a query and its painting are."""

    density: Float[Tensor, "e f 3 bins"]
    """How likely each distance is; by width of the painting's error, and frame."""
    mean: Float[Tensor, "e f 3 bins"]
    """Mean change at each distance."""

    @classmethod
    def under(cls, counts: Float[Tensor, "f 3 bins"]) -> "_ExpectedChange":
        """By Bayes' rule, with counted changes as the prior.

        Args:
            counts: As in `Changes`.
        """
        prior = counts / counts.sum(dim=2, keepdim=True).clamp_min(1.0)
        bins, kernels = _bins(counts.device), _kernels(counts.device)
        density = (1 - _UNSEEN) * torch.einsum("eab,fcb->efca", kernels, prior) + _UNSEEN / 2
        moment = (1 - _UNSEEN) * torch.einsum("eab,fcb->efca", kernels, prior * bins)
        return cls(density=density, mean=(moment - _UNSEEN / 2 * bins) / density)

    def where_apart(
        self, observed: Float[Tensor, "3 bins"], *, frame: int
    ) -> Float[Tensor, "3 bins"]:
        """The mean change by distance, for the width of error that makes a frame most likely.

        Args:
            observed: How many of its pixels are at each distance.
            frame: Which one.
        """
        frame = min(frame, self.density.shape[1] - 1)
        likelihood = (observed * self.density[:, frame].log()).sum(dim=(1, 2))
        return self.mean[likelihood.argmax(), frame]


def brightness(values: Float[Tensor, "*t 3 y x"]) -> Float[Tensor, "*t 1 y x"]:
    """Brightness of red, green and blue, or what a change of them does to it.

    Args:
        values: Colours, or their changes.

    Returns:
        The mean with the weights of ITU-R BT.601, as grey photos have it.
    """
    weights = values.new_tensor(_BRIGHTNESS)[:, None, None]
    return (values * weights).sum(dim=-3, keepdim=True)


@lru_cache(maxsize=4)
def _bins(device: torch.device) -> Float[Tensor, " bins"]:
    return torch.linspace(-1.0, 1.0, NUM_BINS, device=device)


@lru_cache(maxsize=4)
def _kernels(device: torch.device) -> Float[Tensor, "e bins bins2"]:
    """How likely query and painting are apart by (second axis) if the value changes by (third).

    One for each width that a painting's error may have, by Student's t distribution.
    """
    bins = _bins(device)
    widths = torch.tensor(_ERROR_WIDTHS, device=device)[:, None, None]
    missed = (bins[:, None] + bins) / widths
    power = (_FREEDOM + 1) / 2
    peak = math.gamma(power) / (math.gamma(_FREEDOM / 2) * math.sqrt(_FREEDOM * math.pi))
    return peak / widths * (1 + missed.square() / _FREEDOM) ** -power


def _counted(values: Float[Tensor, "3 y x"]) -> Int64[Tensor, "3 bins"]:
    """Histograms of each colour, of values from -1 to 1."""
    bins = ((values + 1) * _STEPS_PER_UNIT).round().long().flatten(1)
    return torch.stack([torch.bincount(colour, minlength=NUM_BINS) for colour in bins])


def _read_off(
    table: Float[Tensor, "3 bins"], values: Float[Tensor, "3 y x"]
) -> Float[Tensor, "3 y x"]:
    """What a table says of values from -1 to 1, linearly between its bins."""
    place = (values.flatten(1) + 1) * _STEPS_PER_UNIT
    below = place.floor().clamp(0, NUM_BINS - 2)
    first = below.long()
    low, high = table.gather(1, first), table.gather(1, first + 1)
    return torch.lerp(low, high, place - below).view_as(values)
