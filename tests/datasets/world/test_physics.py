"""How things move."""

import numpy as np
import pytest

from lavin_dit.datasets.world.classes import OBJECT_CLASSES, SPLITS
from lavin_dit.datasets.world.extents import enclosing_sphere, reach
from lavin_dit.datasets.world.figures import move_figure
from lavin_dit.datasets.world.looks import Looks
from lavin_dit.datasets.world.physics import hull_points, moment_times, simulate
from lavin_dit.datasets.world.postures import ACTIVITIES
from lavin_dit.datasets.world.primitives import support
from lavin_dit.datasets.world.rotations import matrix_of, quaternion_of, turns
from lavin_dit.datasets.world.sampling import draw_scene
from lavin_dit.datasets.world.shapes import build_parts


@pytest.fixture(scope="module")
def moved():
    """Scenes of 13 frames with their trajectories."""
    specs = [
        draw_scene(Looks(split="train"), np.random.default_rng(seed), num_frames=13)
        for seed in range(20)
    ]
    return [(spec, simulate(spec)) for spec in specs]


def test_nothing_sinks_into_the_floor_or_flies_away(moved):
    for spec, trajectory in moved:
        for index, thing in enumerate(spec.objects):
            for rotation, place in zip(
                trajectory.rotations[:, index], trajectory.places[:, index], strict=True
            ):
                lowest = place[2] - reach(thing.parts, np.array([0.0, 0.0, -1.0]) @ rotation)
                assert lowest > -0.06
                assert np.abs(place).max() < 15


def test_nothing_leaves_its_room(moved):
    rooms = [(spec, trajectory) for spec, trajectory in moved if spec.room is not None]
    assert rooms
    for spec, trajectory in rooms:
        for distance, angle in zip(
            spec.room.wall_distances_m, spec.room.wall_angles_rad, strict=True
        ):
            outward = np.array([np.cos(angle), np.sin(angle), 0])
            assert (trajectory.places @ outward < distance).all()


def test_things_do_not_overlap_at_the_start(moved):
    for spec, _ in moved:
        spheres = []
        for thing in spec.objects:
            centre, radius = enclosing_sphere(thing.parts)
            spheres.append((matrix_of(thing.rotation) @ centre + thing.position, radius))
        for i, (centre, radius) in enumerate(spheres):
            for other, other_radius in spheres[:i]:
                assert np.linalg.norm(centre - other) > radius + other_radius


def test_resting_things_stay_where_they_are(moved):
    """Objects start on the floor, not in it: physics does not throw them up."""
    still = 0
    for spec, trajectory in moved:
        if all(thing.velocity == (0, 0, 0) for thing in spec.objects) and not spec.figures:
            for index, thing in enumerate(spec.objects):
                if thing.spin == (0, 0, 0):
                    assert np.ptp(trajectory.places[:4, index, 2]) < 0.02
                    still += 1
    assert still


def test_moving_scenes_move(moved):
    speeds = [
        np.abs(np.diff(trajectory.places, axis=0)).max() * spec.frames_per_s
        for spec, trajectory in moved
        if spec.objects
    ]
    assert np.median(speeds) > 0.5
    assert max(speeds) < 12


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_people_stand_on_the_floor_and_keep_their_limbs(activity):
    rng = np.random.default_rng(0)
    spec = next(
        scene
        for scene in (draw_scene(Looks(split="train"), rng, num_frames=13) for _ in range(100))
        if scene.figures
    )
    figure = spec.figures[0].__class__(
        **{
            name: getattr(spec.figures[0], name)
            for name in spec.figures[0].__dataclass_fields__
            if name != "activity"
        },
        activity=activity,
    )
    motion = move_figure(figure, moment_times(spec))
    down = np.array([0.0, 0.0, -1.0])
    lowest = np.min(
        [
            motion.places[:, i, 2] - support(part.kind, part.size, down @ motion.rotations[:, i])
            for i, part in enumerate(motion.parts)
        ],
        axis=0,
    )
    np.testing.assert_allclose(lowest, 0, atol=1e-9)
    for a, b in ((5, 7), (7, 9), (11, 13), (13, 15)):  # shoulder, elbow, wrist; hip, knee, ankle
        length = np.linalg.norm(motion.joints[:, a] - motion.joints[:, b], axis=-1)
        np.testing.assert_allclose(length, length[0], rtol=1e-9)
    steps = np.linalg.norm(np.diff(motion.joints, axis=0), axis=-1)
    assert 0 < steps.max() < 1.0


@pytest.mark.parametrize("name", [name for split in SPLITS for name in OBJECT_CLASSES[split]])
def test_support_is_the_reach_of_surface_points(name):
    rng = np.random.default_rng(3)
    parts = build_parts(name, scale=1.0, generator=rng)
    directions = rng.normal(size=(50, 3))
    for part in parts:
        if part.kind not in ("cone", "superball"):
            continue
        points = hull_points(part)
        reached = (points @ directions.T).max(axis=0)
        exact = support(part.kind, part.size, directions, powers=part.powers)
        assert (reached <= exact + 5e-3).all()  # a tip is a little blunt for MuJoCo
        assert (reached > 0.8 * exact - 0.02).all()


def test_rotations_agree():
    rng = np.random.default_rng(1)
    for _ in range(20):
        q = rng.normal(size=4)
        q = q / np.linalg.norm(q) * np.sign(q[0])
        np.testing.assert_allclose(quaternion_of(matrix_of(tuple(q))), q, atol=1e-12)
    x_to_y = turns("z", np.array(np.pi / 2)) @ [1, 0, 0]
    np.testing.assert_allclose(x_to_y, [0, 1, 0], atol=1e-12)
