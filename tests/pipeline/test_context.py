from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavin_dit.pipeline.context import (
    choose_pairs,
    find_pairs,
    pairs_from_sources,
    read_pairs,
)


def test_pairs_are_found_in_order(pairs_folder: Path) -> None:
    (pairs_folder / "notes.txt").write_text("ignored")
    (pairs_folder / "other.png").write_bytes(b"ignored too")
    pairs = find_pairs(pairs_folder)
    assert [pair.name for pair in pairs] == ["p0", "p1", "p2", "p3"]
    read = read_pairs(pairs[:2])
    assert read[1].input.size == (64, 31)


def test_pairs_are_chosen_without_repetition_by_the_seed(pairs_folder: Path) -> None:
    pairs = find_pairs(pairs_folder)
    assert choose_pairs(pairs, count=9, seed=0) == pairs
    draws = {tuple(p.name for p in choose_pairs(pairs, count=3, seed=seed)) for seed in range(20)}
    assert all(len(set(draw)) == 3 for draw in draws)
    assert len(draws) == 4  # every way to leave one out
    assert choose_pairs(pairs, count=3, seed=5) == choose_pairs(pairs, count=3, seed=5)
    with pytest.raises(ValueError, match="num_context_pairs must be at least 1, got 0"):
        choose_pairs(pairs, count=0, seed=0)


def test_folders_that_hold_no_proper_pairs(pairs_folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match="no pairs here; expected files such as cat_input"):
        find_pairs(empty)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find_pairs(tmp_path / "absent")
    (pairs_folder / "p1_target.png").unlink()
    (pairs_folder / "p3_input.png").unlink()
    with pytest.raises(ValueError, match="p1 has no target, p3 has no input"):
        find_pairs(pairs_folder)


def test_one_half_given_twice(pairs_folder: Path) -> None:
    Image.new("RGB", (8, 8)).save(pairs_folder / "p0_input.jpg")
    with pytest.raises(ValueError, match="the same half of a pair"):
        find_pairs(pairs_folder)


def test_halves_of_different_aspect(pairs_folder: Path) -> None:
    Image.new("RGB", (50, 80)).save(pairs_folder / "p0_target.png")
    with pytest.raises(ValueError, match="pair p0: input is 37x50 and target 80x50"):
        read_pairs(find_pairs(pairs_folder))


def test_halves_that_were_resized_with_rounding_are_accepted() -> None:
    pairs_from_sources([(np.zeros((37, 50, 3), np.uint8), np.zeros((74, 101, 3), np.uint8))])


@pytest.mark.unchecked
def test_lists_that_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        pairs_from_sources([])
    with pytest.raises(TypeError, match=r"context pair 0 must be \(input, target\)"):
        pairs_from_sources([np.zeros((8, 8, 3), np.uint8)])
