"""Drawing scenes at random: which cut-outs lie where on a photo, and how all of it moves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from lavin_dit.datasets.real.layers import Layer, Shadow
from lavin_dit.datasets.real.opencv import cv2
from lavin_dit.vision.geometry import Size

_MARGIN_STEP = 1.1
_STILL = 0.25  # share of the things, and of the cameras, that do not move on their own


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRule:
    """What scenes are drawn from.

    Attributes:
        size: Height and width of the frames.
        num_things: Least and largest number of things.
        extent: Least and largest length of a thing's longer side, as a share of the frame's
            shorter one.
        max_speed: How far a thing moves in a frame at most, as a share of the frame's shorter
            side.
        max_camera_speed: The same for the camera.
        boxes: Whether boxes go around what is visible of a thing, or around all of it that lies
            in the frame, as if nothing lay before it.
        scenes_per_photo: How many scenes are drawn on each photo.
        seed: Another seed gives other scenes.
    """

    size: Size = field(default_factory=lambda: Size(height=256, width=256))
    num_things: tuple[int, int] = (1, 5)
    extent: tuple[float, float] = (0.25, 0.7)
    max_speed: float = 0.03
    max_camera_speed: float = 0.015
    boxes: Literal["visible", "full"] = "visible"
    scenes_per_photo: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.num_things[0] <= self.num_things[1]:
            raise ValueError(f"num_things must be ascending and at least 1, got {self.num_things}")
        if not 0 < self.extent[0] <= self.extent[1] <= 1:
            raise ValueError(f"extent must be ascending and within 0 to 1, got {self.extent}")
        if self.max_speed < 0 or self.max_camera_speed < 0:
            raise ValueError("speeds must not be negative")
        if self.scenes_per_photo < 1:
            raise ValueError(f"scenes_per_photo must be at least 1, got {self.scenes_per_photo}")


def draw_background(
    photo: UInt8[np.ndarray, "h w 3"],
    *,
    rule: SceneRule,
    num_frames: int,
    generator: np.random.Generator,
) -> Layer:
    """A photo seen by a camera that moves over it.

    Args:
        photo: The photo.
        rule: Size of the frames, and how fast the camera is at most.
        num_frames: Number of frames.
        generator: Source of all randomness.

    Returns:
        A layer that covers every frame.
    """
    size = rule.size
    height, width = photo.shape[:2]
    cover = max(size.height / height, size.width / width)
    path = _path(num_frames, rule.max_camera_speed, min(size.height, size.width), generator)
    middle = np.array([size.width, size.height]) / 2
    # Away from the edges, so that enough zoom always makes room for turning.
    spare = generator.uniform(-0.4, 0.4, 2)
    zoom = generator.uniform(1.0, 1.6)
    poses = _background_poses(photo, path, middle, spare, scale=cover * zoom)
    while not _covers(poses, photo, size):
        zoom *= _MARGIN_STEP
        poses = _background_poses(photo, path, middle, spare, scale=cover * zoom)
    colours, shrink = _shrunk(photo.astype(np.float32), cover * zoom)
    alpha = np.ones(colours.shape[:2], dtype=np.float32)
    return Layer(colours=colours, alpha=alpha, poses=poses @ np.linalg.inv(shrink))


def draw_thing(
    cutout: UInt8[np.ndarray, "h w 4"],
    *,
    background: Layer,
    rule: SceneRule,
    generator: np.random.Generator,
) -> Layer:
    """A cut-out that moves on its own and with the camera.

    Args:
        cutout: Levels and alpha.
        background: What it lies on.
        rule: How large and how fast it may be.
        generator: Source of all randomness.

    Returns:
        A layer whose centre begins inside the frame.
    """
    side = min(rule.size.height, rule.size.width)
    pixels = _trimmed(cutout)
    scale = generator.uniform(*rule.extent) * side / max(pixels.shape[:2])
    path = _path(len(background.poses), rule.max_speed, side, generator)
    place = generator.uniform(0.1, 0.9, 2) * [rule.size.width, rule.size.height]
    tilt = generator.normal(0, 0.15)
    flip = 1.0 if generator.random() < 0.5 else -1.0
    camera = background.poses @ np.linalg.inv(background.poses[0])
    middle = np.array([pixels.shape[1], pixels.shape[0]]) / 2
    poses = np.stack(
        [
            view
            @ _shift(place + step.shift)
            @ _turn(tilt + step.turn, scale * step.scale, flip)
            @ _shift(-middle)
            for view, step in zip(camera, path, strict=True)
        ]
    )
    premultiplied = pixels.astype(np.float32)
    premultiplied[..., 3] /= 255
    premultiplied[..., :3] *= premultiplied[..., 3:]
    small, shrink = _shrunk(premultiplied, scale)
    alpha = small[..., 3]
    colours = small[..., :3] / np.maximum(alpha[..., None], 1e-3)
    return Layer(
        colours=_lit(colours, generator),
        alpha=np.ascontiguousarray(alpha),
        poses=poses @ np.linalg.inv(shrink),
        shadow=_draw_shadow(side, generator),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """How far something has come by a frame: moved, turned, grown."""

    shift: Float64[np.ndarray, "2"]
    turn: float
    scale: float


def _path(
    num_frames: int, max_speed: float, side: int, generator: np.random.Generator
) -> list[_Step]:
    """A smooth path from where something is: even motion that bends, turns and grows a little."""
    still = 0.0 if generator.random() < _STILL else 1.0
    speed = generator.uniform(0, max_speed) * side * still
    heading = generator.uniform(0, 2 * np.pi)
    bend = generator.normal(0, 0.1)
    turn = generator.normal(0, 0.3) * max_speed * still
    growth = generator.normal(0, 0.3) * max_speed * still
    steps: list[_Step] = []
    shift = np.zeros(2)
    for frame in range(num_frames):
        steps.append(_Step(shift=shift, turn=turn * frame, scale=float(np.exp(growth * frame))))
        angle = heading + bend * frame
        shift = shift + speed * np.array([np.cos(angle), np.sin(angle)])
    return steps


def _background_poses(
    photo: UInt8[np.ndarray, "h w 3"],
    path: Sequence[_Step],
    middle: Float64[np.ndarray, "2"],
    spare: Float64[np.ndarray, "2"],
    *,
    scale: float,
) -> Float64[np.ndarray, "t 3 3"]:
    """From the photo's pixels to the frames': a random part of what the zoom leaves to choose."""
    extent = np.array([photo.shape[1], photo.shape[0]])
    half_travel = np.max([np.abs(step.shift) for step in path], axis=0)
    room = np.maximum(extent / 2 - (middle + half_travel) / scale, 0)
    # Turning and growing leave this point of the photo in the middle of the frame.
    focus = extent / 2 + 2 * spare * room
    return np.stack(
        [
            _shift(middle + step.shift) @ _turn(step.turn, scale * step.scale, 1.0) @ _shift(-focus)
            for step in path
        ]
    )


def _covers(
    poses: Float64[np.ndarray, "t 3 3"], photo: UInt8[np.ndarray, "h w 3"], size: Size
) -> bool:
    """Whether all corners of all frames lie on the photo."""
    right, bottom = float(size.width), float(size.height)
    corners = np.array([[0, 0, 1], [right, 0, 1], [0, bottom, 1], [right, bottom, 1]]).T
    places = (np.linalg.inv(poses) @ corners)[:, :2]
    limit = np.array([photo.shape[1], photo.shape[0]])[None, :, None]
    return bool((places >= 0).all() and (places <= limit).all())


def _shift(by: Float64[np.ndarray, "2"]) -> Float64[np.ndarray, "3 3"]:
    """A translation."""
    return np.array([[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]], dtype=np.float64)


def _turn(angle: float, scale: float, flip: float) -> Float64[np.ndarray, "3 3"]:
    """A rotation with scaling, after a mirroring if flip is -1."""
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[cos * flip, -sin, 0], [sin * flip, cos, 0], [0, 0, 1]], dtype=np.float64)


def _shrunk(
    picture: Float32[np.ndarray, "h w c"], scale: float
) -> tuple[Float32[np.ndarray, "new_h new_w c"], Float64[np.ndarray, "3 3"]]:
    """A picture averaged down to the size at which it is shown, and the map to its pixels."""
    height, width = picture.shape[:2]
    if scale >= 1:
        return picture, np.eye(3)
    new = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2().resize(picture, new, interpolation=cv2().INTER_AREA)
    return small, np.diag([new[0] / width, new[1] / height, 1.0])


def _trimmed(cutout: UInt8[np.ndarray, "h w 4"]) -> UInt8[np.ndarray, "new_h new_w 4"]:
    """A cut-out without its empty border."""
    rows = np.flatnonzero(cutout[..., 3].any(axis=1))
    columns = np.flatnonzero(cutout[..., 3].any(axis=0))
    return cutout[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _lit(
    colours: Float32[np.ndarray, "h w 3"], generator: np.random.Generator
) -> Float32[np.ndarray, "h w 3"]:
    """A cut-out in another light: brighter or darker, tinted, and shaded from one side."""
    height, width = colours.shape[:2]
    angle = generator.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width]
    side = np.cos(angle) * (x / max(width - 1, 1) - 0.5) + np.sin(angle) * (
        y / max(height - 1, 1) - 0.5
    )
    shading = 1 + generator.uniform(0, 0.5) * side
    tint = generator.uniform(0.8, 1.15) * generator.uniform(0.93, 1.07, 3)
    return np.clip(colours * shading[..., None] * tint, 0, 255).astype(np.float32)


def _draw_shadow(side: int, generator: np.random.Generator) -> Shadow:
    """A shadow of random direction; it may be too weak to be seen."""
    reach = generator.uniform(0, 0.05) * side
    angle = generator.uniform(0, 2 * np.pi)
    return Shadow(
        shift_px=(float(reach * np.cos(angle)), float(reach * np.sin(angle))),
        blur_px=float(generator.uniform(0.005, 0.03) * side),
        strength=float(generator.uniform(0, 0.6)),
    )
