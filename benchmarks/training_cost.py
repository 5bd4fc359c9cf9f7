"""What training costs, by computation: memory for each GPU, and episodes a second.

Nothing is trained. Parameters are counted; what a backward pass needs is asked of autograd, which
runs the network on tensors without values; arithmetic is `lavin_dit.jdit.cost.supervised_flops`.
Memory is a lower bound: a real allocator wastes some, and matrix libraries have workspaces.

Usage: ``python benchmarks/training_cost.py``
"""

from argparse import ArgumentParser
from dataclasses import replace
from statistics import mean

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.cost import num_parameters, supervised_flops
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from record import record

GIB = 2**30
MAX_PAIRS = 8
H100_FLOPS = 989e12
WEIGHT, GRADIENT, ADAMW, AVERAGE, HALF = 4, 4, 8, 4, 2  # bytes for each parameter


def main() -> None:
    """Compute and record."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--presets", nargs="+", default=["0.1b", "1.0b", "3.4b"])
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--mfu", type=float, default=0.4, help="assumed, for episodes a second")
    arguments = parser.parse_args()
    states = [
        state_row(name, strategy, num_gpus)
        for name in arguments.presets
        for num_gpus in arguments.gpus
        for strategy in ("ddp", "zero2", "fsdp")
    ]
    record("training_cost_states", settings=vars(arguments), rows=states)
    activations = [
        activation_row(name, side, arguments.mfu)
        for name in arguments.presets
        for side in arguments.sides
    ]
    record("training_cost_activations", settings=vars(arguments), rows=activations)


def state_row(name: str, strategy: str, num_gpus: int) -> dict:
    """Bytes of one GPU for all that does not depend on the batch."""
    config = JDIT_PRESETS[name]
    count = num_parameters(config)
    block = (count - num_parameters(replace(config, num_layers=1))) // (config.num_layers - 1)
    held = WEIGHT + GRADIENT + ADAMW + AVERAGE
    whole = {
        # Autocast keeps 16-bit copies of the weights from forward to backward.
        "ddp": held * count + HALF * count,
        # Whole weights are 16-bit; of gradients one block at a time is whole.
        "zero2": held * count / num_gpus + HALF * count + (HALF + GRADIENT) * block,
        # Two blocks at a time are whole: the one that computes and the next.
        "fsdp": held * count / num_gpus + 2 * HALF * block + (HALF + GRADIENT) * block,
    }[strategy]
    return {
        "model": name,
        "parameters": count,
        "gpus": num_gpus,
        "strategy": strategy,
        "weights_gib": WEIGHT * count / GIB,
        "gradients_gib": GRADIENT * count / GIB,
        "adamw_gib": ADAMW * count / GIB,
        "average_gib": AVERAGE * count / GIB,
        "a_gpu_gib": whole / GIB,
    }


def activation_row(name: str, side: int, mfu: float) -> dict:
    """Bytes and operations of one episode with the most pairs, and episodes a second."""
    config = replace(JDIT_PRESETS[name], drop_path=0.0)
    tokens = (side // 16) ** 2
    flops = [
        3.0 * supervised_flops(config, num_pairs=pairs + 1, clip_tokens=tokens, dense=False)
        for pairs in range(1, MAX_PAIRS + 1)
    ]
    return {
        "model": name,
        "side_px": side,
        "tokens": 2 * (MAX_PAIRS + 1) * tokens,
        "activations_gib": activation_bytes(config, side, checkpointing=False) / GIB,
        "checkpointed_gib": activation_bytes(config, side, checkpointing=True) / GIB,
        "tflop_an_episode": mean(flops) / 1e12,
        "assumed_mfu": mfu,
        "episodes_a_second_an_h100": mfu * H100_FLOPS / mean(flops),
        "steps_of_640_an_hour_on_64": 3600 * 64 * mfu * H100_FLOPS / mean(flops) / 640,
    }


def activation_bytes(config: JDiTConfig, side: int, *, checkpointing: bool) -> int:
    """Bytes that autograd holds for one episode of the most pairs in bfloat16.

    Layers are alike, so two small numbers of them tell the rest. With checkpointing, what enters
    each layer is held, in float32, and all of the one layer that is computed again.
    """
    two, three = (_held_bytes(replace(config, num_layers=layers), side) for layers in (2, 3))
    layer, outside = three - two, two - 2 * (three - two)
    if checkpointing:
        entering = 4 * 2 * (MAX_PAIRS + 1) * (side // 16) ** 2 * config.hidden_size
        return outside + config.num_layers * entering + layer
    return outside + config.num_layers * layer


def _held_bytes(config: JDiTConfig, side: int) -> int:
    """Bytes that a forward pass leaves for the backward pass; weights and their copies left out."""
    held: dict[StorageWeakRef, torch.Tensor] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        held[StorageWeakRef(tensor.untyped_storage())] = tensor
        return tensor

    with FakeTensorMode():
        model = JDiT(config)
        shapes = {tuple(parameter.shape) for parameter in model.parameters()}
        shapes |= {tuple(reversed(shape)) for shape in shapes}
        latent = side // 8
        target = torch.empty(1, config.latent_channels, 1, latent, latent)
        condition = torch.empty(1, config.latent_channels, 2 * MAX_PAIRS + 1, latent, latent)
        with torch.autocast("cpu", dtype=torch.bfloat16), saved_tensors_hooks(pack, _as_it_is):
            velocity = model(target, torch.empty(1), condition)
        assert velocity.requires_grad
        return sum(
            tensor.untyped_storage().nbytes()
            for tensor in held.values()
            if tuple(tensor.shape) not in shapes
        )


def _as_it_is(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


if __name__ == "__main__":
    main()
