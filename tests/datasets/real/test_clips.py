"""Clips: shots, splits, and the right frames."""

import numpy as np
import pytest

from lavin_dit.datasets.clips import Clips
from lavin_dit.datasets.real.clip_files import ClipConverter, split_of_part
from lavin_dit.datasets.real.preparation import prepare
from lavin_dit.datasets.real.reading import read_frames
from lavin_dit.datasets.real.shots import ShotRule, find_shots
from lavin_dit.datasets.source import Source, UnusableSampleError


def texture(seed, count, *, drift=0.5):
    """Thumbnails of a texture that drifts."""
    wide = np.random.default_rng(seed).integers(60, 256, (27, 200, 3), dtype=np.uint8)
    smooth = np.cumsum(wide.astype(float), axis=1)
    smooth = ((smooth[:, 20:] - smooth[:, :-20]) / 20).astype(np.uint8)
    return np.stack([smooth[:, int(n * drift) : int(n * drift) + 48] for n in range(count)])


def test_cuts_are_found_and_motion_is_none():
    parts = [(1, 30), (2, 12), (3, 50), (4, 9)]
    film = np.concatenate([texture(seed, count) for seed, count in parts])
    assert find_shots(film, rule=ShotRule()) == ((0, 30), (30, 42), (42, 92), (92, 101))


def test_dark_frames_and_short_shots_are_left_out():
    black = np.zeros((5, 27, 48, 3), dtype=np.uint8)
    film = np.concatenate([black, texture(1, 20), black, texture(2, 4), black, texture(3, 10)])
    assert find_shots(film, rule=ShotRule()) == ((5, 25), (39, 49))
    assert find_shots(black, rule=ShotRule()) == ()
    assert find_shots(black[:0], rule=ShotRule()) == ()


def test_a_fade_is_no_cut():
    shot = texture(5, 40, drift=0.2)
    fade = np.linspace(1, 0, 40)[:, None, None, None]
    found = find_shots((shot * fade).astype(np.uint8), rule=ShotRule())
    assert len(found) == 1
    assert found[0][0] == 0


def test_parts_of_a_film_are_split_evenly():
    splits = [split_of_part(part) for part in range(20)]
    assert splits.count("validation") == splits.count("test") == 2


@pytest.fixture
def prepared(tmp_path, cache, select, make):
    """A film of two shots, one that is only for evaluation, and one that is no film."""
    selection = select(
        {
            "package/film.mp4": make.film([(1, 20), (2, 31), (None, 5)]),
            "package/real.mp4": make.film([(3, 15)], height=48, width=64),
            "package/broken.mp4": b"not a film" * 20,
        },
        evaluation_only=("*/real.mp4",),
    )
    root = tmp_path / "clips"
    report = prepare(
        root, selections=[selection], converter=ClipConverter(max_side=80), cache=cache
    )
    return root, report, selection


def test_shots_are_files_of_their_own(prepared):
    root, report, _ = prepared
    shots = sorted(report.entries, key=lambda entry: entry.path)
    assert [(shot.first_frame, shot.num_frames, shot.split) for shot in shots] == [
        (0, 20, "train"),
        (20, 31, "train"),
        (0, 15, "test"),
    ]
    assert [(shot.height, shot.width) for shot in shots] == [(44, 80), (44, 80), (48, 64)]
    assert report.skipped == {"corrupt": 1}
    assert all((root / shot.path).is_file() for shot in shots)


def test_clips_hold_the_right_frames(prepared):
    root, _, _ = prepared
    clips = Clips(root, split="train", num_frames=5, stride=2)
    assert isinstance(clips, Source)
    assert len(clips) == 20 // 9 + 31 // 9
    second = clips[1]
    assert second.shape.num_frames == 5
    whole = read_frames(root / clips.clips[1][0].path, range(20))
    assert len(whole) == 20
    np.testing.assert_array_equal(second.rgb.pixels, whole[9:19:2])
    assert len({clips[index].name for index in range(len(clips))}) == len(clips)


def test_shots_too_short_are_counted(prepared):
    root, _, _ = prepared
    clips = Clips(root, split="train", num_frames=25)
    assert len(clips) == 1
    assert clips.skipped == {"shot shorter than 25 frames": 1}
    with pytest.raises(ValueError, match="no clip of split test"):
        Clips(root, split="test", num_frames=25)
    with pytest.raises(ValueError, match="must be 1 or more"):
        Clips(root, split="train", num_frames=0)


def test_corrupt_and_shortened_films_are_refused(prepared, make):
    root, _, _ = prepared
    clips = Clips(root, split="train", num_frames=13)
    first, last = clips.clips[0][0], clips.clips[-1][0]
    (root / first.path).write_bytes(b"not a film")
    (root / last.path).write_bytes(make.film([(1, 15)], height=44, width=80))
    with pytest.raises(UnusableSampleError, match=r"corrupt film$"):
        clips[0]
    with pytest.raises(UnusableSampleError, match="film differs from the manifest"):
        clips[len(clips) - 1]


def test_preparing_again_changes_nothing(prepared, cache):
    root, report, selection = prepared
    again = prepare(root, selections=[selection], converter=ClipConverter(max_side=80), cache=cache)
    assert sorted(map(str, again.entries)) == sorted(map(str, report.entries))
