"""The patterns that surfaces can show, by name and number."""

from typing import Literal

PatternName = Literal[
    "plain", "checker", "stripes", "clouds", "marble", "wood", "bricks", "dots", "gradient",
    "speckle", "cells", "plaid", "zigzag", "rings", "terrazzo", "photo",
]  # fmt: skip
(
    PLAIN, CHECKER, STRIPES, CLOUDS, MARBLE, WOOD, BRICKS, DOTS, GRADIENT,
    SPECKLE, CELLS, PLAID, ZIGZAG, RINGS, TERRAZZO, PHOTO,
) = range(16)  # fmt: skip
PATTERN_NUMBERS: dict[PatternName, int] = {
    "plain": PLAIN,
    "checker": CHECKER,
    "stripes": STRIPES,
    "clouds": CLOUDS,
    "marble": MARBLE,
    "wood": WOOD,
    "bricks": BRICKS,
    "dots": DOTS,
    "gradient": GRADIENT,
    "speckle": SPECKLE,
    "cells": CELLS,
    "plaid": PLAID,
    "zigzag": ZIGZAG,
    "rings": RINGS,
    "terrazzo": TERRAZZO,
    "photo": PHOTO,
}
