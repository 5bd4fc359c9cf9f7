"""Other colours for what an episode's targets are painted with.

A network that only ever sees depth as grey, near bright, learns how depth is painted instead of
looking at the pairs: shown far bright, it paints neither. Where the colours of an annotation are
drawn anew for an episode, the pairs alone tell them.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.episode import Episode
from lavin_dit.vision.task import AnyTask, Pair, PictureTarget

_LEAST_CONTRAST = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Recolouring:
    """New colours for old: channels in another order, each with another black and white.

    Of a grey picture it makes one of any two colours and what lies between them.

    Attributes:
        channels: Which channel (0 red, 1 green, 2 blue) the new red, green and blue are made of.
        black: What 0 becomes in the new red, green and blue, from 0 to 1.
        white: What 255 becomes, likewise.

    Raises:
        ValueError: If a channel is missing, or black or white out of range or equal.

    Source:
        Ours, decision 0024.
    """

    channels: tuple[int, int, int]
    black: tuple[float, float, float]
    white: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Check that the old colours can be told from the new ones."""
        if sorted(self.channels) != [0, 1, 2]:
            raise ValueError(f"channels must be 0, 1 and 2 in some order, got {self.channels}")
        ends = np.array([self.black, self.white])
        if ends.min() < 0 or ends.max() > 1 or (ends[0] == ends[1]).any():
            raise ValueError(
                "black and white must lie in [0, 1] and differ in each channel, got "
                f"{self.black} and {self.white}"
            )

    def __call__(self, picture: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h w 3"]:
        """The picture in the new colours."""
        levels = np.linspace(self.black, self.white, 256) * 255
        table = np.rint(levels).astype(np.uint8)
        new = [table[:, place][picture[..., old]] for place, old in enumerate(self.channels)]
        return np.stack(new, axis=-1)

    def undone(self, picture: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h w 3"]:
        """A picture in the new colours in the old ones again, to within what 8 bits hold.

        Args:
            picture: It may have colours that no old one becomes; these get the nearest.
        """
        old = np.empty_like(picture)
        for place, channel in enumerate(self.channels):
            black, white = self.black[place], self.white[place]
            levels = (np.linspace(0.0, 1.0, 256) - black) / (white - black)
            table = np.rint(levels.clip(0.0, 1.0) * 255).astype(np.uint8)
            old[..., channel] = table[picture[..., place]]
        return old


def draw_recolouring(generator: np.random.Generator) -> Recolouring:
    """Draw new colours.

    The order of the channels is drawn, and whether all three get the same black and white. These
    are 0 and 1 in half of the cases, and otherwise any two that are 0.3 apart or more; either may
    be the brighter one.

    Args:
        generator: Source of all randomness.

    Returns:
        The colours. Now and then they are the old ones; those of a grey picture are so in one of
        seven or eight cases.

    Source:
        Ours, decision 0024.
    """
    channels = generator.permutation(3).tolist()
    is_grey = generator.random() < 0.5
    ends = [_draw_ends(generator) for _ in range(3)]
    if is_grey:
        ends = [ends[0]] * 3
    black, white = zip(*ends, strict=True)
    return Recolouring(channels=tuple(channels), black=black, white=white)


def _draw_ends(generator: np.random.Generator) -> tuple[float, float]:
    """Black and white of one channel."""
    is_full, is_inverted, contrast, place = generator.random(4)
    span = 1.0 if is_full < 0.5 else _LEAST_CONTRAST + (1 - _LEAST_CONTRAST) * contrast
    low = place * (1 - span)
    return (low + span, low) if is_inverted < 0.5 else (low, low + span)


def can_be_recoloured(task: AnyTask) -> bool:
    """Tell whether a task's colours are a matter of agreement.

    Those of annotations are; a photo's are not. Targets of a `PictureTarget` are photos.
    """
    return not isinstance(task, PictureTarget)


def recoloured(episode: Episode, recolouring: Recolouring) -> Episode:
    """An episode with all targets in other colours.

    Args:
        episode: The episode.
        recolouring: The colours.

    Returns:
        It, with targets that the task can't read: without keys and without a rule.
    """
    return replace(
        episode,
        context=tuple(_recoloured(pair, recolouring) for pair in episode.context),
        query=_recoloured(episode.query, recolouring),
        rule=None,
        is_recoloured=True,
    )


def _recoloured(pair: Pair[Any], recolouring: Recolouring) -> Pair[Any]:
    return Pair(input=pair.input, target=recolouring(pair.target), key=None)
