"""What the renderer says of pixels, against MuJoCo's ray caster and against reprojection.

MuJoCo casts rays in double precision with other people's code. Tori, cones and superballs it does
not have; they are checked against their own equations instead.
"""

import mujoco
import numpy as np
import pytest

from lavin_dit.datasets.world.arrays import NO_PART, NOWHERE, VISIBLE
from lavin_dit.datasets.world.primitives import (
    BOX,
    CAPSULE,
    CONE,
    CYLINDER,
    ELLIPSOID,
    PLANE,
    SPHERE,
    SUPERBALL,
    TORUS,
)
from lavin_dit.datasets.world.rotations import quaternion_of

GEOMS = {
    SPHERE: (mujoco.mjtGeom.mjGEOM_SPHERE, (0, 0, 0)),
    ELLIPSOID: (mujoco.mjtGeom.mjGEOM_ELLIPSOID, (0, 1, 2)),
    BOX: (mujoco.mjtGeom.mjGEOM_BOX, (0, 1, 2)),
    CYLINDER: (mujoco.mjtGeom.mjGEOM_CYLINDER, (0, 2, 2)),
    CAPSULE: (mujoco.mjtGeom.mjGEOM_CAPSULE, (0, 2, 2)),
}
FRAME = 1
FAR_M = 30.0


def rays_of(scene, moment, shape):
    """Directions of length 1 through pixel centres, and the depth of a point at distance 1."""
    camera = scene.arrays.cameras[moment].astype(np.float64)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    rays = np.stack(
        [(x - camera[13]) / camera[12], (camera[14] - y) / camera[12], -np.ones(shape)], axis=-1
    )
    length = np.linalg.norm(rays, axis=-1, keepdims=True)
    return rays / length @ camera[:9].reshape(3, 3).T, 1 / length[..., 0], camera


def cast_by_mujoco(scene, moment, shape):
    """Part, depth and camera-space normal of what MuJoCo finds."""
    arrays, spec, numbers = scene.arrays, mujoco.MjSpec(), []
    for part, kind in enumerate(arrays.kinds):
        pose = arrays.poses[moment, part].astype(np.float64)
        place = {"pos": pose[9:], "quat": quaternion_of(pose[:9].reshape(3, 3))}
        if kind == PLANE:
            plane = mujoco.mjtGeom.mjGEOM_PLANE
            spec.worldbody.add_geom(type=plane, size=[0, 0, 1], **place)
        elif kind in GEOMS:
            geom, columns = GEOMS[kind]
            size = arrays.geometry[part, list(columns)].astype(np.float64)
            spec.worldbody.add_geom(type=geom, size=size, **place)
        else:
            continue
        numbers.append(part)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    directions, depth_per_m, camera = rays_of(scene, moment, shape)
    count = directions[..., 0].size
    geoms, distances, normals = np.zeros(count, np.int32), np.zeros(count), np.zeros(3 * count)
    mujoco.mj_multiRay(
        model, data, camera[9:12].copy(), np.ascontiguousarray(directions).ravel(), None, 1, -1,
        geoms, distances, normals, count, 1e9,
    )  # fmt: skip
    parts = np.where(geoms >= 0, np.array(numbers)[geoms], NO_PART).reshape(shape)
    normals = normals.reshape(*shape, 3) @ camera[:9].reshape(3, 3)
    return parts, distances.reshape(shape) * depth_per_m, normals


def compare(seen):
    """Our parts, depth and normals; MuJoCo's; and where MuJoCo can know."""
    buffers = seen.rendering.buffers
    ours = buffers.parts[FRAME], buffers.depth[FRAME], buffers.normals[FRAME]
    theirs = cast_by_mujoco(seen.scene, FRAME + 1, ours[0].shape)
    kinds = np.append(seen.scene.arrays.kinds, SPHERE)[ours[0]]
    return ours, theirs, np.isin(kinds, [*GEOMS, PLANE])


def degrees_between(one, other):
    """Angles between vectors of length 1, precise for small ones."""
    half = np.linalg.norm(one - other, axis=-1) / 2
    return np.degrees(2 * np.arcsin(np.clip(half, 0, 1)))


@pytest.fixture(scope="module")
def compared(seen_scenes):
    return [compare(seen) for seen in seen_scenes]


def test_parts_are_those_that_mujoco_finds(compared):
    wrong = sum((ours[0] != theirs[0])[known].sum() for ours, theirs, known in compared)
    total = sum(known.sum() for _, _, known in compared)
    assert total > 100_000
    assert wrong / total < 1e-5  # a ray may pass an edge on either side of rounding


def same_part(ours, theirs, known):
    return known & (ours[0] == theirs[0]) & (ours[0] != NO_PART) & (theirs[1] < FAR_M)


def test_depth_is_that_of_mujoco(compared):
    error = np.concatenate(
        [
            np.abs(ours[1] / theirs[1] - 1)[same_part(ours, theirs, known)]
            for ours, theirs, known in compared
        ]
    )
    assert np.median(error) < 1e-7
    assert np.quantile(error, 0.999) < 3e-7
    assert error.max() < 3e-6


def test_normals_are_those_of_mujoco(compared):
    degrees = np.concatenate(
        [
            degrees_between(ours[2], theirs[2])[same_part(ours, theirs, known)]
            for ours, theirs, known in compared
        ]
    )
    assert np.quantile(degrees, 0.999) < 0.01
    assert (degrees > 0.5).sum() <= 3  # points on an edge belong to either side


def level_of(kind, shape, p):
    """A function of a point that is 0 on the surface of a primitive, about its distance."""
    a, b, c, power_xy, power_z = shape[:5]
    radius = np.hypot(p[:, 0], p[:, 1])
    if kind == TORUS:
        return np.hypot(radius - a, p[:, 2]) - b
    if kind == CONE:
        slope = (b - a) / (2 * c)
        mantle = (radius - (a + b) / 2 - slope * p[:, 2]) / np.hypot(1, slope)
        return np.maximum(mantle, np.abs(p[:, 2]) - c)
    x, y, z = np.abs(p / [a, b, c]).T
    norm = ((x**power_xy + y**power_xy) ** (power_z / power_xy) + z**power_z) ** (1 / power_z)
    return (norm - 1) * min(a, b, c)


@pytest.mark.parametrize("kind", [TORUS, CONE, SUPERBALL])
def test_points_lie_on_the_surfaces_that_mujoco_lacks(seen_scenes, kind):
    errors, jumps = [], []
    for seen in seen_scenes:
        buffers, arrays = seen.rendering.buffers, seen.scene.arrays
        parts, depth = buffers.parts[FRAME], buffers.depth[FRAME].astype(np.float64)
        directions, depth_per_m, camera = rays_of(seen.scene, FRAME + 1, parts.shape)
        points = camera[9:12] + directions * (depth / depth_per_m)[..., None]
        for part in np.flatnonzero(arrays.kinds == kind):
            mask = parts == part
            if not mask.any():
                continue
            pose = arrays.poses[FRAME + 1, part].astype(np.float64)
            turn, shape = pose[:9].reshape(3, 3), arrays.geometry[part].astype(np.float64)
            local = (points[mask] - pose[9:]) @ turn
            errors.append(np.abs(level_of(kind, shape, local)) / depth[mask])
            # Nothing of the part lies before the point: its level is above 0 all along the ray.
            ray = directions[mask] @ turn
            steps = np.linspace(0.002, 2, 400)
            before = local[:, None] - ray[:, None] * steps[:, None]
            level = level_of(kind, shape, before.reshape(-1, 3)).reshape(len(local), -1)
            jumps.append(level.min(axis=1))
    assert sum(map(len, errors)) > 300
    assert np.concatenate(errors).max() < 1e-5
    assert np.concatenate(jumps).min() > -1e-3


@pytest.mark.parametrize("way", [0, 1], ids=["forward", "backward"])
def test_flow_is_that_of_reprojection(seen_scenes, way):
    """Depth, poses and cameras in double precision give the same motion."""
    worst = 0.0
    for seen in seen_scenes:
        buffers, arrays = seen.rendering.buffers, seen.scene.arrays
        parts, depth = buffers.parts[FRAME], buffers.depth[FRAME].astype(np.float64)
        here, there = FRAME + 1, FRAME + 2 - 2 * way
        directions, depth_per_m, camera = rays_of(seen.scene, here, parts.shape)
        points = camera[9:12] + directions * (depth / depth_per_m)[..., None]
        before, after = arrays.poses[[here, there]].astype(np.float64)
        turn, new_turn = (pose[:, :9].reshape(-1, 3, 3)[parts] for pose in (before, after))
        local = np.einsum("hwji,hwj->hwi", turn, points - before[parts, 9:])
        moved = np.einsum("hwij,hwj->hwi", new_turn, local) + after[parts, 9:]
        second = arrays.cameras[there].astype(np.float64)
        to = np.where(parts[..., None] == NO_PART, directions, moved - second[9:12])
        to = to @ second[:9].reshape(3, 3)
        y, x = np.mgrid[: parts.shape[0], : parts.shape[1]] + 0.5
        flow = np.stack(
            [
                second[13] - second[12] * to[..., 0] / to[..., 2] - x,
                second[14] + second[12] * to[..., 1] / to[..., 2] - y,
            ],
            axis=-1,
        )
        known = (buffers.occlusion[way, FRAME] != NOWHERE) & (depth < 30) & (-to[..., 2] > 0.2)
        known |= (parts == NO_PART) & (buffers.occlusion[way, FRAME] == VISIBLE)
        worst = max(worst, np.abs(flow - buffers.flow[way, FRAME])[known].max())
    assert worst < 6e-5


def test_what_is_called_visible_is_seen_in_the_next_frame(seen_scenes):
    """A point that is not hidden is found again in the next frame, at the depth foretold."""
    wrong = total = 0
    for seen in seen_scenes:
        buffers = seen.rendering.buffers
        parts, height, width = buffers.parts, *buffers.depth.shape[1:]
        y, x = np.mgrid[:height, :width]
        flow = buffers.flow[0, FRAME]
        column = np.floor(x + 0.5 + flow[..., 0]).astype(int)
        row = np.floor(y + 0.5 + flow[..., 1]).astype(int)
        visible = buffers.occlusion[0, FRAME] == VISIBLE
        row, column = np.where(visible, row, 0), np.where(visible, column, 0)
        # The same part within a pixel: rounding to pixel centres moves outlines by half a pixel.
        found = np.zeros((height, width), dtype=bool)
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                near = parts[FRAME + 1][
                    np.clip(row + i, 0, height - 1), np.clip(column + j, 0, width - 1)
                ]
                found |= near == parts[FRAME]
        wrong += (visible & ~found).sum()
        total += visible.sum()
    assert wrong / total < 2e-3
