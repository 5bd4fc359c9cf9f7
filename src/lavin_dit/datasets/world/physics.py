"""How things move: MuJoCo's rigid bodies, pushed by people who follow their programme."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from lavin_dit.datasets.world.extras import import_extra
from lavin_dit.datasets.world.figures import FigureMotion, move_figure
from lavin_dit.datasets.world.rotations import matrix_of, quaternion_of, turns
from lavin_dit.datasets.world.spec import Part, SceneSpec

_STEP_S = 1 / 240
_PUSHES_PER_FRAME = 4  # how often people's places are brought up to date
_DENSITY = 400.0
_TORUS_CAPSULES = 10
_MESH_RINGS, _MESH_SIDES = 5, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Where everything is at each moment: one before the clip, its frames, and one after it.

    Attributes:
        rotations: Rotation of each object.
        places: Place of each object, in metres.
        figures: The people.
    """

    rotations: Float64[np.ndarray, "moments objects 3 3"]
    places: Float64[np.ndarray, "moments objects 3"]
    figures: tuple[FigureMotion, ...]


def moment_times(spec: SceneSpec, *, per_frame: int = 1) -> Float64[np.ndarray, " times"]:
    """Times in seconds of all moments, 0 in the middle of the clip.

    Args:
        spec: The scene.
        per_frame: How many times there are from one frame to the next.

    Returns:
        The times, from one frame before the clip to one frame after it.
    """
    middle = (spec.num_frames + 1) / 2
    steps = np.arange((spec.num_frames + 1) * per_frame + 1) / per_frame
    return (steps - middle) / spec.frames_per_s


def simulate(spec: SceneSpec) -> Trajectory:
    """Let a scene happen.

    Args:
        spec: The scene.

    Returns:
        The motion of all things; the same for the same scene and version of MuJoCo.

    Raises:
        ImportError: If MuJoCo is not installed.
    """
    figures = tuple(
        move_figure(figure, moment_times(spec, per_frame=_PUSHES_PER_FRAME))
        for figure in spec.figures
    )
    rotations, places = _simulate_objects(spec, figures)
    return Trajectory(
        rotations=rotations,
        places=places,
        figures=tuple(_thinned(figure, _PUSHES_PER_FRAME) for figure in figures),
    )


def _simulate_objects(
    spec: SceneSpec, figures: Sequence[FigureMotion]
) -> tuple[Float64[np.ndarray, "moments objects 3 3"], Float64[np.ndarray, "moments objects 3"]]:
    """Run MuJoCo from one frame before the clip to one after it."""
    num_moments, num_objects = spec.num_frames + 2, len(spec.objects)
    rotations = np.empty((num_moments, num_objects, 3, 3))
    places = np.empty((num_moments, num_objects, 3))
    if not spec.objects:
        return rotations, places
    mujoco: Any = import_extra("mujoco", purpose="the physics of the synthetic world")
    model = _model(mujoco, spec, figures)
    state = mujoco.MjData(model)
    for index, thing in enumerate(spec.objects):
        first = 6 * index
        state.qvel[first : first + 3] = thing.velocity
        state.qvel[first + 3 : first + 6] = matrix_of(thing.rotation).T @ np.array(thing.spin)
    pushed = _pushed_places(figures)
    num_steps = round(1 / spec.frames_per_s / _STEP_S / _PUSHES_PER_FRAME)
    bodies = slice(1, 1 + num_objects)
    for moment in range(num_moments):
        mujoco.mj_kinematics(model, state)
        rotations[moment] = state.xmat[bodies].reshape(-1, 3, 3)
        places[moment] = state.xpos[bodies]
        if moment == num_moments - 1:
            break
        for push in range(_PUSHES_PER_FRAME):
            if pushed is not None:
                time = moment * _PUSHES_PER_FRAME + push
                state.mocap_pos[:], state.mocap_quat[:] = pushed[0][time], pushed[1][time]
            mujoco.mj_step(model, state, num_steps)
    return rotations, places


def _model(mujoco: Any, spec: SceneSpec, figures: Sequence[FigureMotion]) -> Any:  # noqa: ANN401
    """The scene as MuJoCo wants it."""
    model = mujoco.MjSpec()
    model.option.timestep = _STEP_S
    world = model.worldbody
    friction = [spec.friction, 0.01, 0.001]
    plane = mujoco.mjtGeom.mjGEOM_PLANE
    for rotation, place in enclosing_planes(spec):
        quaternion = quaternion_of(rotation)
        world.add_geom(type=plane, size=[0, 0, 1], pos=place, quat=quaternion, friction=friction)
    for thing in spec.objects:
        body = world.add_body(pos=thing.position, quat=thing.rotation)
        body.add_freejoint()
        for part in thing.parts:
            add_collider(mujoco, model, body, part, friction=spec.friction)
    for figure in figures:
        for part, solid in zip(figure.parts, figure.solid, strict=True):
            if solid:
                body = world.add_body(mocap=True)
                add_collider(mujoco, model, body, part, friction=spec.friction)
    return model.compile()


def enclosing_planes(
    spec: SceneSpec,
) -> list[tuple[Float64[np.ndarray, "3 3"], Float64[np.ndarray, "3"]]]:
    """Floor, walls and ceiling, in this order.

    Args:
        spec: The scene.

    Returns:
        Rotation and place of each: its third axis points into the scene, and the second axis of
        a wall points up.
    """
    planes = [(np.eye(3), np.zeros(3))]
    if spec.room is None:
        return planes
    room = spec.room
    for distance, angle in zip(room.wall_distances_m, room.wall_angles_rad, strict=True):
        outward = np.array([np.cos(angle), np.sin(angle), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        planes.append(
            (np.stack([np.cross(up, -outward), up, -outward], axis=1), outward * distance)
        )
    planes.append((turns("x", np.array(np.pi)), np.array([0.0, 0.0, room.height_m])))
    return planes


def add_collider(mujoco: Any, model: Any, body: Any, part: Part, *, friction: float) -> None:  # noqa: ANN401
    """Give a body the solid of a part.

    Spheres, ellipsoids, boxes, cylinders and capsules are exact. Cones and superballs become the
    convex hull of points on their surface, and a torus a ring of capsules.

    Args:
        mujoco: The module.
        model: The ``MjSpec`` that the body belongs to.
        body: Written to.
        part: What it gets.
        friction: Sliding friction.
    """
    kinds = mujoco.mjtGeom
    a, b, c = part.size
    settings = {"density": _DENSITY, "friction": [friction, 0.01, 0.001]}
    place: dict[str, object] = {"pos": part.offset, "quat": part.rotation}
    if part.kind == "torus":
        turn = matrix_of(part.rotation)
        for index in range(_TORUS_CAPSULES):
            ends = 2 * np.pi * (index + np.array([0, 1])) / _TORUS_CAPSULES
            ring = a * np.stack([np.cos(ends), np.sin(ends), 0 * ends], axis=-1)
            ends = ring @ turn.T + np.array(part.offset)
            body.add_geom(
                type=kinds.mjGEOM_CAPSULE, size=[b, 0, 0], fromto=ends.ravel(), **settings
            )
        return
    if part.kind in ("cone", "superball"):
        name = f"mesh{len(model.meshes)}"
        model.add_mesh(name=name, uservert=hull_points(part).ravel())
        body.add_geom(type=kinds.mjGEOM_MESH, meshname=name, **place, **settings)
        return
    exact = {
        "sphere": (kinds.mjGEOM_SPHERE, [a, 0, 0]),
        "ellipsoid": (kinds.mjGEOM_ELLIPSOID, [a, b, c]),
        "box": (kinds.mjGEOM_BOX, [a, b, c]),
        "cylinder": (kinds.mjGEOM_CYLINDER, [a, c, 0]),
        "capsule": (kinds.mjGEOM_CAPSULE, [a, c, 0]),
    }
    kind, size = exact[part.kind]
    body.add_geom(type=kind, size=size, **place, **settings)


def hull_points(part: Part) -> Float64[np.ndarray, "n 3"]:
    """Points on the surface of a cone or superball, whose hull stands for it."""
    turn = 2 * np.pi * np.arange(_MESH_SIDES) / _MESH_SIDES
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    a, b, c = part.size
    if part.kind == "cone":
        ends = [
            np.concatenate([max(radius, 1e-3) * circle, np.full((_MESH_SIDES, 1), z)], axis=1)
            for radius, z in ((a, -c), (b, c))
        ]
        return np.concatenate(ends)
    tilt = np.pi * (np.arange(_MESH_RINGS) + 0.5) / _MESH_RINGS
    rings = np.sin(tilt)[:, None, None] * circle
    heights = np.broadcast_to(np.cos(tilt)[:, None, None], (_MESH_RINGS, _MESH_SIDES, 1))
    directions = np.concatenate([rings, heights], axis=-1).reshape(-1, 3)
    directions = np.concatenate([directions, np.eye(3), -np.eye(3)])
    p, q = part.powers
    x, y, z = np.abs(directions).T
    norm = ((x**p + y**p) ** (q / p) + z**q) ** (1 / q)
    return directions / norm[:, None] * np.array(part.size)


def _pushed_places(
    figures: Sequence[FigureMotion],
) -> tuple[Float64[np.ndarray, "times bodies 3"], Float64[np.ndarray, "times bodies 4"]] | None:
    """Places and rotations of all parts of people that things collide with."""
    if not figures:
        return None
    solid = [np.array(figure.solid) for figure in figures]
    places = [figure.places[:, own] for figure, own in zip(figures, solid, strict=True)]
    matrices = np.concatenate(
        [figure.rotations[:, own] for figure, own in zip(figures, solid, strict=True)], axis=1
    )
    quaternions = np.array([[quaternion_of(part) for part in time] for time in matrices])
    return np.concatenate(places, axis=1), quaternions


def _thinned(figure: FigureMotion, stride: int) -> FigureMotion:
    """A person at every stride-th time only."""
    return FigureMotion(
        parts=figure.parts,
        solid=figure.solid,
        rotations=figure.rotations[::stride],
        places=figure.places[::stride],
        joints=figure.joints[::stride],
        joint_radii=figure.joint_radii,
    )
