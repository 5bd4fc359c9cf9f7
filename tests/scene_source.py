"""A source of small random scenes, some of which cannot be used."""

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from lavin_dit.datasets.source import UnusableSampleError, check_index
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene


@dataclass(frozen=True, kw_only=True)
class SceneSource:
    """Scenes drawn from their indices.

    ``unusable`` ones raise, ``empty`` ones have no valid depth; every scene has another size.
    """

    length: int = 24
    num_frames: int = 1
    height: int = 41
    things: int = 3
    kinds: tuple = (Depth, Instances)
    unusable: frozenset = frozenset()
    empty: frozenset = frozenset()
    name: str = "scenes"
    split: str = "train"
    skipped: Counter = field(default_factory=Counter)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        index = check_index(index, length=self.length)
        name = f"scene {index}"
        if index in self.unusable:
            raise UnusableSampleError(name, "photo is torn")
        shape = ClipShape(
            num_frames=self.num_frames, height=self.height + index % 3, width=53 - index % 5
        )
        scene = random_scene(shape, generator=np.random.default_rng(index), num_things=self.things)
        annotations = tuple(scene[kind] for kind in self.kinds)
        if index in self.empty:
            depth = replace(scene[Depth], valid=np.zeros_like(scene[Depth].valid))
            annotations = (depth, *annotations[1:])
        return replace(scene, annotations=annotations, name=name)
