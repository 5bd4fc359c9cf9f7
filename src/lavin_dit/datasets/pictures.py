"""Reading pictures and label pictures from files.

Photos become RGB of one frame, turned upright by their EXIF tag; label pictures keep the numbers
that they hold. A file that cannot be decoded makes its sample unusable.
"""

import io
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int32, UInt8, UInt16
from PIL import Image

from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.extras import how_to_install
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.upright import turned_upright

Decoded = TypeVar("Decoded")


def read_photo(path: Path, *, name: str, size: Size | None = None) -> Rgb:
    """Read a photo of any colour mode.

    Args:
        path: Any picture that Pillow reads: grey, palette, CMYK and transparent ones too.
        name: Name of the sample, for the error.
        size: Size that the annotations were made for, if they say so. It decides between the
            photo turned by its EXIF tag, which is tried first, and the pixels as stored.

    Returns:
        A clip of one frame.

    Raises:
        UnusableSampleError: If the file is missing or corrupt, or its size is not the one given.
    """

    def decode(picture: Image.Image) -> Rgb:
        upright = turned_upright(picture)
        turned_back = size is not None and _size_of(upright) != size == _size_of(picture)
        return Rgb(pixels=_to_rgb(picture if turned_back else upright)[None])

    rgb = _decode(path, decode, name=name, what="photo")
    if size is not None and rgb.shape.size != size:
        raise UnusableSampleError(name, "photo and annotations differ in size")
    return rgb


def read_labels(path: Path, *, name: str, size: Size | None = None) -> Int32[np.ndarray, "h w"]:
    """Read a label picture: the numbers of a palette, grey or 16-bit picture as they are.

    Args:
        path: A PNG of one channel.
        name: Name of the sample, for the error.
        size: Size of the photo that it belongs to; not checked where None.

    Returns:
        The number of each pixel.

    Raises:
        UnusableSampleError: If the file is missing or corrupt, has several channels, or is of
            another size.
    """

    def decode(picture: Image.Image) -> Int32[np.ndarray, "h w"]:
        return np.asarray(picture).astype(np.int32)

    labels = _decode(path, decode, name=name, what="label picture")
    if labels.ndim != 2:
        raise UnusableSampleError(name, "label picture has several channels")
    if size is not None and labels.shape != (size.height, size.width):
        raise UnusableSampleError(name, "photo and annotations differ in size")
    return labels


def read_label_channels(path: Path, *, name: str, size: Size) -> Int32[np.ndarray, "h w 3"]:
    """Read a label picture whose red, green and blue each hold numbers.

    Args:
        path: A PNG of three channels of 8 bits.
        name: Name of the sample, for the error.
        size: Size of the photo that it belongs to.

    Returns:
        Red, green and blue of each pixel.

    Raises:
        UnusableSampleError: If the file is missing or corrupt, is not RGB, or is of another size.
    """

    def decode(picture: Image.Image) -> Int32[np.ndarray, "..."]:
        return np.asarray(picture).astype(np.int32)

    channels = _decode(path, decode, name=name, what="label picture")
    if channels.ndim != 3 or channels.shape[2] != 3:
        raise UnusableSampleError(name, "label picture is not RGB")
    if channels.shape[:2] != (size.height, size.width):
        raise UnusableSampleError(name, "photo and annotations differ in size")
    return channels


def decode_png(
    data: bytes, *, name: str
) -> UInt8[np.ndarray, "h w c"] | UInt16[np.ndarray, "h w c"]:
    """Decode a picture of 8 or 16 bits a channel; Pillow would cut 16-bit colour to 8.

    Args:
        data: The bytes of a PNG or JPEG file.
        name: Name of the sample, for the error.

    Returns:
        Its channels, red first.

    Raises:
        ImportError: If OpenCV is not installed.
        UnusableSampleError: If the bytes are not a picture.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"reading 16-bit pictures needs OpenCV: {how_to_install('data')}"
        ) from error
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise UnusableSampleError(name, "picture cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None]
    return pixels[..., ::-1]


def decode_photo(data: bytes, *, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decode a photo that lies inside another file.

    Args:
        data: The bytes of a picture file.
        name: Name of the sample, for the error.

    Returns:
        Its pixels.

    Raises:
        UnusableSampleError: If the bytes are not a picture.
    """
    return _decode(io.BytesIO(data), _to_rgb, name=name, what="photo")


def _decode(
    file: Path | io.BytesIO, decode: Callable[[Image.Image], Decoded], *, name: str, what: str
) -> Decoded:
    """Open and decode, turning what corrupt files cause into the error that callers pass over."""
    try:
        with Image.open(file) as picture:
            return decode(picture)
    except FileNotFoundError as error:
        raise UnusableSampleError(name, f"{what} is missing") from error
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise UnusableSampleError(name, f"{what} cannot be decoded") from error


def _to_rgb(picture: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Pixels of any colour mode as RGB levels."""
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.array(picture.convert("RGB"))


def _size_of(picture: Image.Image) -> Size:
    """Height and width of a picture."""
    return Size(height=picture.height, width=picture.width)
