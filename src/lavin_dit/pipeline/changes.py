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
_FREEDOM = 3.0
_UNSEEN = 0.02
_COLOUR_ERROR = 0.04
BRIGHTNESS = 0.299, 0.587, 0.114
"""Of red, green and blue, as grey photos have it (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """How often values of inputs change by how much in their targets.

    Measured at the working size, between what the autoencoder leaves of both.

    Source:
        Ours, decision 0022.
    """

    counts: Float[Tensor, "f 3 bins"]
    """Pixels of every frame and colour whose value changes by -1 to 1; of a single frame for all,
    or of each frame of the target."""
    colour_square: float
    """Sum over all values of the squares of that part of a change that leaves brightness alone."""

    def __add__(self, other: "Changes") -> "Changes":
        """Those of all pairs of two contexts."""
        return Changes(
            counts=self.counts + other.counts,
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


NO_CHANGES = Changes(counts=torch.zeros(1, 3, NUM_BINS), colour_square=0.0)
"""Those of no pair."""


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
    """
    if rebuilt_target.shape[2:] != rebuilt_input.shape[2:]:
        rebuilt_target = interpolate(
            rebuilt_target, size=rebuilt_input.shape[2:], mode="bilinear", antialias=True
        )
    change = rebuilt_target.clamp(0.0, 1.0) - rebuilt_input.clamp(0.0, 1.0)
    counts = _counted(change)
    if len(rebuilt_input) == len(rebuilt_target):
        counts = counts.sum(dim=0, keepdim=True)
    colour = change - _brightness(change)
    return Changes(counts=counts.float().cpu(), colour_square=float(colour.square().sum()))


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
        changes: Those of the pairs.

    Returns:
        The painting, around [0, 1].

    Source:
        Ours, decision 0022.
    """
    apart = rebuilt.clamp(0.0, 1.0) - painted.clamp(0.0, 1.0)
    observed = _counted(cut_margins(apart, placement)).float()
    prior = _as_shares(changes.counts.to(painted.device))
    move = apart + _read_off(_expected_change(prior, observed), apart)
    return painted + torch.lerp(_brightness(move), move, changes.colour_share)


def _brightness(values: Float[Tensor, "t 3 y x"]) -> Float[Tensor, "t 1 y x"]:
    weights = values.new_tensor(BRIGHTNESS)[:, None, None]
    return (values * weights).sum(dim=1, keepdim=True)


def _expected_change(
    prior: Float[Tensor, "s 3 bins"], observed: Float[Tensor, "t 3 bins"]
) -> Float[Tensor, "t 3 bins"]:
    """The mean change of a value, by how far query and painting are apart there.

    For each frame with the width of the painting's error that makes what was observed most likely.
    """
    kernels = _kernels(prior.device)
    bins = torch.linspace(-1.0, 1.0, NUM_BINS, device=prior.device)
    density = _seen(torch.einsum("eab,scb->esca", kernels, prior)) + _UNSEEN / 2
    moment = _seen(torch.einsum("eab,scb->esca", kernels, prior * bins)) - _UNSEEN / 2 * bins
    likelihood = (observed * density.log()).sum(dim=(2, 3))
    best = likelihood.argmax(dim=0)
    frames = torch.arange(len(observed), device=prior.device).clamp_max(len(prior) - 1)
    return (moment / density)[best, frames]


def _seen(density: Tensor) -> Tensor:
    return (1 - _UNSEEN) * density


def _as_shares(counts: Float[Tensor, "s 3 bins"]) -> Float[Tensor, "s 3 bins"]:
    return counts / counts.sum(dim=2, keepdim=True)


@lru_cache(maxsize=4)
def _kernels(device: torch.device) -> Float[Tensor, "e bins bins2"]:
    """How likely query and painting are apart by (second axis) if the value changes by (third).

    One for each width that a painting's error may have, by Student's t distribution.
    """
    bins = torch.linspace(-1.0, 1.0, NUM_BINS, device=device)
    widths = torch.tensor(_ERROR_WIDTHS, device=device)[:, None, None]
    missed = (bins[:, None] + bins) / widths
    power = (_FREEDOM + 1) / 2
    peak = math.gamma(power) / (math.gamma(_FREEDOM / 2) * math.sqrt(_FREEDOM * math.pi))
    return peak / widths * (1 + missed.square() / _FREEDOM) ** -power


def _counted(values: Float[Tensor, "t 3 y x"]) -> Int64[Tensor, "t 3 bins"]:
    """Histograms of each frame and colour, of values from -1 to 1."""
    frames, channels = values.shape[:2]
    bins = ((values + 1) * _STEPS_PER_UNIT).round().long().flatten(2)
    rows = torch.arange(frames * channels, device=values.device).view(frames, channels, 1)
    counts = torch.bincount(
        (bins + rows * NUM_BINS).flatten(), minlength=frames * channels * NUM_BINS
    )
    return counts.view(frames, channels, NUM_BINS)


def _read_off(
    table: Float[Tensor, "t 3 bins"], values: Float[Tensor, "t 3 y x"]
) -> Float[Tensor, "t 3 y x"]:
    """What a table says of values from -1 to 1, linearly between its bins."""
    place = (values.flatten(2) + 1) * _STEPS_PER_UNIT
    below = place.floor().clamp(0, NUM_BINS - 2)
    part = place - below
    first = below.long()
    low, high = table.gather(2, first), table.gather(2, first + 1)
    return torch.lerp(low, high, part).view_as(values)
