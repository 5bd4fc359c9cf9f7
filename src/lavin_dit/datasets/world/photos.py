"""Photos as textures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lavin_dit.datasets.world.packing import Photos

SIDE_PX = 256
_ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def load_photos(photos: Sequence[UInt8[np.ndarray, "h w 3"] | Path | str] | Path | str) -> Photos:
    """The middles of photos as square textures.

    Args:
        photos: sRGB arrays, or files that Pillow reads; or a folder, of which all JPEG, PNG and
            WebP files are taken, those in its folders as well.

    Returns:
        Linear colours, 256 by 256 pixels each.

    Raises:
        FileNotFoundError: If a file or folder does not exist.
        ValueError: If an array is not of the form height x width x 3, or a folder has no pictures.
    """
    if isinstance(photos, Path | str):
        photos = _pictures_in(Path(photos))
    return np.stack([_texture(photo) for photo in photos])


def _pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of photos")
    pictures = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    if not pictures:
        raise ValueError(f"{folder} holds no {', '.join(_ENDINGS)} file to be a texture")
    return pictures


def _texture(photo: UInt8[np.ndarray, "h w 3"] | Path | str) -> "np.ndarray":
    """One texture."""
    if isinstance(photo, np.ndarray):
        if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
            raise ValueError(
                f"a photo is uint8 of shape (h, w, 3), got {photo.dtype} {photo.shape}"
            )
        picture = Image.fromarray(photo)
    else:
        with Image.open(photo) as file:
            picture = file.convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.BOX, box=(left, top, left + side, top + side)
    )
    return (np.asarray(square, dtype=np.float32) / 255) ** 2.2
