"""A checkpoint is whole or not there, and says so before a run depends on it."""

import shutil
from collections import namedtuple

import pytest

from lavin_dit.training.checkpoints import CheckpointFolder
from tiny_training import assert_equal_bits, tiny_training, weights_of

Usage = namedtuple("Usage", "total used free")


def names(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_old_ones_go_when_a_new_one_is_whole(tmp_path):
    tiny_training(tmp_path, num_steps=7).run()
    assert names(tmp_path) == ["step-000000006", "step-000000007"]


def test_a_half_written_one_is_not_taken(tmp_path):
    training = tiny_training(tmp_path, num_steps=4)
    training.run()
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "step-000000004", folder / ".partial-step-000000009")
    shutil.copytree(folder / "step-000000004", folder / "step-000000008")
    (folder / "step-000000008" / "progress.json").unlink()
    again = tiny_training(tmp_path)
    assert again.resume()
    assert again.step == 4
    assert_equal_bits(weights_of(training), weights_of(again))


def test_a_save_that_fails_leaves_the_earlier_ones(tmp_path, monkeypatch):
    training = tiny_training(tmp_path, num_steps=2)
    training.run()

    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lavin_dit.training.checkpoints._write_durably", fail)
    more = tiny_training(tmp_path, num_steps=4)
    more.resume()
    with pytest.raises(OSError, match="No space left"):
        more.run()
    assert names(tmp_path) == ["step-000000002"]


def test_another_networks_checkpoint_is_refused(tmp_path):
    tiny_training(tmp_path, num_steps=2).run()
    other = tiny_training(tmp_path, hidden_size=24)
    with pytest.raises(ValueError, match="can't be read as this run's checkpoint"):
        other.resume()


def test_a_full_disk_is_found_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 10**5))
    training = tiny_training(tmp_path)
    with pytest.raises(OSError, match=r"has 0.0 GB free, but checkpoints to come take about"):
        training.run()
    assert training.step == 0
    assert not (tmp_path / "metrics.jsonl").exists()


def test_frozen_weights_need_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 10**5))
    training = tiny_training(tmp_path)
    folder = CheckpointFolder(tmp_path / "some", keep=2)
    with pytest.raises(OSError, match="keep fewer checkpoints"):
        folder.check_room(training.objective)
    training.objective.requires_grad_(requires_grad=False)
    folder.check_room(training.objective)


def test_a_folder_that_cannot_be_written_to_is_found_before_the_first_step(tmp_path):
    (tmp_path / "checkpoints").write_text("a file where the folder belongs")
    training = tiny_training(tmp_path)
    with pytest.raises(OSError, match="checkpoints"):
        training.run()
    assert training.step == 0


def test_state_that_is_saved_before_any_step_counts_none(tmp_path):
    training = tiny_training(tmp_path / "early")
    training._save()
    again = tiny_training(tmp_path / "early")
    assert again.resume()
    assert all(float(state["step"]) == 0 for state in again._optimizers[0].state.values())
    again.run()
    whole = tiny_training(tmp_path / "whole")
    whole.run()
    assert_equal_bits(weights_of(whole), weights_of(again))


def test_at_least_one_is_kept(tmp_path):
    with pytest.raises(ValueError, match="keep must be at least 1"):
        CheckpointFolder(tmp_path, keep=0)
