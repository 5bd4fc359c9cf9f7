"""Where networks live while they work."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

Offload = Literal["none", "model", "block"]
"""``none``: networks stay on the device. ``model``: each is there only while it works. ``block``:
of the J-DiT, only the block at work is, which fits the 3.4B into little memory and is slow."""

_MULTIPLYING_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")


def resolve_device(device: torch.device | str | None) -> torch.device:
    """Check that a device is there; choose the best one if none is named.

    Raises:
        ValueError: If it is unknown, or this machine has none of its kind.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"unknown device {device!r}; use 'cpu', 'cuda' or 'mps'") from error
    if resolved.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device {device!s} is none that is supported; use 'cpu', 'cuda' or 'mps'")
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {device!s} was asked for, but there is no CUDA device; use 'cpu'")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!s} was asked for, but there are {torch.cuda.device_count()}"
        )
    if resolved.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device {device!s} was asked for, but there is no MPS device; use 'cpu'")
    return resolved


def default_dtype(device: torch.device) -> torch.dtype:
    """Return the precision that suits a device: bfloat16 on CUDA, else float32.

    On CPUs without bfloat16 arithmetic, 16 bits are several times slower than 32.
    """
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies matrices of bfloat16 without emulating it.

    Args:
        device: The device; a CPU is asked for its instructions, as far as this torch can, others
            are taken to do so.
    """
    if device.type != "cpu":
        return True
    if told := getattr(torch.cpu, "get_capabilities", None):
        capabilities: dict[str, Any] = told()
        return any(map(capabilities.get, _MULTIPLYING_BFLOAT16))
    older: Callable[[], bool] = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return older()


@contextmanager
def resident(module: nn.Module, *, device: torch.device, offload: Offload) -> Generator[None]:
    """Have a network on the device for a while.

    Its host copy stays where it is, so that leaving costs nothing.

    Args:
        module: The network; its ``blocks`` are moved one at a time if asked for.
        device: Where to compute.
        offload: Whether and how parts take turns.
    """
    with ExitStack() as stack:
        if offload == "model":
            stack.enter_context(_moved(_slots(module), device))
        elif offload == "block":
            blocks: list[nn.Module] = list(getattr(module, "blocks", []))
            inside = {id(part) for block in blocks for part in block.modules()}
            outside = [slot for slot in _slots(module) if id(slot.owner) not in inside]
            stack.enter_context(_moved(outside, device))
            for block in blocks:
                stack.enter_context(_moved_when_called(block, device))
        yield


class _Slot(NamedTuple):
    """A parameter, and where it hangs."""

    owner: nn.Module
    name: str
    parameter: nn.Parameter


def _slots(module: nn.Module) -> list[_Slot]:
    return [
        _Slot(owner, name, parameter)
        for owner in module.modules()
        for name, parameter in owner.named_parameters(recurse=False)
    ]


@contextmanager
def _moved(slots: Sequence[_Slot], device: torch.device) -> Generator[None]:
    try:
        for owner, name, parameter in slots:
            copy = parameter.detach().to(device, non_blocking=True)
            setattr(owner, name, nn.Parameter(copy, requires_grad=False))
        yield
    finally:
        for owner, name, parameter in slots:
            setattr(owner, name, parameter)


@contextmanager
def _moved_when_called(block: nn.Module, device: torch.device) -> Generator[None]:
    stack = ExitStack()

    def enter(_module: nn.Module, _inputs: object) -> None:
        stack.enter_context(_moved(_slots(block), device))

    def leave(_module: nn.Module, _inputs: object, _output: object) -> None:
        stack.close()

    handles = (
        block.register_forward_pre_hook(enter),
        block.register_forward_hook(leave, always_call=True),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
