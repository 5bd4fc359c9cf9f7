"""What the tests of processes start twice: every strategy, saved and gone on with.

torchrun --standalone --nproc-per-node 2 tests/two_processes.py FOLDER STRATEGY ...
"""

import shutil
import sys
from pathlib import Path

import torch

from lavin_dit.training.export import whole_copy
from lavin_dit.training.processes import Processes, joined_processes
from lavin_dit.training.validation import mean_losses
from tiny_training import NumberBatches, tiny_training

FIRST, LAST = 3, 6


class Validation:
    """Losses on a fixed batch, and the average gathered from all."""

    def __init__(self, training, processes: Processes):
        self.training = training
        self.processes = processes

    def __call__(self, step):
        batch = next(iter(NumberBatches(step=999)))
        numbers = mean_losses(self.training.call, [batch])
        state = whole_copy(self.training.objective.trained, dtype=torch.float32)
        if self.processes.is_first:
            torch.save(state, self.training.folder / "average.pt")
        self.processes.barrier()
        return numbers


def train(folder: Path, strategy: str, num_steps: int, processes: Processes) -> None:
    """Go on with a run, by a fresh network."""
    training = tiny_training(folder, processes=processes, strategy=strategy, num_steps=num_steps)
    training.validate = Validation(training, processes)
    training.resume()
    assert training.run() == "steps"


def main() -> None:
    """Run all strategies, and one that goes on where a single process was."""
    torch.set_num_threads(1)
    folder, strategies = Path(sys.argv[1]), sys.argv[2:]
    with joined_processes("cpu") as processes:
        for strategy in strategies:
            for num_steps in (FIRST, LAST):
                train(folder / strategy, strategy, num_steps, processes)
            if processes.is_first:
                shutil.copytree(folder / "one", folder / f"one-then-{strategy}")
            processes.barrier()
            train(folder / f"one-then-{strategy}", strategy, LAST, processes)


if __name__ == "__main__":
    main()
