"""A run that takes a millisecond a step: a tiny J-DiT on latents that are made of numbers alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from lavin_dit.training.batches import Share, stack_draws
from lavin_dit.training.config import (
    DrawSettings,
    JDiTLossConfig,
    LoopConfig,
    OptimizerConfig,
    ScheduleConfig,
)
from lavin_dit.training.draws import draw_episode
from lavin_dit.training.jdit_objective import JDiTObjective
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import Processes, spread
from random_networks import random_jdit

TASKS = ("brightening", "darkening", "mirroring", "turning")
ALONE = Processes(rank=0, world_size=1, device=torch.device("cpu"))
OPTIMIZER = OptimizerConfig(lr=2e-3, betas=(0.9, 0.95), weight_decay=0.01, clip_norm=1.0)
MUON = replace(OPTIMIZER, matrices="muon")
CONSTANT = ScheduleConfig(warmup_steps=0, decay="constant", final_share=1.0)
LOOP = LoopConfig(
    num_steps=6,
    budget=None,
    micro_batch_size=None,
    precision="float32",
    ema_decay=0.9,
    log_every=1,
    checkpoint_every=2,
    keep_checkpoints=2,
    validate_every=0,
    max_skipped_in_a_row=2,
)


def share_of(processes: Processes) -> Share:
    """What a process gets of each batch."""
    return Share(
        seed=3, rank=processes.rank, world_size=processes.world_size, device=processes.device
    )


def task_of(latent: torch.Tensor, task: str) -> torch.Tensor:
    """What a task makes of the latents ``... h w``."""
    if task == "mirroring":
        return latent.flip(-1)
    if task == "turning":
        return latent.flip(-1, -2)
    return 0.5 * latent + (1.0 if task == "brightening" else -1.0)


@dataclass
class NumberBatches:
    """Episodes of random latents, a pure function of the step; four tasks in turn.

    ``poisoned`` steps have a value that is not a number; ``num_episodes`` limits how many different
    episodes there are.
    """

    share: Share = field(
        default_factory=lambda: Share(seed=3, rank=0, world_size=1, device=torch.device("cpu"))
    )
    batch_size: int = 4
    num_pairs: int = 2
    num_episodes: int | None = None
    draws: DrawSettings = field(
        default_factory=lambda: DrawSettings(
            timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.25
        )
    )
    poisoned: frozenset = frozenset()
    step: int = 0

    def __iter__(self) -> Iterator["NumberBatch"]:
        while True:
            batch = NumberBatch(owner=self, step=self.step)
            self.step += 1
            yield batch

    def state_dict(self):
        return {"step": self.step}

    def load_state_dict(self, state):
        self.step = state["step"]


@dataclass(frozen=True)
class NumberBatch:
    owner: NumberBatches
    step: int

    def __len__(self):
        return self.owner.batch_size // self.owner.share.world_size

    def _slots(self):
        first = self.owner.share.rank * len(self)
        return range(first, first + len(self))

    def _episode(self, slot):
        number = self.step * self.owner.batch_size + slot
        if self.owner.num_episodes is not None:
            number %= self.owner.num_episodes
        generator = torch.Generator().manual_seed(1000 + number)
        inputs = torch.randn(self.owner.num_pairs, 16, 1, 4, 4, generator=generator)
        if self.step in self.owner.poisoned:
            inputs[0, 0, 0, 0, 0] = torch.nan
        task = TASKS[number % len(TASKS)]
        return inputs, task_of(inputs, task), task

    def part(self, start, stop):
        generators = self.owner.share.generators(self.step, count=len(self))[start:stop]
        inputs, targets, tasks = zip(
            *(self._episode(slot) for slot in self._slots()[start:stop]), strict=True
        )
        draws = [
            draw_episode(
                self.owner.draws,
                target_shape=target.shape,
                generator=generator,
                device=target.device,
            )
            for target, generator in zip(targets, generators, strict=True)
        ]
        return stack_draws(
            draws,
            inputs=torch.stack(inputs).to(self.owner.share.device),
            targets=torch.stack(targets).to(self.owner.share.device),
            tasks=tasks,
            generators=generators,
        )

    def describe(self):
        return [f"episode {slot} of step {self.step}" for slot in self._slots()]

    @property
    def clip_cells(self):
        return 2 * self.owner.num_pairs, 4


def tiny_training(
    folder: Path,
    *,
    processes: Processes = ALONE,
    strategy="ddp",
    batches: NumberBatches | None = None,
    optimizer: OptimizerConfig = OPTIMIZER,
    schedule: ScheduleConfig = CONSTANT,
    drop_path: float = 0.2,
    context="causal",
    hidden_size: int = 48,
    validate=None,
    **loop,
) -> Training:
    """A run in a folder, as freshly built as after a restart."""
    if batches is None:
        batches = NumberBatches(share=share_of(processes))
    jdit = random_jdit(context, drop_path=drop_path, hidden_size=hidden_size)
    jdit = jdit.to(processes.device)
    supervision = "dense" if context == "causal" else "single"
    objective = JDiTObjective(
        jdit,
        JDiTLossConfig(supervision=supervision, l1_weight=0.0),
        lockstep=processes.world_size > 1 and strategy != "ddp",
    )
    call = spread(
        objective, jdit.blocks, processes=processes, strategy=strategy, precision="float32"
    )
    return Training(
        objective=objective,
        call=call,
        batches=batches,
        processes=processes,
        config=replace(LOOP, **loop),
        optimizer_config=optimizer,
        schedule=schedule,
        folder=folder,
        matrices=list(jdit.hidden_matrices()),
        validate=validate,
    )


def weights_of(training: Training) -> dict[str, torch.Tensor]:
    """Weights and their average."""
    state = {name: p.detach().clone() for name, p in training.objective.trained.named_parameters()}
    return state | {
        f"average.{name}": tensor.clone() for name, tensor in training.average.state_dict().items()
    }


def assert_equal_bits(first, second) -> None:
    """Hold two states to be the same, bit for bit."""
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
