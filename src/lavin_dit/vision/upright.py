"""Turning pictures as their cameras were held."""

from PIL import ExifTags, Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each orientation of EXIF, but the usual one, 1."""


def turned_upright(picture: Image.Image) -> Image.Image:
    """Turn or mirror a picture as its EXIF tag says.

    Pillow's own way writes the other tags anew, and fails where one of them is odd.

    Args:
        picture: Opened or loaded.

    Returns:
        The picture itself where there is nothing to turn, or no tag that can be read.
    """
    try:
        turn = _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # tags are whatever a camera or a program wrote; the pixels are fine
        return picture
    return picture if turn is None else picture.transpose(turn)
