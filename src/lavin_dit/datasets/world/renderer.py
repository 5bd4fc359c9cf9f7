"""Rendering packed scenes: pictures and everything that is known about their pixels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from lavin_dit.datasets.layout import check_choice
from lavin_dit.datasets.world.arrays import Buffers, SceneArrays, empty_buffers
from lavin_dit.datasets.world.extras import import_extra
from lavin_dit.datasets.world.packing import PackedScene
from lavin_dit.datasets.world.spec import Optics
from lavin_dit.datasets.world.tiling import list_objects
from lavin_dit.vision.geometry import Size

if TYPE_CHECKING:
    from types import ModuleType

Device = Literal["cpu", "cuda"]

_KERNELS = "lavin_dit.datasets.world.kernels"
_BRIGHT_SHARE = 97.0  # percentile of the brightest channel that exposure keeps below white
_WHITE = 0.8
_MIDDLE = 0.16  # exposed luminance of the typical pixel
_NARROWEST_RANGE = 64.0  # exposure does not turn the darkest night into day


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A clip and what is known about its pixels.

    Attributes:
        rgb: The pictures.
        buffers: The rest, as ``Buffers`` says; its radiance may have been blurred by the lens.
    """

    rgb: UInt8[np.ndarray, "t h w 3"]
    buffers: Buffers


def render(
    scene: PackedScene,
    *,
    size: Size,
    optics: Optics,
    num_edge_samples: int = 2,
    device: Device = "cpu",
) -> Rendering:
    """Render a clip: on the CPU in the calling thread, or on the current CUDA device.

    Args:
        scene: The scene, packed for the same size.
        size: Height and width of the picture.
        optics: Lens and development.
        num_edge_samples: Rays along each side of pixels on edges; 1 for one ray in all pixels.
        device: "cpu" or "cuda". The lens and the development are always computed on the CPU.

    Returns:
        The clip. Everything but its colours comes from one ray through each pixel's centre.

    Raises:
        ImportError: If Numba is not installed.
        ValueError: If there is no such device.
    """
    check_choice(device, get_args(Device), what="a device that the world is rendered on")
    num_frames = len(scene.arrays.cameras) - 2
    buffers = empty_buffers(num_frames, size.height, size.width)
    tiles = list_objects(scene.arrays, size=size)
    if device == "cuda":
        _kernels("cuda").render_frames(scene.arrays, tiles, buffers, num_edge_samples)
    else:
        edges = np.zeros((size.height, size.width), dtype=np.bool_)
        _kernels("cpu").render_frames(scene.arrays, tiles, buffers, edges, num_edge_samples)
    return Rendering(rgb=develop(buffers.radiance, optics=optics), buffers=buffers)


def develop(
    radiance: Float32[np.ndarray, "t h w 3"], *, optics: Optics
) -> UInt8[np.ndarray, "t h w 3"]:
    """Develop a clip; one exposure serves all of its frames.

    Args:
        radiance: Linear colours; overwritten.
        optics: Lens and development.

    Returns:
        sRGB levels.

    Raises:
        ImportError: If Numba is not installed.
    """
    lens = np.zeros(8, dtype=np.float32)
    lens[:3] = _exposure(radiance) * 2.0**optics.exposure_ev * np.array(optics.white_balance)
    lens[3:7] = (
        optics.saturation,
        optics.vignette,
        optics.blur_px * min(radiance.shape[1:3]) / 128,
        optics.noise,
    )
    pictures = np.empty(radiance.shape, dtype=np.uint8)
    scratch = np.empty_like(radiance[0])
    developing = _kernels("developing")
    for frame, (light, picture) in enumerate(zip(radiance, pictures, strict=True)):
        developing.develop_frame(light, scratch, lens, optics.noise_seed + 97 * frame, picture)
    return pictures


def first_parts(
    arrays: SceneArrays, *, moments: Int32[np.ndarray, " n"], targets: Float32[np.ndarray, "n 3"]
) -> tuple[Int32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """What the camera sees in the direction of points.

    Args:
        arrays: The scene.
        moments: When to look for each point.
        targets: The points, in metres of the world.

    Returns:
        The first part on the way and its distance in metres; ``NO_PART`` for none.

    Raises:
        ImportError: If Numba is not installed.
    """
    parts = np.zeros(len(targets), dtype=np.int32)
    distances = np.zeros(len(targets), dtype=np.float32)
    _kernels("cpu").trace_points(arrays, moments, targets, parts, distances)
    return parts, distances


def _exposure(radiance: Float32[np.ndarray, "t h w 3"]) -> float:
    """A factor that shows the typical pixel as a middle grey, unless bright parts forbid it."""
    seen = radiance[:: max(1, len(radiance) // 3), ::2, ::2]
    luminance = seen @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    typical = float(np.exp(np.log(luminance + 1e-3).mean()))
    bright = float(np.percentile(seen.max(axis=-1), _BRIGHT_SHARE))
    return min(_MIDDLE / typical, _WHITE / max(bright, 1e-3), _NARROWEST_RANGE)


def _kernels(module: str) -> "ModuleType":
    """A module of compiled functions; importing it is slow and needs Numba."""
    return import_extra(f"{_KERNELS}.{module}", purpose="the renderer of the synthetic world")
