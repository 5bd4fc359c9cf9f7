"""Drawing whole scenes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lavin_dit.datasets.world.camera import Surroundings, draw_camera
from lavin_dit.datasets.world.classes import OBJECT_CLASSES
from lavin_dit.datasets.world.extents import enclosing_sphere, reach
from lavin_dit.datasets.world.looks import Looks, linear, plain
from lavin_dit.datasets.world.postures import ACTIVITIES, ANGLES
from lavin_dit.datasets.world.rotations import matrix_of
from lavin_dit.datasets.world.shapes import build_parts
from lavin_dit.datasets.world.spec import (
    CameraPath,
    FigureSpec,
    Material,
    ObjectSpec,
    Quaternion,
    Room,
    SceneSpec,
)
from lavin_dit.datasets.world.surroundings import draw_environment, draw_optics, draw_room

FRAMES_PER_S = 12.0
_ROOM_SHARE = 0.4
_NUM_FIGURES = (0.5, 0.32, 0.14, 0.04)  # how often there are 0, 1, 2, 3 people
_NUM_ATTEMPTS = 30
_GAP_M = 0.02
_MOTIONS = ("rest", "slide", "fall", "toss")


@dataclass
class _Placed:
    """Spheres that are taken."""

    centres: list[Float64[np.ndarray, "3"]]
    radii: list[float]

    def fits(self, centre: Float64[np.ndarray, "3"], radius: float) -> bool:
        """Whether another sphere has room."""
        return all(
            float(np.linalg.norm(centre - other)) > radius + own + _GAP_M
            for other, own in zip(self.centres, self.radii, strict=True)
        )

    def add(self, centre: Float64[np.ndarray, "3"], radius: float) -> None:
        """Take a sphere."""
        self.centres.append(centre)
        self.radii.append(radius)


def draw_scene(looks: Looks, generator: np.random.Generator, *, num_frames: int) -> SceneSpec:
    """Draw a scene.

    Args:
        looks: Split and photos.
        generator: Source of all randomness.
        num_frames: Number of frames of the clip.

    Returns:
        The scene; nothing overlaps at its start, and its camera looks at some of what there is.
    """
    num_objects = 1 + int(generator.poisson(4.0))
    num_figures = int(generator.choice(len(_NUM_FIGURES), p=_NUM_FIGURES))
    spread_m = 0.25 + 0.3 * np.sqrt(num_objects) + 0.35 * num_figures
    taken = _Placed([], [])
    seen = _Placed([], [])
    figures = [_draw_figure(looks, generator, spread_m, taken, seen) for _ in range(num_figures)]
    restless = generator.random() < 0.8
    objects = [
        _draw_object(looks, generator, spread_m, taken, seen, restless=restless)
        for _ in range(min(num_objects, 12))
    ]
    things = Surroundings(centres=np.array(seen.centres), radii=np.array(seen.radii))
    camera = draw_camera(things, generator, moves=num_frames > 1)
    room = _room_around(looks, generator, things, camera)
    return SceneSpec(
        num_frames=num_frames,
        frames_per_s=FRAMES_PER_S,
        camera=camera,
        environment=draw_environment(generator, room=room),
        optics=draw_optics(generator),
        floor=looks.draw_broad(generator),
        room=room,
        objects=tuple(thing for thing in objects if thing is not None),
        figures=tuple(figure for figure in figures if figure is not None),
        friction=float(generator.uniform(0.3, 1.0)),
    )


def _room_around(
    looks: Looks, generator: np.random.Generator, things: Surroundings, camera: CameraPath
) -> Room | None:
    """A room that holds everything, or none."""
    if generator.random() > _ROOM_SHARE:
        return None
    places = np.concatenate([things.centres, np.array(camera.eye)])
    reach_m = np.concatenate([things.radii, [0.4, 0.4]])
    radius = float((np.linalg.norm(places[:, :2], axis=-1) + reach_m).max())
    height = float((places[:, 2] + reach_m).max())
    room = draw_room(looks, generator, radius_m=radius * 1.2)
    return Room(
        wall_distances_m=room.wall_distances_m,
        wall_angles_rad=room.wall_angles_rad,
        height_m=max(room.height_m, height + 0.2),
        walls=room.walls,
        ceiling=room.ceiling,
    )


def _draw_object(
    looks: Looks,
    generator: np.random.Generator,
    spread_m: float,
    taken: _Placed,
    seen: _Placed,
    *,
    restless: bool,
) -> ObjectSpec | None:
    """Draw an object where there is room for it, if that can be found."""
    names = OBJECT_CLASSES[looks.split]
    name = names[int(generator.integers(len(names)))]
    scale = float(np.exp(generator.uniform(np.log(0.6), np.log(1.7))))
    parts = build_parts(name, scale=scale, generator=generator)
    motion = _MOTIONS[int(generator.choice(4, p=(0.4, 0.15, 0.2, 0.25)))] if restless else "rest"
    in_air = motion in ("fall", "toss")
    rotation = _any_rotation(generator) if in_air else _upright(generator)
    to_centre, radius = enclosing_sphere(parts)
    down = np.array([0.0, 0.0, -1.0]) @ matrix_of(rotation)
    rest_height = reach(parts, down)
    offset = matrix_of(rotation) @ to_centre
    for attempt in range(_NUM_ATTEMPTS):
        wide = spread_m * (1 + 0.03 * attempt)
        place = np.array([*generator.uniform(-wide, wide, 2), rest_height + 1e-3])
        if in_air:
            place[2] += generator.uniform(0.1, 0.9)
        if not taken.fits(place + offset, radius):
            continue
        taken.add(place + offset, radius)
        middle = place + offset
        middle[2] = (middle[2] + rest_height) / 2
        seen.add(middle, radius)
        velocity, spin = _draw_motion(generator, motion, place)
        return ObjectSpec(
            class_name=name,
            parts=parts,
            materials=tuple(looks.draw(generator) for _ in range(1 + max(p.slot for p in parts))),
            position=(float(place[0]), float(place[1]), float(place[2])),
            rotation=rotation,
            velocity=(float(velocity[0]), float(velocity[1]), float(velocity[2])),
            spin=(float(spin[0]), float(spin[1]), float(spin[2])),
        )
    return None


def _draw_motion(
    generator: np.random.Generator, motion: str, place: Float64[np.ndarray, "3"]
) -> tuple[Float64[np.ndarray, "3"], Float64[np.ndarray, "3"]]:
    """Velocity and spin at the start."""
    inward = -place[:2] / max(float(np.linalg.norm(place[:2])), 0.1)
    sideways = generator.normal(0, 0.4, 2)
    if motion == "rest":
        return np.zeros(3), np.zeros(3)
    if motion == "slide":
        velocity = (inward + sideways) * generator.uniform(0.5, 2.2)
        return np.array([*velocity, 0.0]), np.array([0.0, 0.0, generator.normal(0, 2)])
    spin = generator.normal(0, 3, 3)
    if motion == "fall":
        return np.zeros(3), spin
    velocity = (inward + sideways) * generator.uniform(0.2, 1.5)
    return np.array([*velocity, generator.uniform(-0.5, 2.2)]), spin


def _draw_figure(
    looks: Looks,
    generator: np.random.Generator,
    spread_m: float,
    taken: _Placed,
    seen: _Placed,
) -> FigureSpec | None:
    """Draw a person where there is room for it, if that can be found."""
    height = float(generator.uniform(1.1, 1.85))
    for _ in range(_NUM_ATTEMPTS):
        x, y = generator.uniform(-spread_m, spread_m, 2)
        column = [np.array([x, y, height * share]) for share in (0.15, 0.4, 0.65, 0.9)]
        if all(taken.fits(centre, 0.28 * height) for centre in column):
            break
    else:
        return None
    for centre in column:
        taken.add(centre, 0.28 * height)
    seen.add(np.array([x, y, 0.5 * height]), 0.52 * height)
    return FigureSpec(
        height_m=height,
        girth=float(np.clip(generator.normal(1, 0.14), 0.75, 1.4)),
        activity=ACTIVITIES[int(generator.integers(len(ACTIVITIES)))],
        position=(float(x), float(y)),
        heading_rad=float(generator.uniform(0, 2 * np.pi)),
        tempo_hz=float(generator.uniform(0.4, 1.1)),
        phase=float(generator.random()),
        quirks_deg=tuple(float(q) for q in generator.normal(0, 7, len(ANGLES))),
        short_sleeves=bool(generator.random() < 0.5),
        short_trousers=bool(generator.random() < 0.3),
        hat=bool(generator.random() < 0.25),
        materials=_draw_clothes(looks, generator),
    )


def _draw_clothes(looks: Looks, generator: np.random.Generator) -> tuple[Material, ...]:
    """Skin, shirt, trousers, shoes, hair, eyes, hat."""
    shade = generator.uniform(0.25, 1.0)
    skin = linear((0.95 * shade**0.6, 0.76 * shade**0.8, 0.64 * shade))
    grey = generator.uniform(0.02, 0.4)
    hair = (float(grey * 0.6), float(grey * 0.4), float(grey * 0.22))
    cloth = [
        looks.draw(generator, frequency_per_m=(4.0, 16.0), mirrors=0.0) for _ in range(3)
    ]  # fmt: skip
    shoes = linear(tuple(generator.uniform(0.05, 0.5, 3)))
    return (
        plain(skin, roughness=0.6, shine=0.1),
        cloth[0],
        cloth[1],
        plain(shoes),
        plain(hair, roughness=0.5),
        plain((0.01, 0.01, 0.012), roughness=0.2, shine=0.5),
        cloth[2],
    )


def _upright(generator: np.random.Generator) -> Quaternion:
    """Turned about the vertical."""
    half = generator.uniform(0, np.pi)
    return float(np.cos(half)), 0.0, 0.0, float(np.sin(half))


def _any_rotation(generator: np.random.Generator) -> Quaternion:
    """Any rotation, all equally likely."""
    w, x, y, z = generator.normal(size=4)
    length = float(np.sqrt(w * w + x * x + y * y + z * z))
    return float(w) / length, float(x) / length, float(y) / length, float(z) / length
