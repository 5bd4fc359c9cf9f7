"""The colour of a surface at a point: functions of the place in the part's own frame.

A pattern gives two shares: how far the first colour turns into the second, and how much of the
third lies over both. Where a pixel holds more than one period of a pattern, both shares fade to
their means, so that distant floors do not glitter.
"""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportArgumentType=false, reportReturnType=false

import math

import numpy as np

from lavin_dit.datasets.world.arrays import MaterialLayout, SceneArrays
from lavin_dit.datasets.world.kernels.compilation import kernel
from lavin_dit.datasets.world.kernels.noise import (
    cell_noise,
    floor_of,
    fractal_noise,
    fraction_of,
    random_at,
    value_noise,
)
from lavin_dit.datasets.world.kernels.vectors import (
    Vector,
    clamped,
    mixed,
    scaled,
    smaller,
    vector_at,
)
from lavin_dit.datasets.world.patterns import (
    BRICKS,
    CELLS,
    CHECKER,
    CLOUDS,
    DOTS,
    GRADIENT,
    MARBLE,
    PHOTO,
    PLAID,
    PLAIN,
    RINGS,
    SPECKLE,
    STRIPES,
    TERRAZZO,
    WOOD,
    ZIGZAG,
)

_PATTERN, _FREQUENCY, _SEED = (
    MaterialLayout.PATTERN,
    MaterialLayout.FREQUENCY,
    MaterialLayout.SEED,
)
_FIRST, _SECOND, _THIRD = MaterialLayout.FIRST, MaterialLayout.SECOND, MaterialLayout.THIRD
_PHOTO = MaterialLayout.PHOTO


@kernel
def _flattened(p: Vector, normal: Vector) -> tuple[float, float]:
    """Two coordinates along a surface: across and up, seen along the axis nearest its normal."""
    x, y, z = abs(normal[0]), abs(normal[1]), abs(normal[2])
    if z >= x and z >= y:
        return p[0], p[1]
    if x >= y:
        return p[1], p[2]
    return p[0], p[2]


@kernel
def _square(x: float) -> float:
    """1 in the second half of each period, else 0."""
    return 1.0 if fraction_of(x) > 0.5 else 0.0


@kernel
def _bricks(u: float, v: float, seed: int) -> tuple[float, float]:
    """Rows of bricks with mortar."""
    row = floor_of(v)
    u = u * 0.5 + (0.5 if row & 1 else 0.0)
    mortar = 1.0 if fraction_of(u) < 0.05 or fraction_of(v) < 0.1 else 0.0
    return random_at(floor_of(u), row, 0, seed), mortar


@kernel
def _solid_shares(pattern: int, p: Vector, seed: int) -> tuple[float, float]:
    """Shares of the patterns that fill space."""
    if pattern == CHECKER:
        x, y, z = floor_of(p[0] + 1e-3), floor_of(p[1] + 1e-3), floor_of(p[2] + 1e-3)
        return (1.0 if (x + y + z) & 1 else 0.0), 0.0
    if pattern == STRIPES:
        return _square(p[0] * 0.8 + p[1] * 0.6 + p[2] * 0.2), 0.0
    if pattern == CLOUDS:
        return clamped((fractal_noise(p, seed, 4) - 0.3) * 2.5), 0.0
    if pattern == MARBLE:
        return 0.5 + 0.5 * math.sin(p[0] * 2.0 + 7.0 * fractal_noise(p, seed, 4)), 0.0
    if pattern == WOOD:
        stretched = (p[0] * 0.7, p[1] * 0.7, p[2] * 0.15)
        rings = math.sqrt(p[0] * p[0] + p[1] * p[1] * 0.6) * 2.0
        ring = fraction_of(rings + 1.5 * fractal_noise(stretched, seed, 2))
        return ring * ring, 0.25 * value_noise((p[0] * 12.0, p[1] * 12.0, p[2]), seed)
    if pattern == DOTS:
        x, y, z = fraction_of(p[0]) - 0.5, fraction_of(p[1]) - 0.5, fraction_of(p[2]) - 0.5
        return (1.0 if x * x + y * y + z * z < 0.1 else 0.0), 0.0
    if pattern == GRADIENT:
        return clamped(0.5 + 0.25 * p[2]), 0.0
    if pattern == SPECKLE:
        fine = (p[0] * 9.0, p[1] * 9.0, p[2] * 9.0)
        spot = random_at(floor_of(fine[0]), floor_of(fine[1]), floor_of(fine[2]), seed)
        return fractal_noise(p, seed, 3), spot * 0.5
    if pattern == CELLS:
        cell, border = cell_noise(p, seed)
        return cell, 1.0 if border < 0.08 else 0.0
    cell, border = cell_noise(p, seed)  # terrazzo: chips of two colours in a ground
    return (1.0 if cell > 0.6 else 0.0), (1.0 if border < 0.35 else 0.0)


@kernel
def _flat_shares(pattern: int, u: float, v: float, seed: int) -> tuple[float, float]:
    """Shares of the patterns that lie on a surface."""
    if pattern == BRICKS:
        return _bricks(u, v * 1.6, seed)
    if pattern == PLAID:
        fine = 1.0 if fraction_of(u * 2.0) < 0.12 or fraction_of(v * 2.0) < 0.12 else 0.0
        return 0.5 * (_square(u) + _square(v)), fine
    if pattern == ZIGZAG:
        return _square(v + abs(fraction_of(u) - 0.5)), 0.0
    radius = math.sqrt(u * u + v * v)
    return _square(radius), 0.0


@kernel
def _photo_texel(scene: SceneArrays, photo: int, u: float, v: float) -> Vector:
    """A photo's colour at a place; the photo is mirrored at its borders and goes on."""
    side = scene.photos.shape[1]
    x, y = abs(fraction_of(u * 0.5) * 2.0 - 1.0), abs(fraction_of(v * 0.5) * 2.0 - 1.0)
    last = np.float32(side - 1)
    x, y = x * last, y * last
    column, row = smaller(floor_of(x), side - 2), smaller(floor_of(y), side - 2)
    a, b = x - np.float32(column), y - np.float32(row)
    texels = scene.photos[photo]
    upper = mixed(vector_at(texels[row, column], 0), vector_at(texels[row, column + 1], 0), a)
    lower = mixed(
        vector_at(texels[row + 1, column], 0), vector_at(texels[row + 1, column + 1], 0), a
    )
    return mixed(upper, lower, b)


@kernel
def colour_of(
    scene: SceneArrays, material: int, point: Vector, normal: Vector, footprint: float
) -> Vector:
    """Linear colour of a material.

    Args:
        scene: The scene.
        material: Row of its materials.
        point: Place in the part's frame, in metres.
        normal: Normal there, in the same frame.
        footprint: Width of what a pixel sees there, in metres.

    Returns:
        Red, green and blue, 0 to 1.
    """
    row = scene.materials[material]
    pattern, frequency = np.int32(row[_PATTERN]), row[_FREQUENCY]
    first = vector_at(row, _FIRST)
    if pattern == PLAIN:
        return first
    seed = np.int32(row[_SEED])
    offset = row[_SEED] * 0.37
    p = scaled(point, frequency)
    if pattern == PHOTO:
        u, v = _flattened(p, normal)
        return _photo_texel(scene, np.int32(row[_PHOTO]), u + offset, -v + offset)
    periods = footprint * frequency
    sharp = clamped(1.6 - 1.6 * periods)
    second = vector_at(row, _SECOND)
    if sharp <= 0.0:
        return mixed(first, second, 0.5)
    if pattern in (BRICKS, PLAID, ZIGZAG, RINGS):
        u, v = _flattened(p, normal)
        second_share, third_share = _flat_shares(pattern, u, v, seed)
    else:
        moved = p
        if pattern != GRADIENT and pattern != WOOD:
            moved = (p[0] + offset, p[1] + offset * 1.3, p[2])
        second_share, third_share = _solid_shares(pattern, moved, seed)
    base = mixed(first, second, 0.5 + (second_share - 0.5) * sharp)
    return mixed(base, vector_at(row, _THIRD), third_share * sharp)


assert TERRAZZO == 14  # what _solid_shares takes anything else for
