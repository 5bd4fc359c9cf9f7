"""Finding the four sides of drawn boxes to a fraction of a pixel."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from lavin_dit.vision.codecs.labelling import connected_components

_LEAST_PART = 0.2  # of the largest patch, for another patch to be a piece of the same box
_LEVELS_ASIDE = 25.0  # between a pixel of a line and the dimmed versions of the line's colour
_LEAST_ON_OUTLINE = 0.9  # of a rectangle that is drawn, and of the pixels that lie on it
_LEAST_CONTRAST = 40.0  # levels between the line and what lies outside, to tell them apart


def _grown(mask: Bool[np.ndarray, "h w"], reach: int) -> Bool[np.ndarray, "h w"]:
    """True within a square of the given reach around every true pixel."""
    height, width = mask.shape
    tall = np.zeros((height + 2 * reach, width), dtype=np.bool_)
    for shift in range(2 * reach + 1):
        tall[shift : shift + height] |= mask
    wide = np.zeros((height, width + 2 * reach), dtype=np.bool_)
    for shift in range(2 * reach + 1):
        wide[:, shift : shift + width] |= tall[reach : reach + height]
    return wide[:, reach : reach + width]


def _makes_a_box(
    piece: Bool[np.ndarray, "h w"], drawn: Bool[np.ndarray, "h w"], line_px: int
) -> bool:
    """Whether pixels lie on the outline of a rectangle that lines of any colour follow."""
    rows, columns = np.nonzero(piece)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    aside = np.minimum(
        np.minimum(rows - top, bottom - rows), np.minimum(columns - left, right - columns)
    )
    if np.mean(aside <= line_px) < _LEAST_ON_OUTLINE:
        return False
    inset = line_px // 2
    box = drawn[top : bottom + 1, left : right + 1]
    if min(box.shape) <= 2 * inset:
        return False
    sides = (box[inset], box[-1 - inset], box[:, inset], box[:, -1 - inset])
    return float(np.mean(np.concatenate(sides))) >= _LEAST_ON_OUTLINE


def _joined(
    pieces: list[Bool[np.ndarray, "h w"]], drawn: Bool[np.ndarray, "h w"], line_px: int
) -> list[Bool[np.ndarray, "h w"]]:
    """Put together what other boxes' lines have cut apart: pieces that make a box together."""
    joined: list[Bool[np.ndarray, "h w"]] = []
    for piece in sorted(pieces, key=np.count_nonzero, reverse=True):
        for index, other in enumerate(joined):
            if _makes_a_box(piece | other, drawn, line_px):
                joined[index] = piece | other
                break
        else:
            joined.append(piece)
    return joined


def _outlines(
    mask: Bool[np.ndarray, "h w"], drawn: Bool[np.ndarray, "h w"], *, line_px: int, split: bool
) -> list[Bool[np.ndarray, "h w"]]:
    """The pixels of each drawn box; lines of other boxes that cross it do not break it.

    Unless several boxes are asked for, small patches away from the largest are taken for noise.
    """
    if not mask.any():
        return []
    whole = _grown(mask, line_px)
    patches = connected_components(whole[None].astype(np.int32), across_frames=False)[0]
    numbers, areas = np.unique(patches[mask], return_counts=True)
    if split:
        pieces = [mask & (patches == number) for number in numbers]
        return _joined(pieces, _grown(drawn, 1), line_px) if len(pieces) > 1 else pieces
    return [mask & np.isin(patches, numbers[areas >= _LEAST_PART * areas.max()])]


def _pure(
    frame: Float32[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """The pixels that show the line's own colour, if dimmed, not a mixture taken for it.

    That colour is measured, so that a network which paints all of it a little off does no harm.
    A blur over black dims a colour; other mixtures leave the line from black through it.
    """
    colour = np.median(frame[mask], axis=0)
    direction = colour / max(float(np.linalg.norm(colour)), 1.0)
    strength = frame @ direction
    aside = np.linalg.norm(frame - strength[..., None] * direction, axis=-1)
    return mask & (aside < _LEVELS_ASIDE)


def _left_side(
    frame: Float32[np.ndarray, "h w 3"], mask: Bool[np.ndarray, "h w"], line_px: int
) -> float | None:
    """Where the left side of a drawn box is, in continuous pixels.

    The labelled pixels give it to the pixel. In every row, the column there and the one before
    show how much of them the line covers, between the colour outside and that of the line; the
    median over rows forgets the rows where something else crosses.
    """
    # A line of the box starts here if the next columns are full of it; a stray patch is not.
    counts = mask.sum(axis=0)
    ahead = np.convolve(counts, np.ones(line_px, dtype=np.int64))[line_px - 1 :]
    columns = np.nonzero((counts >= 2) & (ahead[: counts.size] >= 2 * line_px))[0]
    if columns.size == 0:
        return None
    first = int(columns[0])
    inner = min(first + 1, mask.shape[1] - 1)
    rows = np.nonzero(mask[:, first] | mask[:, inner])[0]
    padded = np.pad(frame[rows], ((0, 0), (2, 0), (0, 0)))
    outside, line = padded[:, first], padded[:, inner + 2]
    contrast = line - outside
    power = np.sum(contrast**2, axis=-1)
    clear = power > _LEAST_CONTRAST**2
    if not clear.any():
        return float(first)
    pair = padded[clear, first + 1 : first + 3] - outside[clear, None]
    share = np.sum(pair * contrast[clear, None], axis=-1) / power[clear, None]
    covered = float(np.median(np.clip(share, 0, 1).sum(axis=-1)))
    return first + 1 - covered


def trace_boxes(
    picture: UInt8[np.ndarray, "t h w 3"],
    mask: Bool[np.ndarray, "t h w"],
    drawn: Bool[np.ndarray, "t h w"],
    *,
    line_px: int,
    split: bool,
) -> list[list[Float32[np.ndarray, "4"]]]:
    """Measure the drawn boxes of one colour.

    Args:
        picture: The painted clip.
        mask: Where its pixels have been read as that colour.
        drawn: Where they have been read as any colour.
        line_px: Width of the lines in pixels.
        split: Whether outlines that do not touch are different boxes, unless they are what lines
            of other colours leave of one box. A strip too narrow for two lines is then no box.

    Returns:
        For each frame its boxes (left, top, right, bottom in pixels), from left to right.
    """
    found: list[list[Float32[np.ndarray, "4"]]] = []
    for frame, own, lines in zip(picture.astype(np.float32), mask, drawn, strict=True):
        boxes: list[Float32[np.ndarray, "4"]] = []
        for patches in _outlines(own, lines, line_px=line_px, split=split):
            outline = _pure(frame, patches)
            left = _left_side(frame, outline, line_px)
            right = _left_side(frame[:, ::-1], outline[:, ::-1], line_px)
            top = _left_side(frame.swapaxes(0, 1), outline.T, line_px)
            bottom = _left_side(frame[::-1].swapaxes(0, 1), outline[::-1].T, line_px)
            if left is None or right is None or top is None or bottom is None:
                continue
            height, width = own.shape
            box = np.array([left, top, width - right, height - bottom], dtype=np.float32)
            # Where lines of two colours lie side by side, the blur between them can look like a
            # third. No two lines fit into such a strip.
            least = 2 * line_px if split else 0
            if min(box[2] - box[0], box[3] - box[1]) > least:
                boxes.append(box)
        found.append(sorted(boxes, key=lambda box: float(box[0])))
    return found
