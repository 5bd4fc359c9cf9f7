"""Drawing a camera that looks at what there is and fills the picture with it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lavin_dit.datasets.world.primitives import Triple
from lavin_dit.datasets.world.spec import CameraPath

_CLOSEST_M = 0.25  # to the sphere around anything
_LOWEST_M = 0.12
_STILL_SHARE = 0.25  # of the cameras of clips


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Spheres around the things of a scene.

    Attributes:
        centres: Their centres, in metres.
        radii: Their radii.
    """

    centres: Float64[np.ndarray, "things 3"]
    radii: Float64[np.ndarray, " things"]


def draw_camera(things: Surroundings, generator: np.random.Generator, *, moves: bool) -> CameraPath:
    """Draw a camera.

    Args:
        things: What there is to look at.
        generator: Source of randomness.
        moves: Whether it may move.

    Returns:
        Its path; outside of all spheres and above the floor.
    """
    count = len(things.radii)
    num_seen = count if generator.random() < 0.55 else int(generator.integers(1, count + 1))
    seen = generator.permutation(count)[:num_seen]
    focus = things.centres[seen].mean(axis=0)
    view_deg = float(generator.uniform(30, 62))
    half = np.tan(np.radians(view_deg) / 2)
    turn = generator.uniform(0, 2 * np.pi)
    height = np.radians(3 + 47 * generator.beta(1.2, 2.0))
    nearness = generator.uniform(0.42, 0.85)
    moves = moves and generator.random() > _STILL_SHARE
    eyes: list[Triple] = []
    targets: list[Triple] = []
    start = focus + generator.normal(0, 0.08, 3)
    shift = generator.normal(0, 0.12, 3) * moves
    swing = generator.uniform(-0.35, 0.35) * moves
    rise = generator.uniform(-0.1, 0.1) * moves
    growth = float(np.exp(generator.uniform(-0.2, 0.2) * moves))
    fitting = 0.0
    for end in range(2):
        target = start + shift * end
        tilt = float(np.clip(height + rise * end, 0.04, 1.2))
        direction = np.array(
            [
                np.cos(tilt) * np.cos(turn + swing * end),
                np.cos(tilt) * np.sin(turn + swing * end),
                np.sin(tilt),
            ]
        )
        if not fitting:
            fitting = nearness * _fitting_distance(
                things.centres[seen] - target, things.radii[seen], direction, half=float(half)
            )
        distance = _free_distance(things, target, direction, fitting * growth**end)
        eye = target + direction * distance
        eyes.append(_triple([eye[0], eye[1], max(float(eye[2]), _LOWEST_M)]))
        targets.append(_triple(target))
    roll = generator.normal(0, 0.05, 2)
    if not moves:
        roll[1] = roll[0]
    return CameraPath(
        eye=(eyes[0], eyes[1]),
        target=(targets[0], targets[1]),
        roll_rad=(float(roll[0]), float(roll[1])),
        view_deg=view_deg,
    )


def _fitting_distance(
    offsets: Float64[np.ndarray, "n 3"],
    radii: Float64[np.ndarray, " n"],
    direction: Float64[np.ndarray, "3"],
    *,
    half: float,
) -> float:
    """Distance from which all spheres fill the shorter side of the picture."""
    near = offsets @ direction
    aside = np.linalg.norm(offsets - near[:, None] * direction, axis=-1)
    return float((near + (aside + radii) / half).max())


def _free_distance(
    things: Surroundings,
    target: Float64[np.ndarray, "3"],
    direction: Float64[np.ndarray, "3"],
    distance: float,
) -> float:
    """The distance, or the next larger one at which the camera is outside of everything."""
    for _ in range(40):
        gap = np.linalg.norm(things.centres - target - direction * distance, axis=-1)
        if (gap > things.radii + _CLOSEST_M).all():
            break
        distance += 0.15
    return distance


def _triple(values: "np.ndarray | list[float]") -> Triple:
    """Three plain numbers."""
    return float(values[0]), float(values[1]), float(values[2])
