import numpy as np
import pytest

from lavin_dit.datasets.depth_to_normals import normals_from_depth

HEIGHT, WIDTH = 41, 57
FOCAL, CENTRE = (60.0, 70.0), (31.0, 17.5)


def rays():
    """Directions through all pixels at depth 1: x right, y up, z toward the camera."""
    right = (np.arange(WIDTH) + 0.5 - CENTRE[0]) / FOCAL[0]
    down = (np.arange(HEIGHT) + 0.5 - CENTRE[1]) / FOCAL[1]
    return np.stack(np.broadcast_arrays(right[None], -down[:, None], -1.0), axis=-1)


def plane(normal, distance):
    """Depth of a plane: points p with normal . p = -distance."""
    cosine = rays() @ normal
    return np.divide(-distance, cosine, out=np.zeros_like(cosine), where=np.abs(cosine) > 1e-9)


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 0.8, 0.6), (-0.6, 0, 0.8), (0.3, -0.2, 0.933)])
def test_planes_of_any_direction_are_exact(normal):
    normal = np.array(normal) / np.linalg.norm(normal)
    metres = plane(normal, 2.0)
    valid = metres > 0
    normals = normals_from_depth(metres, valid, focal_px=FOCAL, centre_px=CENTRE, radius_px=2)
    inside = normals.valid[0, 2:-2, 2:-2]
    assert inside.mean() > 0.5
    assert not normals.valid[0, :2].any()
    np.testing.assert_allclose(normals.vectors[normals.valid] - normal, 0, atol=1e-5)


def test_floor_points_up_and_right_wall_to_the_left():
    floor_m = plane(np.array([0, 1.0, 0]), 1.5)
    floor = normals_from_depth(floor_m, floor_m > 0, focal_px=FOCAL, centre_px=CENTRE, radius_px=1)
    assert floor.valid[0, 35, 20]
    np.testing.assert_allclose(floor.vectors[0, 35, 20], [0, 1, 0], atol=1e-5)
    wall_m = plane(np.array([-1.0, 0, 0]), 1.5)
    wall = normals_from_depth(wall_m, wall_m > 0, focal_px=FOCAL, centre_px=CENTRE, radius_px=1)
    np.testing.assert_allclose(wall.vectors[0, 20, 50], [-1, 0, 0], atol=1e-5)


def test_steps_and_holes_have_no_normal():
    metres = np.full((HEIGHT, WIDTH), 2.0)
    metres[:, 30:] = 4.0
    valid = np.ones((HEIGHT, WIDTH), dtype=bool)
    valid[10, 10] = False
    metres[10, 10] = np.nan
    normals = normals_from_depth(metres, valid, focal_px=FOCAL, centre_px=CENTRE, radius_px=3)
    assert not normals.valid[0, :, 28:32].any()
    assert not normals.valid[0, 7:14, 7:14].any()
    assert normals.valid[0, 20, 15]
    np.testing.assert_allclose(normals.vectors[0, 20, 15], [0, 0, 1], atol=1e-6)


def test_sphere_is_close():
    centre = np.array([0.0, 0.0, -5.0])
    directions = rays()
    # |t d - c| = 1 for the nearer t, which is the depth since the z of d is -1.
    a, b = (directions**2).sum(-1), directions @ centre
    root = b**2 - a * (centre @ centre - 1)
    metres = np.where(root > 0, (b - np.sqrt(np.clip(root, 0, None))) / a, 0.0)
    normals = normals_from_depth(metres, root > 0, focal_px=FOCAL, centre_px=CENTRE, radius_px=1)
    exact = (directions * metres[..., None] - centre)[normals.valid[0]]
    cosine = np.sum(exact * normals.vectors[normals.valid], axis=-1)
    assert normals.valid.sum() > 300
    assert np.degrees(np.arccos(np.clip(np.median(cosine), -1, 1))) < 3
