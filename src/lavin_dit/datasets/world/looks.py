"""Drawing materials: patterns, colours and how surfaces answer light."""

import colorsys
from dataclasses import dataclass

import numpy as np

from lavin_dit.datasets.world.classes import PATTERNS, Split
from lavin_dit.datasets.world.patterns import PatternName
from lavin_dit.datasets.world.primitives import Triple
from lavin_dit.datasets.world.spec import Material

_WOOD: tuple[Triple, Triple, Triple] = ((0.17, 0.05, 0.012), (0.45, 0.2, 0.04), (0.06, 0.02, 0.005))
_MAX_SEED = 64
_PHOTO_SHARE = 0.35  # of the surfaces, where there are photos


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What materials can be drawn from.

    Attributes:
        split: Decides on the patterns.
        num_photos: Number of photos that surfaces can show.
    """

    split: Split
    num_photos: int = 0

    def draw(
        self,
        generator: np.random.Generator,
        *,
        frequency_per_m: tuple[float, float] = (2.0, 8.0),
        mirrors: float = 0.3,
    ) -> Material:
        """Draw a material.

        Args:
            generator: Source of randomness.
            frequency_per_m: Least and largest number of the pattern's periods in a metre.
            mirrors: Share of materials that mirror.

        Returns:
            The material.
        """
        pattern: PatternName = PATTERNS[self.split][generator.integers(len(PATTERNS[self.split]))]
        if self.num_photos and generator.random() < _PHOTO_SHARE:
            pattern = "photo"
        low, high = np.log(frequency_per_m)
        frequency = float(np.exp(generator.uniform(low, high)))
        if pattern == "photo":
            frequency *= 0.35
        colours = _palette(generator)
        if pattern == "wood":
            tint = float(generator.uniform(0.5, 1.4))
            colours = _tinted(_WOOD, tint)
        return Material(
            pattern=pattern,
            frequency_per_m=frequency,
            seed=int(generator.integers(1, _MAX_SEED)),
            colours=colours,
            roughness=float(generator.uniform(0.2, 0.9)),
            shine=float(generator.uniform(0.0, 0.6)),
            mirror=float(generator.uniform(0.05, 0.6)) if generator.random() < mirrors else 0.0,
            bump=float(generator.uniform(0.1, 0.5)) if generator.random() < 0.2 else 0.0,
            photo=int(generator.integers(self.num_photos)) if self.num_photos else 0,
        )

    def draw_broad(self, generator: np.random.Generator) -> Material:
        """Draw a material for a floor, wall or ceiling: larger patterns and little gloss."""
        material = self.draw(generator, frequency_per_m=(0.5, 2.5), mirrors=0.1)
        return Material(
            pattern=material.pattern,
            frequency_per_m=material.frequency_per_m,
            seed=material.seed,
            colours=_calmed(material.colours, float(generator.uniform(0.2, 0.8))),
            roughness=float(generator.uniform(0.5, 0.95)),
            shine=material.shine * 0.3,
            mirror=min(material.mirror, 0.15),
            bump=material.bump * 0.5,
            photo=material.photo,
        )


def plain(colour: Triple, *, roughness: float = 0.7, shine: float = 0.15) -> Material:
    """A material of one colour.

    Args:
        colour: The colour, linear.
        roughness: 0 for sharp highlights to 1 for broad ones.
        shine: Strength of the highlights.

    Returns:
        The material.
    """
    return Material(
        pattern="plain",
        frequency_per_m=1.0,
        seed=1,
        colours=(colour, colour, colour),
        roughness=roughness,
        shine=shine,
    )


def linear(colour: tuple[float, float, float]) -> Triple:
    """A colour as screens show it, in linear light."""
    red, green, blue = (float(channel) ** 2.2 for channel in colour)
    return red, green, blue


def _palette(generator: np.random.Generator) -> tuple[Triple, Triple, Triple]:
    """Three colours: independent ones, or shades of one hue."""
    hue = generator.random()
    spread = generator.choice([0.04, 0.15, 0.5])
    colours: list[Triple] = []
    for _ in range(3):
        own = (hue + generator.normal(0, spread)) % 1.0
        saturation = generator.beta(1.6, 2.2)
        value = generator.uniform(0.15, 0.95)
        colours.append(linear(colorsys.hsv_to_rgb(own, saturation, value)))
    return colours[0], colours[1], colours[2]


def _tinted(colours: tuple[Triple, Triple, Triple], factor: float) -> tuple[Triple, Triple, Triple]:
    """Colours times a factor."""
    first, second, third = (tuple(min(c * factor, 1.0) for c in colour) for colour in colours)
    return _triple(first), _triple(second), _triple(third)


def _calmed(colours: tuple[Triple, Triple, Triple], share: float) -> tuple[Triple, Triple, Triple]:
    """Colours moved toward their grey, for surfaces that fill the picture."""
    calm = [np.array(c) * (1 - share) + share * np.mean(c) for c in colours]
    return _triple(calm[0]), _triple(calm[1]), _triple(calm[2])


def _triple(values: "np.ndarray | tuple[float, ...]") -> Triple:
    """Three plain numbers."""
    return float(values[0]), float(values[1]), float(values[2])
