"""The synthetic world: scenes and clips made up from a seed, in which everything is known.

The way of a sample: :mod:`sampling` draws a :class:`~lavin_dit.datasets.world.spec.SceneSpec`,
:mod:`physics` lets it happen, :mod:`packing` writes it into arrays, :mod:`renderer` looks at it,
and :mod:`ground_truth` derives the annotations.
"""

from lavin_dit.datasets.world.world import World

__all__ = ["World"]
