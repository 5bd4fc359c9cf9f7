"""Two processes do what one does: the same losses, and checkpoints for any number of processes.

Sums are made in another order, so bits differ; losses of a few steps agree to 2e-5 of their value.
"""

from pathlib import Path

import pytest
import torch

import two_processes
from lavin_dit.training.processes import Processes, joined_processes, spread
from lavin_dit.training.run_folder import read_metrics
from tiny_training import ALONE, TASKS, tiny_training
from two_processes import FIRST, LAST, launch_two, stepped_matrices, train

TOLERANCE = {"rel": 2e-5}
LOOSE = {"rel": 2e-4}  # a task's loss is one episode's
STRATEGIES = ("ddp", "fsdp", "zero2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of one process and of two."""
    folder = tmp_path_factory.mktemp("processes")
    train(folder / "one", "ddp", FIRST, ALONE)
    train(folder / "whole", "ddp", LAST + 2, ALONE)
    launch_two(Path(two_processes.__file__), str(folder), *STRATEGIES)
    return folder


def losses(folder, name="total"):
    return {line["step"]: line[name] for line in read_metrics(folder) if name in line}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_have_the_losses_of_one(folder, strategy):
    whole = losses(folder / "whole")
    for name in (strategy, f"one-then-{strategy}"):
        found = losses(folder / name)
        assert list(found) == list(range(1, LAST + 1))
        assert found == pytest.approx({step: whole[step] for step in found}, **TOLERANCE)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_loss_of_each_task_is_told_whichever_process_has_it(folder, strategy):
    """Of four episodes a step, each of another task, two are the other process's."""
    tasks = [f"loss/{task}" for task in TASKS]
    assert any(losses(folder / "whole", name) for name in tasks)
    for name in ("loss", "gradient_norm/jdit", *tasks):
        found, whole = losses(folder / strategy, name), losses(folder / "whole", name)
        early = {step: value for step, value in whole.items() if step <= LAST}
        assert found == pytest.approx(early, **LOOSE)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_process_goes_on_where_two_were(folder, strategy):
    train(folder / strategy, "ddp", LAST + 2, ALONE)
    found, whole = losses(folder / strategy), losses(folder / "whole")
    assert found == pytest.approx(whole, **TOLERANCE)
    validated = losses(folder / strategy, "validation/loss")
    assert validated[LAST + 2] == pytest.approx(
        losses(folder / "whole", "validation/loss")[LAST + 2], **TOLERANCE
    )
    average = torch.load(folder / strategy / "average.pt", weights_only=True)
    for key, value in torch.load(folder / "whole" / "average.pt", weights_only=True).items():
        torch.testing.assert_close(average[key], value, atol=2e-4, rtol=1e-3)


def test_processes_share_the_work_of_muon_and_step_alike(folder):
    """Of three matrices in each of three steps, the first process has two."""
    alone = stepped_matrices()
    for rank, share in enumerate((2, 1)):
        found = torch.load(folder / f"muon-{rank}.pt", weights_only=True)
        torch.testing.assert_close(found["matrices"], alone, atol=0, rtol=0)
        assert found["computed"] == 3 * share


def test_folders_that_processes_do_not_share_are_refused(folder):
    for rank in range(2):
        assert (folder / f"largest-{rank}.txt").read_text() == "1.25"
        said = (folder / f"blind-{rank}.txt").read_text()
        assert "is not the same folder for all processes" in said
        assert "ranks 1 don't see" in said
    assert not list(folder.rglob(".shared-*"))


def test_one_process_is_nothing_special(tmp_path, monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes("cpu") as processes:
        assert processes == Processes(rank=0, world_size=1, device=torch.device("cpu"))
        assert processes.is_first
        assert processes.any(True)
        assert not processes.any(False)
        assert processes.gather("one") == ["one"]
        processes.barrier()
    objective = tiny_training(tmp_path).objective
    alone = spread(objective, None, processes=ALONE, strategy="fsdp", precision="float32")
    assert alone is objective


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told():
    with (
        pytest.raises(ValueError, match="there is no CUDA device"),
        joined_processes("cuda"),
    ):
        pass


def test_a_device_that_is_none_is_told():
    with pytest.raises(ValueError, match="unknown device 'gpu'"), joined_processes("gpu"):
        pass
