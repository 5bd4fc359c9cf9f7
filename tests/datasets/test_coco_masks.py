import numpy as np
import pytest

from lavin_dit.datasets.coco_masks import decode_segmentation, fill_polygon
from lavin_dit.vision.geometry import Size

SIZE = Size(height=7, width=11)


def pixels(mask):
    return {(int(row), int(column)) for row, column in np.argwhere(mask)}


def rectangle(rows, columns):
    return {(row, column) for row in rows for column in columns}


def test_rectangle_covers_the_pixels_between_its_corners():
    mask = decode_segmentation([[2, 1, 8, 1, 8, 5, 2, 5]], size=SIZE)
    assert pixels(mask) == rectangle(range(1, 5), range(2, 8))


@pytest.mark.parametrize(("shift", "first"), [(0.4, 2), (0.6, 3), (-0.4, 2), (-0.6, 1)])
def test_pixel_belongs_where_its_centre_lies(shift, first):
    mask = decode_segmentation([[2 + shift, 1, 8, 1, 8, 5, 2 + shift, 5]], size=SIZE)
    assert pixels(mask) == rectangle(range(1, 5), range(first, 8))


def test_triangle():
    # Column x is inside below the diagonal: its centre x + 0.5 lies left of row y + 0.5.
    mask = decode_segmentation([[0, 0, 6, 6, 0, 6]], size=SIZE)
    assert pixels(mask) == {(row, column) for row in range(6) for column in range(row)}


def test_parts_are_joined_and_holes_of_one_polygon_stay_open():
    two = decode_segmentation([[0, 0, 2, 0, 2, 2, 0, 2], [4, 3, 6, 3, 6, 4, 4, 4]], size=SIZE)
    assert pixels(two) == rectangle(range(2), range(2)) | rectangle([3], [4, 5])
    # Out, in to the hole, around it, and back.
    ring = [0, 0, 6, 0, 6, 6, 0, 6, 0, 0, 2, 2, 2, 4, 4, 4, 4, 2, 2, 2]
    assert pixels(decode_segmentation([ring], size=SIZE)) == (
        rectangle(range(6), range(6)) - rectangle(range(2, 4), range(2, 4))
    )


def test_what_leaves_the_picture_is_cut_off():
    mask = decode_segmentation([[-5, -5, 20, -5, 20, 3, -5, 3]], size=SIZE)
    assert pixels(mask) == rectangle(range(3), range(11))
    beside = fill_polygon(np.array([[20.0, 1], [30, 1], [30, 5]]), size=SIZE)
    assert not beside.any()


def test_random_polygons_agree_with_a_test_of_every_pixel():
    generator = np.random.default_rng(0)
    for _ in range(50):
        corners = generator.uniform(-2, 12, (generator.integers(3, 9), 2))
        mask = fill_polygon(corners, size=SIZE)
        for row in range(SIZE.height):
            for column in range(SIZE.width):
                assert mask[row, column] == _inside(column + 0.5, row + 0.5, corners)


def _inside(x, y, corners):
    """Even-odd rule, one ray."""
    inside = False
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            inside = not inside
    return inside


def test_run_lengths_count_along_columns():
    # 5 outside, 4 inside, the rest outside: rows 5 and 6 of column 0, rows 0 and 1 of column 1.
    runs = {"size": [7, 11], "counts": [5, 4, 77 - 9]}
    assert pixels(decode_segmentation(runs, size=SIZE)) == {(5, 0), (6, 0), (0, 1), (1, 1)}


def test_run_lengths_may_start_inside():
    runs = {"size": [7, 11], "counts": [0, 2, 75]}
    assert pixels(decode_segmentation(runs, size=SIZE)) == {(0, 0), (1, 0)}


def test_compressed_run_lengths_known_from_coco():
    """Made by pycocotools 2.0.11 from two rectangles and a point; the string is the golden."""
    wanted = rectangle(range(1, 5), range(2, 8)) | {(6, 10)} | rectangle(range(2), range(8, 10))
    runs = {"size": [7, 11], "counts": "?43000000000ON306O"}
    assert pixels(decode_segmentation(runs, size=SIZE)) == wanted


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ([[1, 1, 2, 2]], "a polygon of 4 coordinates"),
        ([[1, 1, 2, 2, 3, 3, 4]], "a polygon of 7 coordinates"),
        ([[1, 1, 2, float("nan"), 3, 3]], "not finite"),
        ({"size": [11, 7], "counts": [77]}, r"run lengths for \[11, 7\]"),
        ({"size": [7, 11], "counts": [5, 4]}, "sum to 9"),
        ({"size": [7, 11], "counts": [80, -3]}, "sum to 77"),
    ],
)
def test_nonsense_is_refused(segmentation, message):
    with pytest.raises(ValueError, match=message):
        decode_segmentation(segmentation, size=SIZE)
