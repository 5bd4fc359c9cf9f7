"""How far objects reach."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from lavin_dit.datasets.world.primitives import bounding_radius, support
from lavin_dit.datasets.world.rotations import matrix_of
from lavin_dit.datasets.world.spec import Part


def reach(parts: Sequence[Part], direction: Float64[np.ndarray, "3"]) -> float:
    """How far an object reaches from its origin in a direction of its own frame.

    Args:
        parts: What it is made of.
        direction: Of length 1.

    Returns:
        The reach in metres; exact.
    """
    reaches: list[float] = []
    for part in parts:
        own = (direction @ matrix_of(part.rotation))[None]
        around = support(part.kind, part.size, own, powers=part.powers)[0]
        reaches.append(float(direction @ np.array(part.offset)) + float(around))
    return max(reaches)


def enclosing_sphere(parts: Sequence[Part]) -> tuple[Float64[np.ndarray, "3"], float]:
    """A sphere that holds an object.

    Args:
        parts: What it is made of.

    Returns:
        Centre in the object's frame and radius, in metres; not the smallest such sphere.
    """
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    extent = [reach(parts, axis) for axis in axes]
    centre = (np.array(extent[:3]) - np.array(extent[3:])) / 2
    radius = max(
        float(np.linalg.norm(np.array(part.offset) - centre))
        + bounding_radius(part.kind, part.size)
        for part in parts
    )
    return centre, radius
