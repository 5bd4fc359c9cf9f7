"""Writing contact sheets, as pictures or as films."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lavin_dit.cli.outputs import check_writable

if TYPE_CHECKING:
    from lavin_dit.vision.contact_sheet import Strip

_FRAMES_PER_SECOND = 6.0
_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_FILM = ".mp4"


def check_sheet_path(path: Path) -> None:
    """Check that a sheet can be written, before any work is done.

    Args:
        path: Where to.

    Raises:
        ValueError: If the ending is neither that of a picture nor ``.mp4``.
        OSError: If the folder can't be written to.
    """
    if path.suffix.lower() not in (*_PICTURES, _FILM):
        raise ValueError(f"{path}: a sheet's file ends in .png or .jpg, or in .mp4 for a film")
    check_writable(path.parent)


def save_sheet(path: Path, strips: "Sequence[Strip]", *, max_width_px: int | None = None) -> None:
    """Write strips as a picture, or as a film in which clips run.

    Args:
        path: A path that ``check_sheet_path`` let pass.
        strips: What to draw.
        max_width_px: Width from which a new line is begun; the sheets' usual one if None.
    """
    from lavin_dit.pipeline.clips import Clip, save_clip
    from lavin_dit.vision.contact_sheet import MAX_WIDTH_PX, draw_film, draw_sheet

    width_px = MAX_WIDTH_PX if max_width_px is None else max_width_px
    if path.suffix.lower() == _FILM:
        clip = Clip(
            frames=draw_film(strips, max_width_px=width_px), frames_per_second=_FRAMES_PER_SECOND
        )
    else:
        clip = Clip(frames=draw_sheet(strips, max_width_px=width_px)[None])
    save_clip(clip, path)
    height, width = clip.frames.shape[1:3]
    rows = "1 row" if len(strips) == 1 else f"{len(strips)} rows"
    print(f"{path}: {rows}, {width} x {height} pixels")
