"""What the tests of processes start twice: every strategy, saved and gone on with, and Muon.

torchrun --standalone --nproc-per-node 2 tests/two_processes.py FOLDER STRATEGY ...
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import torch

from lavin_dit.training.export import whole_copy
from lavin_dit.training.muon import Float32Muon, orthogonal
from lavin_dit.training.processes import Processes, joined_processes
from lavin_dit.training.shared_folder import check_shared
from lavin_dit.training.validation import mean_losses
from tiny_training import NumberBatches, tiny_training

FIRST, LAST = 3, 6


class Validation:
    """Losses on a fixed batch, and the average gathered from all."""

    def __init__(self, training, processes: Processes, batch):
        self.training = training
        self.processes = processes
        self.batch = batch

    def __call__(self, step):
        numbers = mean_losses(self.training.call, [self.batch])
        state = whole_copy(self.training.objective.trained, dtype=torch.float32)
        if self.processes.is_first:
            torch.save(state, self.training.folder / "average.pt")
        self.processes.barrier()
        return numbers


def launch_two(script: Path, *arguments: str) -> None:
    """Run a program of the tests' in two processes, one thread each."""
    tests = Path(__file__).parent
    paths = [str(tests), str(tests.parent / "src")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "--", str(script), *arguments),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def train(folder: Path, strategy: str, num_steps: int, processes: Processes) -> None:
    """Go on with a run, by a fresh network."""
    training = tiny_training(folder, processes=processes, strategy=strategy, num_steps=num_steps)
    training.validate = Validation(training, processes, next(iter(NumberBatches(step=999))))
    training.resume()
    assert training.run() == "steps"


def stepped_matrices() -> list[torch.Tensor]:
    """Four matrices after three steps of Muon, the last of them without a gradient."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(24, 8), (8, 24), (16, 16), (4, 4)]
    matrices = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    optimizer = Float32Muon(matrices, lr=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for matrix in matrices[:-1]:
            matrix.grad = torch.randn(matrix.shape, generator=generator)
        optimizer.step()
    return [matrix.detach() for matrix in matrices]


def main() -> None:
    """Run all strategies, and one that goes on where a single process was."""
    torch.set_num_threads(1)
    folder, strategies = Path(sys.argv[1]), sys.argv[2:]
    with joined_processes("cpu") as processes:
        with mock.patch("lavin_dit.training.muon.orthogonal", wraps=orthogonal) as computed:
            stepped = {"matrices": stepped_matrices(), "computed": computed.call_count}
        torch.save(stepped, folder / f"muon-{processes.rank}.pt")
        check_shared(folder, processes)
        with mock.patch("lavin_dit.training.shared_folder._PATIENCE_S", 0.0):
            try:
                check_shared(folder / f"of-{processes.rank}", processes)
            except ValueError as error:
                (folder / f"blind-{processes.rank}.txt").write_text(str(error))
        largest = processes.largest(0.25 + processes.rank)
        (folder / f"largest-{processes.rank}.txt").write_text(str(largest))
        for strategy in strategies:
            for num_steps in (FIRST, LAST):
                train(folder / strategy, strategy, num_steps, processes)
            if processes.is_first:
                shutil.copytree(folder / "one", folder / f"one-then-{strategy}")
            processes.barrier()
            train(folder / f"one-then-{strategy}", strategy, LAST, processes)


if __name__ == "__main__":
    main()
