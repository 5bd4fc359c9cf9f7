"""Listing what can be seen through each square of the picture, so that rays ask few objects."""

import numpy as np
from jaxtyping import Float64

from lavin_dit.datasets.world.arrays import TILE_PX, SceneArrays, Tiles
from lavin_dit.vision.geometry import Size


def list_objects(arrays: SceneArrays, *, size: Size) -> Tiles:
    """List the objects whose bounding spheres reach into the cone of sight of each tile.

    Args:
        arrays: The scene.
        size: Height and width of the picture.

    Returns:
        The lists; they may hold objects that are not seen, and never lack one that is.
    """
    cameras, bounds = arrays.cameras.astype(np.float64), arrays.bounds.astype(np.float64)
    rotations = cameras[:, :9].reshape(-1, 3, 3)
    to = np.einsum("mij,moi->moj", rotations, bounds[..., :3] - cameras[:, None, 9:12])
    distance = np.linalg.norm(to, axis=-1)
    radius = bounds[..., 3]
    axes, half_angles = _cones(cameras[0], size)
    cosine = np.einsum("rcj,moj->mrco", axes, to) / np.maximum(distance, 1e-9)[:, None, None]
    sine = np.minimum(radius / np.maximum(distance, 1e-9), 1.0)
    reach = np.arcsin(np.maximum(sine, 0.0))[:, None, None] + half_angles[..., None] + 1e-3
    seen = np.arccos(np.clip(cosine, -1, 1)) <= reach
    plane = radius < 0
    seen |= (plane | (distance <= radius * 1.001))[:, None, None]
    order = np.argsort(np.where(plane, 1e9, distance - radius), axis=-1, kind="stable")
    ordered = np.take_along_axis(seen, order[:, None, None], axis=-1)
    first = np.argsort(~ordered, axis=-1, kind="stable")
    objects = np.take_along_axis(np.broadcast_to(order[:, None, None], first.shape), first, axis=-1)
    return Tiles(objects=objects.astype(np.uint8), counts=seen.sum(axis=-1).astype(np.uint8))


def _cones(
    camera: Float64[np.ndarray, "15"], size: Size
) -> tuple[Float64[np.ndarray, "rows columns 3"], Float64[np.ndarray, "rows columns"]]:
    """Axis, in camera axes, and half angle of a cone around the rays of each tile."""
    focal, centre_x, centre_y = camera[12:]
    rows = np.arange(-(-size.height // TILE_PX) + 1) * TILE_PX
    columns = np.arange(-(-size.width // TILE_PX) + 1) * TILE_PX
    y, x = np.meshgrid(rows, columns, indexing="ij")
    rays = np.stack([(x - centre_x) / focal, (centre_y - y) / focal, -np.ones(x.shape)], axis=-1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    corners = np.stack([rays[:-1, :-1], rays[:-1, 1:], rays[1:, :-1], rays[1:, 1:]])
    axes = corners.sum(axis=0)
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    cosine = np.einsum("krcj,rcj->krc", corners, axes).min(axis=0)
    return axes, np.arccos(np.clip(cosine, -1, 1))
