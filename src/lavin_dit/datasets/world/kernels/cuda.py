"""The loops over pixels for CUDA: the same functions, one thread for each pixel of a clip."""

# Numba types the kernels' parameters, and its device arrays stand in for NumPy's.
# pyright: reportMissingParameterType=false, reportUnknownParameterType=false
# pyright: reportAttributeAccessIssue=false

from typing import Any

from numba import cuda

from lavin_dit.datasets.world.arrays import Buffers, SceneArrays, Tiles
from lavin_dit.datasets.world.kernels.pixels import lies_on_edge, observe_pixel, sampled_colour

_THREADS = (16, 16, 1)
_cuda: Any = cuda  # without type stubs


@_cuda.jit(fastmath=True)
def _observe(scene, tiles, buffers):  # noqa: ANN001, ANN202 - typed by Numba
    """What a ray through each pixel's centre finds."""
    column, row, frame = _cuda.grid(3)
    num_frames, height, width = buffers.depth.shape
    if frame < num_frames and row < height and column < width:
        observe_pixel(scene, tiles, buffers, frame, row, column)


@_cuda.jit(fastmath=True)
def _mark_edges(buffers, edges):  # noqa: ANN001, ANN202
    """Which pixels need more rays."""
    column, row, frame = _cuda.grid(3)
    num_frames, height, width = buffers.depth.shape
    if frame < num_frames and row < height and column < width:
        edges[frame, row, column] = lies_on_edge(buffers, frame, row, column)


@_cuda.jit(fastmath=True)
def _refine(scene, tiles, buffers, edges, num_edge_samples):  # noqa: ANN001, ANN202
    """More rays for these pixels."""
    column, row, frame = _cuda.grid(3)
    num_frames, height, width = buffers.depth.shape
    if frame < num_frames and row < height and column < width and edges[frame, row, column]:
        light = sampled_colour(scene, tiles, frame, row, column, num_edge_samples)
        for channel in range(3):
            buffers.radiance[frame, row, column, channel] = light[channel]


def render_frames(
    scene: SceneArrays, tiles: Tiles, buffers: Buffers, num_edge_samples: int
) -> None:
    """Fill the buffers of a clip on the current CUDA device.

    Args:
        scene: The scene; copied to the device.
        tiles: What can be seen where; copied to the device.
        buffers: Copied back from the device.
        num_edge_samples: As for the CPU.
    """
    num_frames, height, width = buffers.depth.shape
    blocks = (-(-width // _THREADS[0]), -(-height // _THREADS[1]), num_frames)
    there = SceneArrays(*map(_cuda.to_device, scene))
    there_tiles = Tiles(*map(_cuda.to_device, tiles))
    there_buffers = Buffers(*map(_cuda.to_device, buffers))
    _observe[blocks, _THREADS](there, there_tiles, there_buffers)
    if num_edge_samples > 1:
        edges = _cuda.device_array((num_frames, height, width), dtype="bool")
        _mark_edges[blocks, _THREADS](there_buffers, edges)
        _refine[blocks, _THREADS](there, there_tiles, there_buffers, edges, num_edge_samples)
    for result, buffer in zip(there_buffers, buffers, strict=True):
        result.copy_to_host(buffer)
