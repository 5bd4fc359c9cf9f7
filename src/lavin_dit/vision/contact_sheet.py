"""Contact sheets: labelled pictures of many clips on one page, to look at with one's own eyes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

MAX_WIDTH_PX = 1600
_LEAST_SIDE_PX = 96  # smaller pictures are enlarged by a whole factor, so that they can be seen
_NUM_SHOWN = 3  # frames of a clip that a still sheet shows
_MARGIN_PX, _GAP_PX, _FRAME_GAP_PX = 10, 6, 2
_TITLE_PX, _CAPTION_PX = 14, 12  # font sizes
_TITLE_HEIGHT_PX, _CAPTION_HEIGHT_PX = 20, 17
_GROUND, _TITLE_COLOUR, _CAPTION_COLOUR = (36, 36, 36), (255, 255, 255), (178, 178, 178)

Font: TypeAlias = ImageFont.ImageFont | ImageFont.FreeTypeFont
Extent: TypeAlias = tuple[int, int]
Picture: TypeAlias = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One clip of a strip.

    Attributes:
        caption: What it is.
        frames: The clip; an image is a clip of one frame.
    """

    caption: str
    frames: UInt8[np.ndarray, "t h w 3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Clips that belong together and stand side by side.

    Attributes:
        title: What they show.
        cells: The clips, from left to right.
    """

    title: str
    cells: tuple[Cell, ...]

    @property
    def num_frames(self) -> int:
        """Number of frames of the longest clip."""
        return max(len(cell.frames) for cell in self.cells)


def draw_sheet(strips: Sequence[Strip], *, max_width_px: int = MAX_WIDTH_PX) -> Picture:
    """Draw strips on one page; of a clip, a few frames side by side.

    Args:
        strips: What to draw, in reading order.
        max_width_px: Width from which a new line is begun; a clip that is wider makes the page
            wider.

    Returns:
        The page.

    Raises:
        ValueError: If there is nothing to draw.
    """
    return _page([_still(strip) for strip in strips], max_width_px=max_width_px)


def draw_film(
    strips: Sequence[Strip], *, max_width_px: int = MAX_WIDTH_PX
) -> UInt8[np.ndarray, "t h w 3"]:
    """Draw strips on one page, in which the clips run.

    Clips of a strip end together: a clip that is shorter than another shows its first frame until
    the rest of the other is as long as it is.

    Args:
        strips: What to draw, in reading order.
        max_width_px: As in ``draw_sheet``.

    Returns:
        The page at each moment; of even height and width, as video files want it.

    Raises:
        ValueError: If there is nothing to draw.
    """
    num_frames = max((strip.num_frames for strip in strips), default=0)
    pages = [
        _page([_moment(strip, time) for strip in strips], max_width_px=max_width_px)
        for time in range(num_frames)
    ]
    if not pages:
        raise ValueError("there is nothing to draw")
    height, width = pages[0].shape[:2]
    return np.stack(pages)[:, : height - height % 2, : width - width % 2]


def _still(strip: Strip) -> Strip:
    """A strip of pictures: the frames of each clip that are shown, side by side."""
    return Strip(title=strip.title, cells=tuple(map(_filmstrip, strip.cells)))


def _filmstrip(cell: Cell) -> Cell:
    """Evenly spread frames of a clip, the first and the last among them, as one picture."""
    frames = _enlarged(cell.frames)
    num_frames = len(frames)
    if num_frames == 1:
        return Cell(caption=cell.caption, frames=frames)
    shown = np.linspace(0, num_frames - 1, min(num_frames, _NUM_SHOWN)).round().astype(int)
    gap = np.full((frames.shape[1], _FRAME_GAP_PX, 3), _GROUND, dtype=np.uint8)
    pictures: list[Picture] = []
    for frame in frames[shown]:
        pictures += [frame, gap]
    numbers = " ".join(str(number + 1) for number in shown.tolist())
    return Cell(
        caption=f"{cell.caption}, frames {numbers} of {num_frames}",
        frames=np.concatenate(pictures[:-1], axis=1)[None],
    )


def _moment(strip: Strip, time: int) -> Strip:
    """A strip of pictures: what each clip shows at one moment."""
    cells: list[Cell] = []
    for cell in strip.cells:
        own = min(max(time - (strip.num_frames - len(cell.frames)), 0), len(cell.frames) - 1)
        cells.append(Cell(caption=cell.caption, frames=_enlarged(cell.frames[own : own + 1])))
    return Strip(title=strip.title, cells=tuple(cells))


def _enlarged(frames: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h2 w2 3"]:
    """Frames, every pixel repeated if they are small."""
    factor = max(1, -(-_LEAST_SIDE_PX // max(frames.shape[1:3])))
    return frames.repeat(factor, axis=1).repeat(factor, axis=2)


def _page(strips: Sequence[Strip], *, max_width_px: int) -> Picture:
    """Draw strips of single pictures, line by line."""
    if not strips:
        raise ValueError("there is nothing to draw")
    room = max_width_px - 2 * _MARGIN_PX
    extents = [_lay_out([_cell_extent(c) for c in s.cells], room, gap=_GAP_PX)[1] for s in strips]
    extents = [(width, _TITLE_HEIGHT_PX + height) for width, height in extents]
    places, (width, height) = _lay_out(extents, room, gap=2 * _MARGIN_PX)
    size = (width + 2 * _MARGIN_PX, height + 2 * _MARGIN_PX)
    sheet = Image.new("RGB", size, _GROUND)
    pen = ImageDraw.Draw(sheet)
    title, caption = ImageFont.load_default(_TITLE_PX), ImageFont.load_default(_CAPTION_PX)
    for strip, (x, y), (width, _) in zip(strips, places, extents, strict=True):
        corner = (_MARGIN_PX + x, _MARGIN_PX + y)
        pen.text(corner, _shortened(strip.title, title, width), font=title, fill=_TITLE_COLOUR)
        cells, _ = _lay_out([_cell_extent(cell) for cell in strip.cells], room, gap=_GAP_PX)
        for cell, (across, down) in zip(strip.cells, cells, strict=True):
            place = (corner[0] + across, corner[1] + _TITLE_HEIGHT_PX + down)
            text = _shortened(cell.caption, caption, cell.frames.shape[2])
            pen.text(place, text, font=caption, fill=_CAPTION_COLOUR)
            picture = Image.fromarray(np.ascontiguousarray(cell.frames[0]))
            sheet.paste(picture, (place[0], place[1] + _CAPTION_HEIGHT_PX))
    return np.array(sheet)


def _cell_extent(cell: Cell) -> Extent:
    """Width and height of a single picture under its caption."""
    return cell.frames.shape[2], _CAPTION_HEIGHT_PX + cell.frames.shape[1]


def _lay_out(extents: Sequence[Extent], room_px: int, *, gap: int) -> tuple[list[Extent], Extent]:
    """Place rectangles from left to right, and begin a new line where there is no more room.

    Returns:
        Where each has its upper left corner, and the width and height of all together.
    """
    places: list[Extent] = []
    x = y = line_height = right = 0
    for width, height in extents:
        if x and x + width > room_px:
            x, y, line_height = 0, y + line_height + gap // 2, 0
        places.append((x, y))
        right, line_height = max(right, x + width), max(line_height, height)
        x += width + gap
    return places, (right, y + line_height)


def _shortened(text: str, font: Font, width_px: int) -> str:
    """A text that fits a width; dots show what is left out in its middle."""
    for kept in range(len(text), 0, -1):
        end = kept // 2
        short = text if kept == len(text) else f"{text[: kept - end]}...{text[len(text) - end :]}"
        if font.getlength(short) <= width_px:
            return short
    return ""
