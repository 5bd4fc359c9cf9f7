"""Writing result files: atomically, with 16-bit PNG and COCO's run lengths as plain NumPy.

Pillow writes no 16-bit colour, and the vision side does without OpenCV where it can.
"""

import io
import json
import struct
import uuid
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8, UInt16
from PIL import Image

from lavin_dit.vision.codecs.codec import Json
from lavin_dit.vision.geometry import ClipShape


class NotWritableError(OSError):
    """A result cannot be written where it was asked for."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> Path:
    """Write a file so that it is complete or not there.

    Args:
        path: The file; its folder is made if it is not there.
        write: Writes the content to an open file.

    Returns:
        The file.

    Raises:
        NotWritableError: If the folder cannot be made, or the file cannot be written.
    """
    unfinished = path.with_name(f".{uuid.uuid4().hex}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with unfinished.open("xb") as file:
                write(file)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritableError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def write_npy(path: Path, array: Shaped[np.ndarray, "..."]) -> Path:
    """Write an array as ``.npy``, without pickling."""
    return write_atomically(path, lambda file: np.save(file, array, allow_pickle=False))


def write_json(path: Path, content: Mapping[str, Json]) -> Path:
    """Write plain values as JSON; numbers that are not finite are an error."""
    text = json.dumps(content, indent=1, allow_nan=False)
    return write_atomically(path, lambda file: file.write(text.encode()))


def write_png(path: Path, pixels: UInt8[np.ndarray, "h w *c"]) -> Path:
    """Write 8-bit grey or colour as PNG."""
    data = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(data, format="PNG")
    return write_atomically(path, lambda file: file.write(data.getvalue()))


def write_png16(path: Path, pixels: UInt16[np.ndarray, "h w *c"]) -> Path:
    """Write 16-bit grey (h w) or colour (h w 3) as PNG.

    Args:
        path: The file.
        pixels: Its values.

    Returns:
        The file.

    Raises:
        ValueError: If there are neither one nor three channels.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels not in (1, 3):
        raise ValueError(f"a 16-bit PNG has 1 or 3 channels, got {channels}")
    height, width = pixels.shape[:2]
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    # Filter 1 stores each byte's difference to the same byte of the pixel on its left.
    left = np.zeros_like(rows)
    left[:, 2 * channels :] = rows[:, : -2 * channels]
    lines = np.concatenate([np.full((height, 1), 1, dtype=np.uint8), rows - left], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if channels == 1 else 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
    return write_atomically(path, lambda file: file.write(data))


def write_flo(path: Path, pixels: Float32[np.ndarray, "h w 2"]) -> Path:
    """Write optical flow in Middlebury's format.

    Args:
        path: The file.
        pixels: Displacement to the right and down; above 1e9 where unknown.

    Returns:
        The file.
    """
    height, width = pixels.shape[:2]
    header = struct.pack("<fii", 202021.25, width, height)
    data = header + np.ascontiguousarray(pixels, dtype="<f4").tobytes()
    return write_atomically(path, lambda file: file.write(data))


def frame_names(stem: str, num_frames: int) -> tuple[str, ...]:
    """Names of a clip's files without their ending: the stem alone for an image.

    Args:
        stem: What all names begin with.
        num_frames: Number of frames.

    Returns:
        One name per frame.
    """
    if num_frames == 1:
        return (stem,)
    return tuple(f"{stem}_{frame:04d}" for frame in range(num_frames))


def squeeze_frames(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """An image without its axis of frames; a clip as it is."""
    return array[0] if len(array) == 1 else array


def run_lengths(mask: Bool[np.ndarray, "h w"]) -> dict[str, Json]:
    """A mask as COCO's uncompressed run lengths.

    Args:
        mask: True inside.

    Returns:
        Size, and the lengths of runs down the columns, outside first.
    """
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    counts = [0, *lengths] if flat[0] else lengths
    return {"size": [int(mask.shape[0]), int(mask.shape[1])], "counts": counts}


def bounding_box(mask: Bool[np.ndarray, "h w"]) -> list[Json]:
    """Left, top, width and height in pixels of what is inside a mask that is not empty."""
    rows, columns = np.nonzero(mask)
    left, top = int(columns.min()), int(rows.min())
    return [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]


def coco_images(stem: str, shape: ClipShape, *, photo_name: str | None) -> list[Json]:
    """COCO's list of images, one per frame, numbered from 1.

    Args:
        stem: Name of the result's files without their ending.
        shape: Of what was annotated.
        photo_name: Its file, if it is an image and known.
    """
    names = [f"{name}.png" for name in frame_names(stem, shape.num_frames)]
    if photo_name is not None and len(names) == 1:
        names = [photo_name]
    return [
        {"id": number, "file_name": name, "height": shape.height, "width": shape.width}
        for number, name in enumerate(names, start=1)
    ]


def coco_categories(numbers: Mapping[int, str]) -> list[Json]:
    """COCO's list of categories."""
    return [{"id": number, "name": name} for number, name in sorted(numbers.items())]
