"""Light: the sky, how surfaces answer it, and what arrives at the camera."""

# Kernels are typed as if they computed with Python's numbers, of which NumPy's are none.
# pyright: reportArgumentType=false, reportReturnType=false

import math

import numpy as np

from lavin_dit.datasets.world.arrays import EnvironmentLayout, MaterialLayout, SceneArrays
from lavin_dit.datasets.world.kernels.compilation import inlined_kernel, kernel
from lavin_dit.datasets.world.kernels.intersection import normal_of
from lavin_dit.datasets.world.kernels.noise import floor_of, fractal_noise, random_at, value_noise
from lavin_dit.datasets.world.kernels.texturing import colour_of
from lavin_dit.datasets.world.kernels.tracing import is_blocked, nearest_hit
from lavin_dit.datasets.world.kernels.vectors import (
    Vector,
    add,
    along,
    clamped,
    dot,
    larger,
    mixed,
    place_of,
    rotate_in,
    rotate_out,
    scaled,
    smaller,
    subtract,
    times,
    unit,
    vector_at,
)

_SUN, _SUN_COLOUR = EnvironmentLayout.SUN_DIRECTION, EnvironmentLayout.SUN_COLOUR
_SOFTNESS, _ZENITH = EnvironmentLayout.SUN_SOFTNESS, EnvironmentLayout.ZENITH
_HORIZON, _GROUND = EnvironmentLayout.HORIZON, EnvironmentLayout.GROUND
_AMBIENT, _CLOUDS = EnvironmentLayout.AMBIENT, EnvironmentLayout.CLOUDS
_CLOUD_FREQUENCY, _SKY_SEED = EnvironmentLayout.CLOUD_FREQUENCY, EnvironmentLayout.SKY_SEED
_FOG_PER_M, _FOG, _STARS = (
    EnvironmentLayout.FOG_PER_M,
    EnvironmentLayout.FOG,
    EnvironmentLayout.STARS,
)
_ROUGHNESS, _SHINE = MaterialLayout.ROUGHNESS, MaterialLayout.SHINE
_MIRROR, _BUMP = MaterialLayout.MIRROR, MaterialLayout.BUMP
_FREQUENCY = MaterialLayout.FREQUENCY

_LIFT_M = np.float32(2e-3)  # rays leave a surface from above it, or they would meet it again
_BRIGHTEST = np.float32(12.0)  # a glint above this would only alias
_SHADOW_RANGE_M = np.float32(60.0)


@kernel
def sky(scene: SceneArrays, direction: Vector) -> Vector:
    """Radiance of the sky in a direction."""
    around = scene.environment
    height = direction[2]
    colour = mixed(
        vector_at(around, _HORIZON), vector_at(around, _ZENITH), clamped(height * 1.3 + 0.05)
    )
    seed = np.int32(around[_SKY_SEED])
    if around[_CLOUDS] > 0.0 and height > 0.01:
        reach = around[_CLOUD_FREQUENCY] / (height + 0.15)
        shape = fractal_noise((direction[0] * reach, direction[1] * reach, 0.5), seed, 4)
        share = clamped((shape - 1.0 + around[_CLOUDS]) * 4.0)
        bright = larger(larger(colour[0], colour[1]), colour[2]) * 1.25 + 0.02
        colour = mixed(colour, (bright, bright, bright), share)
    if around[_STARS] > 0.0:
        cell = scaled(direction, 90.0)
        chance = random_at(floor_of(cell[0]), floor_of(cell[1]), floor_of(cell[2]), seed)
        if chance > 0.992:
            glow = around[_STARS] * (chance - 0.992) * 125.0
            colour = add(colour, (glow, glow, glow))
    facing = dot(direction, vector_at(around, _SUN))
    if facing > 0.995:
        colour = add(colour, scaled(vector_at(around, _SUN_COLOUR), (facing - 0.995) * 400.0))
    if around[_FOG_PER_M] > 0.0:
        depth = around[_FOG_PER_M] * 25.0 / (larger(height, 0.0) + 0.03)
        colour = mixed(vector_at(around, _FOG), colour, math.exp(-depth))
    return colour


@inlined_kernel
def _openness(scene: SceneArrays, moment: int, part: int, point: Vector, normal: Vector) -> float:
    """Share of the sky that nearby parts leave free, taking each for a sphere."""
    free = 1.0
    for thing in range(scene.starts.shape[0] - 1):
        radius = scene.bounds[moment, thing, 3]
        away = subtract(vector_at(scene.bounds[moment, thing], 0), point)
        if radius < 0.0 or dot(away, away) > radius * radius * 16.0:
            continue
        for other in range(scene.starts[thing], scene.starts[thing + 1]):
            if other == part:
                continue
            to = subtract(place_of(scene.poses[moment, other]), point)
            squared = dot(to, to)
            reach = scene.geometry[other, 5] * 0.75
            cosine = dot(normal, to)
            if squared < reach * reach * 16.0 and cosine > 0.0:
                covered = cosine * reach * reach / (squared * math.sqrt(squared) + 1e-6)
                free *= 1.0 - smaller(covered, 0.8)
    return 0.2 + 0.8 * free


@inlined_kernel
def _gloss(scene: SceneArrays, material: int, normal: Vector, half: Vector) -> float:
    """Strength of the highlight of a lamp (Blinn and Phong's)."""
    row = scene.materials[material]
    rough = row[_ROUGHNESS] * row[_ROUGHNESS]
    exponent = 2.0 / (rough * rough + 1e-3)
    cosine = larger(dot(normal, unit(half)), 0.0)
    return row[_SHINE] * math.pow(cosine, exponent) * (exponent + 2.0) * 0.06


@kernel
def _bumped(scene: SceneArrays, material: int, point: Vector, normal: Vector) -> Vector:
    """A normal disturbed by noise, for shading alone."""
    row = scene.materials[material]
    p = scaled(point, row[_FREQUENCY] * 3.0)
    here = value_noise(p, 3)
    x = value_noise((p[0] + 0.1, p[1], p[2]), 3) - here
    y = value_noise((p[0], p[1] + 0.1, p[2]), 3) - here
    z = value_noise((p[0], p[1], p[2] + 0.1), 3) - here
    return unit(along(normal, (x, y, z), -row[_BUMP] * 5.0))


@inlined_kernel
def _sunlight(
    scene: SceneArrays,
    moment: int,
    start: Vector,
    normal: Vector,
    jitter: tuple[float, float],
    shadows: bool,
) -> tuple[float, Vector]:
    """Cosine of the sun's light on a surface, 0 in shadow, and where it comes from."""
    around = scene.environment
    if around[_SUN_COLOUR] + around[_SUN_COLOUR + 1] + around[_SUN_COLOUR + 2] <= 0.0:
        return 0.0, normal
    soft = around[_SOFTNESS]
    a, b = jitter[0] - 0.5, jitter[1] - 0.5
    to = unit(add(vector_at(around, _SUN), (soft * a, soft * b, soft * (a - b) * 0.5)))
    cosine = dot(normal, to)
    if cosine <= 0.0 or (shadows and is_blocked(scene, moment, start, to, _SHADOW_RANGE_M)):
        return 0.0, to
    return cosine, to


@inlined_kernel
def _lamplight(
    scene: SceneArrays,
    moment: int,
    lamp: int,
    start: Vector,
    normal: Vector,
    jitter: tuple[float, float],
    shadows: bool,
) -> tuple[float, Vector]:
    """Strength of a lamp's light on a surface, 0 in shadow, and where it comes from."""
    row = scene.lights[lamp]
    a, b = (jitter[0] - 0.5) * row[6], (jitter[1] - 0.5) * row[6]
    ray = subtract((row[0] + a, row[1] + b, row[2]), start)
    squared = dot(ray, ray)
    distance = math.sqrt(squared)
    to = scaled(ray, 1.0 / distance)
    cosine = dot(normal, to)
    if cosine <= 0.0 or (shadows and is_blocked(scene, moment, start, to, distance)):
        return 0.0, to
    return cosine / (0.3 + squared), to


@kernel
def _shade(
    scene: SceneArrays,
    moment: int,
    hit: tuple[int, float],
    origin: Vector,
    direction: Vector,
    footprint: float,
    jitter: tuple[float, float],
    shadows: bool,
) -> tuple[Vector, Vector, Vector, Vector]:
    """Light that a surface sends back along a ray, without mirroring.

    Returns:
        Radiance, colour of the surface, its normal, and a point just above it.
    """
    part, distance = hit
    pose = scene.poses[moment, part]
    point = along(origin, direction, distance)
    local = rotate_in(pose, subtract(point, place_of(pose)))
    local_normal = normal_of(scene.kinds[part], scene.geometry[part], local)
    material = scene.part_materials[part]
    true_normal = rotate_out(pose, local_normal)
    slant = larger(-dot(true_normal, direction), 0.1)
    colour = colour_of(scene, material, local, local_normal, footprint / slant)
    normal = true_normal
    if scene.materials[material, _BUMP] > 0.0:
        normal = rotate_out(pose, _bumped(scene, material, local, local_normal))
    start = along(point, true_normal, _LIFT_M)
    around = scene.environment
    up = 0.5 + 0.5 * normal[2]
    ambient = mixed(vector_at(around, _GROUND), vector_at(around, _ZENITH), up)
    strength = around[_AMBIENT]
    if shadows:
        strength *= _openness(scene, moment, part, point, true_normal)
    light = scaled(times(colour, ambient), strength)
    cosine, to = _sunlight(scene, moment, start, normal, jitter, shadows)
    if cosine > 0.0:
        gloss = _gloss(scene, material, normal, subtract(to, direction))
        sent = scaled(add(colour, (gloss, gloss, gloss)), cosine)
        light = add(light, times(vector_at(around, _SUN_COLOUR), sent))
    for lamp in range(scene.lights.shape[0]):
        cosine, to = _lamplight(scene, moment, lamp, start, normal, jitter, shadows)
        if cosine > 0.0:
            gloss = _gloss(scene, material, normal, subtract(to, direction))
            sent = scaled(add(colour, (gloss, gloss, gloss)), cosine)
            light = add(light, times(vector_at(scene.lights[lamp], 3), sent))
    return light, colour, normal, start


@kernel
def radiance(
    scene: SceneArrays,
    moment: int,
    hit: tuple[int, float],
    origin: Vector,
    direction: Vector,
    jitter: tuple[float, float],
) -> Vector:
    """Light that arrives along a ray, given what it meets.

    Args:
        scene: The scene.
        moment: When.
        hit: Part and distance, as ``nearest_hit`` gives them.
        origin: Where the ray starts.
        direction: Its direction of length 1.
        jitter: Two numbers in 0 to 1: which point of the sun and of each lamp shines.

    Returns:
        Linear red, green and blue.
    """
    part, distance = hit
    if part < 0:
        return sky(scene, direction)
    width = 1.0 / scene.cameras[moment, 12]
    light, colour, normal, start = _shade(
        scene, moment, hit, origin, direction, distance * width, jitter, True
    )
    mirror = scene.materials[scene.part_materials[part], _MIRROR]
    if mirror > 0.0:
        cosine = smaller(dot(direction, normal), 0.0)
        reflected = along(direction, normal, -2.0 * cosine)
        share = mirror + (1.0 - mirror) * math.pow(1.0 + cosine, 5.0) * 0.6
        second = nearest_hit(scene, moment, start, reflected)
        if second[0] < 0:
            seen = sky(scene, reflected)
        else:
            reach = (distance + second[1]) * width
            seen = _shade(scene, moment, second, start, reflected, reach, jitter, False)[0]
        tint = mixed((1.0, 1.0, 1.0), colour, 0.6)
        light = mixed(light, times(seen, tint), share)
    thickness = scene.environment[_FOG_PER_M] * smaller(distance, 500.0)
    if thickness > 0.0:
        light = mixed(vector_at(scene.environment, _FOG), light, math.exp(-thickness))
    return (
        smaller(light[0], _BRIGHTEST),
        smaller(light[1], _BRIGHTEST),
        smaller(light[2], _BRIGHTEST),
    )
