"""Contact sheets show every picture as it is, where it belongs."""

import numpy as np
import pytest

from lavin_dit.vision.contact_sheet import Cell, Strip, draw_film, draw_sheet
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.results.by_kind import as_result
from lavin_dit.vision.results.result import Result


def clip(num_frames, height, width, *, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (num_frames, height, width, 3), dtype=np.uint8)


def place_of(page, picture):
    """(y, x) of a picture on a page; fails unless it is there, exactly and once."""
    height, width = picture.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(page, (height, width, 3))[:, :, 0]
    first = np.argwhere((windows[:, :, 0, 0] == picture[0, 0]).all(axis=-1))
    found = [(y, x) for y, x in first.tolist() if (windows[y, x] == picture).all()]
    assert len(found) == 1
    return found[0]


def test_images_are_shown_as_they_are_in_reading_order():
    pictures = [clip(1, 97 + 7 * number, 101 + number, seed=number) for number in range(4)]
    strips = [
        Strip(
            title=f"strip {number}",
            cells=tuple(Cell(caption="a", frames=frames) for frames in pair),
        )
        for number, pair in enumerate((pictures[:2], pictures[2:]))
    ]
    wide = draw_sheet(strips, max_width_px=1000)
    (y0, x0), (y1, x1), (y2, x2), _ = [place_of(wide, frames[0]) for frames in pictures]
    assert y0 == y1 == y2
    assert x0 < x1 < x2
    tall = draw_sheet(strips, max_width_px=300)
    (y0, x0), _, (y2, x2), _ = [place_of(tall, frames[0]) for frames in pictures]
    assert x0 == x2
    assert y2 > y0 + 97
    assert tall.shape[1] < 300 < wide.shape[1]


def test_a_strip_too_wide_for_the_page_is_broken():
    frames = [clip(1, 103, 107, seed=seed) for seed in range(3)]
    strip = Strip(title="t", cells=tuple(Cell(caption="c", frames=frame) for frame in frames))
    page = draw_sheet([strip], max_width_px=250)
    (y0, x0), (y1, _), (y2, x2) = [place_of(page, frame[0]) for frame in frames]
    assert y0 == y1 < y2
    assert x0 == x2


def test_of_a_clip_first_middle_and_last_frame_are_shown():
    frames = clip(13, 97, 110)
    page = draw_sheet([Strip(title="t", cells=(Cell(caption="c", frames=frames),))])
    places = [place_of(page, frames[shown]) for shown in (0, 6, 12)]
    assert [y for y, _ in places] == [places[0][0]] * 3
    assert [x for _, x in places] == sorted(x for _, x in places)


def test_small_pictures_are_enlarged_by_repetition():
    frames = clip(1, 13, 29)
    page = draw_sheet([Strip(title="t", cells=(Cell(caption="c", frames=frames),))])
    place_of(page, frames[0].repeat(4, axis=0).repeat(4, axis=1))


def test_in_a_film_clips_of_a_strip_end_together():
    given, whole, future = clip(1, 97, 101), clip(5, 97, 101, seed=1), clip(4, 97, 101, seed=2)
    cells = tuple(Cell(caption="c", frames=frames) for frames in (given, whole, future))
    film = draw_film([Strip(title="t", cells=cells)])
    assert film.shape[0] == 5
    assert film.shape[1] % 2 == film.shape[2] % 2 == 0
    for time, page in enumerate(film):
        place_of(page, given[0])
        place_of(page, whole[time])
        place_of(page, future[max(time - 1, 0)])


def test_titles_and_captions_are_written_and_stay_above_their_pictures():
    black = np.zeros((1, 100, 120, 3), dtype=np.uint8)
    strip = Strip(title="w" * 300, cells=(Cell(caption="m" * 300, frames=black),))
    page = draw_sheet([strip])
    y, x = place_of(page, black[0])
    assert page[:y].max() > 200
    ground = page[0, 0]
    assert (page[:, x + 120 :] == ground).all()
    assert (page[y + 100 :] == ground).all()


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_sheet([])
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_film([])


def test_every_kind_of_annotation_can_be_drawn():
    shape = ClipShape(num_frames=2, height=61, width=83)
    scene = random_scene(shape, generator=np.random.default_rng(0))
    for annotation in (scene.rgb, *scene.annotations):
        result = as_result(annotation, class_names={})
        assert isinstance(result, Result)
        assert result.annotation is annotation
        assert result.draw(scene.rgb).shape == (2, 61, 83, 3)
