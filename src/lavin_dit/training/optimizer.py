"""What steps the players of an objective, and what happens to their gradients before a step."""

from collections.abc import Iterable, Mapping, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import AdamW, Muon, Optimizer

from lavin_dit.pipeline.devices import multiplies_bfloat16
from lavin_dit.training.config import OptimizerConfig
from lavin_dit.training.muon import Float32Muon


def make_optimizers(
    groups: Mapping[str, Sequence[nn.Parameter]],
    config: OptimizerConfig,
    *,
    matrices: Iterable[nn.Parameter] = (),
) -> list[Optimizer]:
    """Make an AdamW with a parameter group for each player and, if asked for, a Muon.

    Args:
        groups: Parameters by player.
        config: Numbers for all of them.
        matrices: Which of them Muon takes from AdamW, if ``config.matrices`` says so.

    Raises:
        ValueError: If Muon is asked for where it has nothing to step.

    Source:
        Paper section 4.1: AdamW. Muon is ours (``docs/experiments.md``); the lengths of its steps
        are Moonlight's (arXiv 2502.16982), which makes AdamW's learning rates right for it.
    """
    taken: list[nn.Parameter] = []
    if config.matrices == "muon":
        taken = [parameter for parameter in matrices if parameter.requires_grad]
        if not taken:
            raise ValueError(
                "optimizer.matrices 'muon' is for a J-DiT's own matrices: here are none to step"
            )
    of_muon = {id(parameter) for parameter in taken}
    rest = {
        name: [parameter for parameter in group if id(parameter) not in of_muon]
        for name, group in groups.items()
    }
    fused = all(parameter.is_floating_point() for group in rest.values() for parameter in group)
    adamw = AdamW(
        [{"params": group, "name": name} for name, group in rest.items()],
        lr=config.lr,
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=fused,
    )
    if not taken:
        return [adamw]
    muon = _kind_of_muon({parameter.device for parameter in taken})(
        taken,
        lr=config.lr,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return [adamw, muon]


def _kind_of_muon(devices: set[torch.device]) -> type[Muon]:
    """The same in all processes: one CPU that emulates bfloat16 decides for all."""
    native = all(map(multiplies_bfloat16, devices))
    on_cpu = all(device.type == "cpu" for device in devices)
    if on_cpu and dist.is_available() and dist.is_initialized():
        everywhere = torch.tensor(int(native))
        dist.all_reduce(everywhere, op=dist.ReduceOp.MIN)
        native = bool(everywhere.item())
    return Muon if native else Float32Muon


def set_learning_rate(optimizers: Iterable[Optimizer], lr: float) -> None:
    """Set the learning rate of all players."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr


def clip_gradients(
    groups: Mapping[str, Sequence[nn.Parameter]], *, max_norm: float
) -> dict[str, Tensor]:
    """Scale down each player's gradient where it is too long.

    Args:
        groups: Parameters by player.
        max_norm: Largest norm.

    Returns:
        Norm of each player's gradient before clipping, over all processes; not finite if any part
        of it is not.
    """
    norms: dict[str, Tensor] = {}
    for name, parameters in groups.items():
        norm = clip_grad_norm_(parameters, max_norm)
        norms[name] = norm.full_tensor() if isinstance(norm, DTensor) else norm
    return norms
