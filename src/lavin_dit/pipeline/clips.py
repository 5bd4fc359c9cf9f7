"""Clips of pixels, read from whatever a user has: a path, a PIL image or an array.

An image is a clip of one frame. Everything is checked before it is decoded, so that a broken or
enormous file costs one clear error.
"""

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, Union

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from lavin_dit.pipeline.atomic import written_atomically
from lavin_dit.vision.upright import turned_upright
from lavin_dit.vision.video_frames import decoded_frame, encode_video

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
)
MAX_PIXELS = 48_000_000
MAX_FRAMES = 257
DEFAULT_FRAMES_PER_SECOND = 12.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """Frames of pixels.

    Raises:
        ValueError: If there is no frame, or a side is below 2 pixels.
    """

    frames: UInt8[np.ndarray, "t h w 3"]
    """RGB, 0 to 255."""
    frames_per_second: float | None = None
    """Speed, where it is known."""
    name: str = "clip"
    """What to call it in messages and file names."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        frames, height, width, channels = self.frames.shape
        if frames < 1:
            raise ValueError(f"{self.name}: a clip needs at least one frame, got none")
        if min(height, width) < 2:
            raise ValueError(
                f"{self.name}: height and width must be at least 2 pixels, got {height}x{width}"
            )
        if channels != 3:
            raise ValueError(f"{self.name}: expected 3 channels (RGB), got {channels}")

    @property
    def num_frames(self) -> int:
        """Number of frames; 1 for an image."""
        return self.frames.shape[0]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.frames.shape[1], self.frames.shape[2]

    @property
    def file_ending(self) -> str:
        """What a file of it ends in: ``.png`` for an image, ``.mp4`` for a longer clip."""
        return ".png" if self.num_frames == 1 else ".mp4"


Source: TypeAlias = Union[str, "os.PathLike[str]", Image.Image, np.ndarray, Clip]
"""What can be read as a clip: an image, a video or a folder of frames on disk; a PIL image; an
array ``h w``, ``h w 3`` or ``t h w 3``, uint8 or floats in [0, 1]; a clip."""


def most_pixels(max_megapixels: float) -> int:
    """The largest picture to open, in pixels.

    Args:
        max_megapixels: The same in millions of pixels.

    Raises:
        ValueError: If it is not above 0, or not finite.
    """
    if not 0 < max_megapixels < float("inf"):
        raise ValueError(f"max_megapixels must be above 0, got {max_megapixels}")
    return int(max_megapixels * 1e6)


def load_clip(source: Source, *, max_pixels: int = MAX_PIXELS, name: str = "query") -> Clip:
    """Read a clip.

    Args:
        source: Path, PIL image, array or clip. A path may lead to an image, a video, or a folder
            whose images, sorted by name, are the frames.
        max_pixels: Largest accepted height times width.
        name: What to call a source that has no file name.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        TypeError: If the source is of another kind.
        ValueError: If it can't be read, is too large, or has no frames; one line that says which.
    """
    if isinstance(source, Clip):
        return source
    if isinstance(source, Image.Image):
        return Clip(frames=_image_pixels(source, name, max_pixels)[None], name=name)
    if isinstance(source, np.ndarray):
        return Clip(frames=_array_pixels(source, name), name=name)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            f"{name}: expected a path, a PIL image, an array or a Clip, got {type(source).__name__}"
        )
    path = Path(source)
    if path.is_dir():
        return _read_frames(path, max_pixels)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return _read_video(path, max_pixels)
    return Clip(frames=_read_image(path, max_pixels)[None], name=path.name)


def save_clip(clip: Clip, path: Path | str) -> Path:
    """Save an image by its file name's ending, or a longer clip as a video or a folder of frames.

    A file appears whole or not at all, of a folder each frame does.

    Args:
        clip: What to save.
        path: ``.png``, ``.jpg`` and the like for an image; ``.mp4`` and the like for a clip, which
            compresses it; without an ending, a folder of PNG frames, which does not.

    Raises:
        OSError: If it can't be written.
        ValueError: If the ending does not suit the clip.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == "":
        path.mkdir(parents=True, exist_ok=True)
        for index, frame in enumerate(clip.frames):
            _save_image(frame, path / f"{index:05d}.png")
        for left in path.glob("[0-9]" * 5 + ".png"):
            if int(left.stem) >= clip.num_frames:
                left.unlink()  # of a longer clip
    elif suffix in VIDEO_SUFFIXES:
        speed = clip.frames_per_second or DEFAULT_FRAMES_PER_SECOND
        with written_atomically(path) as partial:
            encode_video(clip.frames, str(partial), frames_per_second=speed)
    elif suffix not in IMAGE_SUFFIXES:
        raise ValueError(f"{path}: unknown ending {suffix!r}; use .png, .jpg, .mp4 or a folder")
    elif clip.num_frames > 1:
        raise ValueError(
            f"{path}: a clip of {clip.num_frames} frames does not fit an image; "
            f"use .mp4, or no ending for a folder of frames"
        )
    else:
        _save_image(clip.frames[0], path)
    return path


def _save_image(pixels: UInt8[np.ndarray, "h w 3"], path: Path) -> None:
    with written_atomically(path) as partial:
        Image.fromarray(pixels).save(partial)


def _read_image(path: Path, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    with _opened(path) as image:
        _check_pixels(image.height, image.width, path.name, max_pixels)
        num_pictures = getattr(image, "n_frames", 1)
        if num_pictures > 1:
            logger.warning("%s: the first of its %d pictures is taken", path, num_pictures)
        try:
            image.load()
        except Exception as error:  # of whatever kind: Pillow's readers raise many
            raise ValueError(f"{path}: unreadable image ({error})") from error
        return _image_pixels(image, path.name, max_pixels)


def _opened(path: Path) -> Image.Image:
    """Read an image's header, and none of its pixels."""
    try:
        with warnings.catch_warnings():
            # PIL warns of large pictures on opening; ours is the check that counts.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path)
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: too large to be opened ({error})") from error
    except Exception as error:
        raise ValueError(f"{path}: unreadable image ({error})") from error


def _image_pixels(image: Image.Image, name: str, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image upright, as 8-bit RGB; 16-bit grey is scaled, transparency is dropped."""
    _check_pixels(image.height, image.width, name, max_pixels)
    upright = turned_upright(image)
    if upright.mode.startswith("I"):
        grey = np.asarray(upright).astype(np.int64)
        if grey.min(initial=0) < 0 or grey.max(initial=0) > 65535:
            raise ValueError(f"{name}: grey values beyond 16 bits can't be shown as a picture")
        return np.repeat((grey // 257).astype(np.uint8)[..., None], 3, axis=-1)
    if upright.mode == "F":
        raise ValueError(f"{name}: an image of floats; give an array with values in [0, 1]")
    if upright.mode == "P":
        upright = upright.convert("RGBA")
    return np.asarray(upright.convert("RGB"))


def _array_pixels(array: np.ndarray, name: str) -> UInt8[np.ndarray, "t h w 3"]:
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all() or array.min(initial=0) < 0 or array.max(initial=0) > 1:
            raise ValueError(f"{name}: an array of floats must have finite values in [0, 1]")
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"{name}: an array must be uint8 or floats in [0, 1], got {array.dtype}")
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or array.shape[-1] != 3:
        raise ValueError(
            f"{name}: an array must be (h, w), (h, w, 3) or (t, h, w, 3), got {array.shape}"
        )
    return array


def _read_frames(folder: Path, max_pixels: int) -> Clip:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise ValueError(f"{folder}: a clip needs at least one frame, but no image is in there")
    _check_num_frames(len(paths), str(folder))
    frames = [_read_image(path, max_pixels) for path in paths]
    for path, frame in zip(paths, frames, strict=True):
        if frame.shape != frames[0].shape:
            raise ValueError(
                f"{path}: the frames of a clip must have one size; this one is "
                f"{frame.shape[0]}x{frame.shape[1]}, {paths[0].name} is "
                f"{frames[0].shape[0]}x{frames[0].shape[1]}"
            )
    return Clip(frames=np.stack(frames), name=folder.name)


def _read_video(path: Path, max_pixels: int) -> Clip:
    import av  # a large library that images do not need
    from av.error import FFmpegError

    frames: list[UInt8[np.ndarray, "h w 3"]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path}: a clip needs at least one frame, but has no video")
            stream = container.streams.video[0]
            rate = float(stream.average_rate) if stream.average_rate else None
            for frame in container.decode(stream):
                _check_pixels(frame.height, frame.width, str(path), max_pixels)
                _check_num_frames(len(frames) + 1, str(path))
                turns = round(frame.rotation / 90)  # as phones hold it; against the clock
                frames.append(np.rot90(decoded_frame(frame), turns))
    except FFmpegError as error:
        raise ValueError(f"{path}: unreadable video ({error})") from error
    if not frames:
        raise ValueError(f"{path}: a clip needs at least one frame, but has none")
    return Clip(frames=np.stack(frames), frames_per_second=rate, name=path.name)


def _check_pixels(height: int, width: int, name: str, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise ValueError(
            f"{name}: {width}x{height} is {height * width / 1e6:.1f} megapixels, more than the "
            f"limit of {max_pixels / 1e6:.1f}; make it smaller or raise the limit"
        )


def _check_num_frames(num_frames: int, name: str) -> None:
    if num_frames > MAX_FRAMES:
        raise ValueError(f"{name}: more than {MAX_FRAMES} frames; cut it into shorter clips")
