"""Reading the files of a prepared folder."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8
from PIL import Image

from lavin_dit.datasets.real.manifest import Entry
from lavin_dit.datasets.source import UnusableSampleError


def read_picture(root: Path, entry: Entry, *, mode: str) -> UInt8[np.ndarray, "h w c"]:
    """Read a picture file.

    Args:
        root: The prepared folder.
        entry: Which picture.
        mode: ``RGB`` or ``RGBA``.

    Returns:
        Its levels.

    Raises:
        UnusableSampleError: If it is corrupt, or not of the size that was noted.
    """
    try:
        with Image.open(root / entry.path) as picture:
            pixels = np.asarray(picture.convert(mode))
    except (OSError, SyntaxError, ValueError) as error:
        raise UnusableSampleError(entry.name, "corrupt picture") from error
    if pixels.shape[:2] != (entry.height, entry.width):
        raise UnusableSampleError(entry.name, "size differs from the manifest")
    return pixels


def read_frames(path: Path, wanted: Sequence[int]) -> UInt8[np.ndarray, "t h w 3"]:
    """Read frames of a film whose frames are evenly spaced from time 0.

    Args:
        path: The film.
        wanted: Numbers of the frames, ascending.

    Returns:
        The frames that there are; none, of one pixel, if the film ends before.

    Raises:
        OSError: If it is not a film.
    """
    try:
        frames = _decode(path, wanted)
    except (FFmpegError, ValueError) as error:
        raise OSError(f"{path} cannot be decoded: {error}") from error
    if not frames:
        return np.zeros((0, 1, 1, 3), dtype=np.uint8)
    return np.stack(list(frames.values()))


def _decode(path: Path, wanted: Sequence[int]) -> dict[int, UInt8[np.ndarray, "h w 3"]]:
    """The frames wanted that a film has, by number."""
    frames: dict[int, UInt8[np.ndarray, "h w 3"]] = {}
    with av.open(path) as container:
        if not container.streams.video:
            raise OSError(f"{path} holds no pictures")
        stream = container.streams.video[0]
        rate, base = stream.average_rate, stream.time_base
        if rate is None or base is None:
            raise OSError(f"{path} has no frame rate")
        container.seek(round(wanted[0] / rate / base), stream=stream)
        for frame in container.decode(stream):
            number = round((frame.pts or 0) * base * rate)
            if number in wanted:
                frames[number] = frame.to_ndarray(format="rgb24")
            if number >= wanted[-1]:
                break
    return frames
