"""Processes of a run: one, or many that torchrun has started.

The strategies are torch's own: DDP, where each process holds everything; FSDP2, where weights,
gradients and optimizer states are spread; and ``zero2``, FSDP2 that keeps weights whole between
forward and backward (``reshard_after_forward=False``).
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from lavin_dit.pipeline.devices import resolve_device
from lavin_dit.training.config import Precision, Strategy

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """This process among its peers.

    Attributes:
        rank: Number of this process.
        world_size: Number of processes.
        device: Where this one trains.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - a truth value is what it is about
        """Whether a flag is set in any process; all call it together."""
        if self.world_size == 1:
            return flag
        value = torch.tensor(int(flag), device=self.device)
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value.item())

    def largest(self, value: float) -> float:
        """The largest of all processes' values, in single precision; all call it together."""
        if self.world_size == 1:
            return value
        largest = torch.tensor(value, dtype=torch.float32, device=self.device)
        dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        return largest.item()

    def gather(self, value: _T) -> list[_T]:
        """What each process has, in the order of their numbers; all call it together."""
        if self.world_size == 1:
            return [value]
        gathered: list[_T] = [value] * self.world_size
        dist.all_gather_object(gathered, value)
        return gathered

    def barrier(self) -> None:
        """Wait for the others."""
        if self.world_size > 1:
            dist.barrier()


@contextmanager
def joined_processes(device: str | None) -> Generator[Processes]:
    """Join the processes that torchrun started; a process by itself if it did not.

    Args:
        device: ``cpu`` or ``cuda``; CUDA where there is one if None. Of several processes on a
            machine, each takes the GPU of its local rank.

    Raises:
        ValueError: If the device is unknown or not there.
    """
    place = resolve_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        yield Processes(rank=0, world_size=1, device=place)
        return
    if place.type == "cuda":
        place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Processes(rank=dist.get_rank(), world_size=dist.get_world_size(), device=place)
        dist.barrier()
    finally:
        dist.destroy_process_group()


def spread(
    objective: nn.Module,
    blocks: nn.ModuleList | None,
    *,
    processes: Processes,
    strategy: Strategy,
    precision: Precision,
) -> nn.Module:
    """Make an objective compute with its peers.

    Args:
        objective: On this process's device.
        blocks: Modules that are sharded one by one; what is left is one more shard.
        processes: This process among its peers.
        strategy: How the work is spread.
        precision: Of matrix products, with FSDP; with DDP autocast is the loop's business.

    Returns:
        What the loop calls. Sharding changes the objective in place.
    """
    if processes.world_size == 1:
        return objective
    if strategy == "ddp":
        ids = [processes.device.index] if processes.device.type == "cuda" else None
        # Buffers are those of frozen networks, alike everywhere. Torch 2.13 renamed the setting.
        renamed = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
        name = "forward_sync_buffers" if renamed else "broadcast_buffers"
        unsynchronised: dict[str, Any] = {name: False}
        return DistributedDataParallel(
            objective, device_ids=ids, gradient_as_bucket_view=True, **unsynchronised
        )
    half = torch.bfloat16 if precision == "bfloat16" else None
    # Inputs stay as they are: timesteps and rotations are float32, and autocast does the rest.
    policy = MixedPrecisionPolicy(
        param_dtype=half, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    keep = strategy == "fsdp"
    for block in blocks or ():
        fully_shard(block, mp_policy=policy, reshard_after_forward=keep)
    return cast("nn.Module", fully_shard(objective, mp_policy=policy, reshard_after_forward=keep))


def gather_gradients(objective: nn.Module, *, last: bool) -> None:
    """Say whether the next backward pass is the last of a step, and gradients are to be joined.

    Args:
        objective: What `spread` returned.
        last: Whether it is; before, gradients stay where they are.
    """
    if isinstance(objective, DistributedDataParallel):
        objective.require_backward_grad_sync = last
    elif isinstance(objective, FSDPModule):
        objective.set_requires_gradient_sync(last)


def let_go_of_whole_weights(objective: nn.Module) -> None:
    """Put shards back in place of weights that a pass without gradients has left whole."""
    for module in objective.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
