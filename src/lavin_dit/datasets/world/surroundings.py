"""Drawing light and air, rooms, lens and sensor."""

import colorsys

import numpy as np

from lavin_dit.datasets.world.looks import Looks, linear
from lavin_dit.datasets.world.primitives import Triple
from lavin_dit.datasets.world.spec import Environment, Lamp, Optics, Room

_NIGHT_SHARE, _FOG_SHARE = 0.15, 0.2
_BLACK: Triple = (0.0, 0.0, 0.0)


def draw_room(looks: Looks, generator: np.random.Generator, *, radius_m: float) -> Room:
    """Draw a room.

    Args:
        looks: What walls can look like.
        generator: Source of randomness.
        radius_m: Radius around the origin that must be free.

    Returns:
        Four to six walls; opposite or not, of one material or several.
    """
    num_walls = int(generator.choice([4, 4, 4, 5, 6]))
    start = generator.uniform(0, 2 * np.pi)
    jitter = generator.uniform(-0.12, 0.12, num_walls) if num_walls > 4 else np.zeros(num_walls)
    angles = start + 2 * np.pi * np.arange(num_walls) / num_walls + jitter
    material = looks.draw_broad(generator)
    same = generator.random() < 0.6
    walls = [material if same else looks.draw_broad(generator) for _ in range(num_walls)]
    return Room(
        wall_distances_m=tuple(
            radius_m * float(f) for f in generator.uniform(1.05, 1.7, num_walls)
        ),
        wall_angles_rad=tuple(map(float, angles)),
        height_m=float(generator.uniform(2.4, 3.8)),
        walls=tuple(walls),
        ceiling=looks.draw_broad(generator),
    )


def draw_environment(generator: np.random.Generator, *, room: Room | None) -> Environment:
    """Draw light and air that suit a room or the open.

    Args:
        generator: Source of randomness.
        room: The room, if there is one.

    Returns:
        Lamps and dim light from all sides in a room; outside a day or a night, clear or with
        clouds or fog.
    """
    if room is not None:
        return _indoors(generator, room)
    if generator.random() < _NIGHT_SHARE:
        return _night(generator)
    return _day(generator)


def _tint(generator: np.random.Generator, strength: float, spread: float) -> Triple:
    """A light that is nearly white."""
    red, green, blue = np.clip(generator.normal(1, spread, 3), 0.5, 1.5) * strength
    return float(red), float(green), float(blue)


def _direction(generator: np.random.Generator, *, lowest_deg: float) -> Triple:
    """A direction above the horizon."""
    height = np.radians(generator.uniform(lowest_deg, 75))
    turn = generator.uniform(0, 2 * np.pi)
    return (
        float(np.cos(height) * np.cos(turn)),
        float(np.cos(height) * np.sin(turn)),
        float(np.sin(height)),
    )


def _day(generator: np.random.Generator) -> Environment:
    """A day under a sky that is clear, cloudy or overcast."""
    sun = _direction(generator, lowest_deg=12.0)
    low = np.clip(1 - sun[2] / 0.5, 0, 1)
    strength = generator.uniform(1.2, 2.6)
    overcast = generator.random() < 0.25
    if overcast:
        strength *= 0.2
    blue = np.array([0.16, 0.33, 0.75]) * generator.uniform(0.6, 1.1)
    grey = np.full(3, generator.uniform(0.35, 0.7))
    zenith = grey if overcast else blue * (1 - 0.3 * low) + generator.uniform(-0.05, 0.08, 3)
    warm = np.array([0.9, 0.6 + 0.2 * (1 - low), 0.45 + 0.5 * (1 - low)])
    horizon = grey * 1.1 if overcast else warm * generator.uniform(0.5, 0.9)
    foggy = generator.random() < _FOG_SHARE
    ground = np.array(linear(colorsys.hsv_to_rgb(generator.random(), 0.25, 0.5)))
    return Environment(
        sun_direction=sun,
        sun_colour=_triple(strength * np.array([1.0, 0.97 - 0.2 * low, 0.92 - 0.5 * low])),
        sun_softness=float(generator.uniform(0.01, 0.06) if not overcast else 0.1),
        zenith=_triple(np.clip(zenith, 0.02, 1.0)),
        horizon=_triple(np.clip(horizon, 0.02, 1.2)),
        ground=_triple(ground),
        ambient=float(generator.uniform(0.5, 0.9)),
        clouds=float(generator.uniform(0.35, 0.75)) if generator.random() < 0.6 else 0.0,
        cloud_frequency=float(generator.uniform(0.8, 2.5)),
        sky_seed=int(generator.integers(1, 1000)),
        stars=0.0,
        fog_per_m=float(np.exp(generator.uniform(np.log(0.02), np.log(0.1)))) if foggy else 0.004,
        fog=_triple(np.clip(horizon, 0.05, 1.0)),
        lamps=(),
    )


def _night(generator: np.random.Generator) -> Environment:
    """A night with a moon and one or two lamps."""
    sky = np.array([0.012, 0.018, 0.045]) * generator.uniform(0.5, 2.0)
    lamps = tuple(
        Lamp(
            position=_place(generator, radius_m=2.5, low_m=1.5, high_m=3.0),
            colour=_tint(generator, float(generator.uniform(0.8, 2.0)), 0.25),
            radius_m=float(generator.uniform(0.02, 0.15)),
        )
        for _ in range(int(generator.integers(1, 3)))
    )
    foggy = generator.random() < _FOG_SHARE
    return Environment(
        sun_direction=_direction(generator, lowest_deg=20.0),
        sun_colour=_triple(np.array([0.06, 0.08, 0.12]) * generator.uniform(0.3, 1.5)),
        sun_softness=0.02,
        zenith=_triple(sky),
        horizon=_triple(sky * 1.8),
        ground=_triple(sky),
        ambient=float(generator.uniform(0.8, 1.5)),
        clouds=0.0,
        cloud_frequency=1.0,
        sky_seed=int(generator.integers(1, 1000)),
        stars=float(generator.uniform(0.1, 0.5)),
        fog_per_m=float(generator.uniform(0.03, 0.1)) if foggy else 0.004,
        fog=_triple(sky * 1.5),
        lamps=lamps,
    )


def _indoors(generator: np.random.Generator, room: Room) -> Environment:
    """Light from lamps and from all sides."""
    num_lamps = int(generator.choice([1, 1, 2]))
    reach = 0.6 * min(room.wall_distances_m)
    lamps = tuple(
        Lamp(
            position=_place(
                generator, radius_m=reach, low_m=0.65 * room.height_m, high_m=0.95 * room.height_m
            ),
            colour=_tint(generator, float(generator.uniform(1.5, 3.5)), 0.12),
            radius_m=float(generator.uniform(0.05, 0.3)),
        )
        for _ in range(num_lamps)
    )
    light = _tint(generator, float(generator.uniform(0.2, 0.5)), 0.1)
    return Environment(
        sun_direction=(0.0, 0.0, 1.0),
        sun_colour=_BLACK,
        sun_softness=0.0,
        zenith=light,
        horizon=light,
        ground=_triple(0.6 * np.array(light)),
        ambient=float(generator.uniform(0.5, 1.0)),
        clouds=0.0,
        cloud_frequency=1.0,
        sky_seed=1,
        stars=0.0,
        fog_per_m=0.0,
        fog=_BLACK,
        lamps=lamps,
    )


def draw_optics(generator: np.random.Generator) -> Optics:
    """Draw a lens and a sensor, most of them good ones.

    Args:
        generator: Source of randomness.

    Returns:
        What they do to the light.
    """
    warmth = generator.normal(0, 0.06)
    noisy = generator.random() < 0.5
    return Optics(
        exposure_ev=float(np.clip(generator.normal(0.15, 0.35), -0.8, 0.7)),
        white_balance=(float(1 + warmth), 1.0, float(1 - warmth)),
        saturation=float(generator.uniform(0.8, 1.3)),
        vignette=float(generator.uniform(0.0, 0.35)),
        blur_px=float(generator.uniform(0.25, 0.7)) if generator.random() < 0.4 else 0.0,
        noise=float(generator.uniform(0.004, 0.025)) if noisy else 0.0,
        noise_seed=int(generator.integers(1, 1_000_000)),
    )


def _place(
    generator: np.random.Generator, *, radius_m: float, low_m: float, high_m: float
) -> Triple:
    """A place around the origin."""
    x, y = generator.uniform(-radius_m, radius_m, 2)
    return float(x), float(y), float(generator.uniform(low_m, high_m))


def _triple(values: np.ndarray) -> Triple:
    """Three plain numbers."""
    return float(values[0]), float(values[1]), float(values[2])
