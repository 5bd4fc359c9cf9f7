"""The classes of things and stuff, and which split sees which of them.

Objects of training, validation and test belong to different classes and show different patterns,
so that a score on the test split says something about things never seen. People, floor, walls,
ceiling and sky are in all of them, and so are the patterns "plain" and "photo".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from lavin_dit.datasets.world.patterns import PatternName

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

STUFF_CLASSES = ("sky", "floor", "wall", "ceiling")
OBJECT_CLASSES: Mapping[Split, tuple[str, ...]] = MappingProxyType(
    {
        "train": (
            "ball", "egg", "box", "can", "pill", "ring", "cone", "mug", "table", "lamp",
            "dumbbell", "car", "bottle", "snowman", "pillow", "barrel", "house", "tree",
        ),
        "validation": ("stool", "mushroom", "hammer", "gem", "cup"),
        "test": ("chair", "rocket", "duck", "hourglass", "capped_box", "pyramid"),
    }
)  # fmt: skip
CLASS_NAMES: tuple[str, ...] = (
    *STUFF_CLASSES, "person", *(name for split in SPLITS for name in OBJECT_CLASSES[split]),
)  # fmt: skip
"""The name of each class number."""

PATTERNS: Mapping[Split, tuple[PatternName, ...]] = MappingProxyType(
    {
        "train": (
            "plain", "checker", "stripes", "clouds", "marble", "wood", "bricks", "dots",
            "gradient", "speckle",
        ),
        "validation": ("plain", "cells", "plaid"),
        "test": ("plain", "zigzag", "rings", "terrazzo"),
    }
)  # fmt: skip
