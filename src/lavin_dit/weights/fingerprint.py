"""Fingerprints: a short name for a set of weights, to tell whether a cached result fits a model."""

import hashlib
import math

import torch
from torch import Tensor, nn

_MAX_SAMPLES = 1024
_HEX_DIGITS = 16


def fingerprint(model: nn.Module) -> str:
    """Identify a model's weights by 16 hexadecimal digits.

    The names, the shapes and at most 1024 values of each tensor count, spread over the whole
    tensor and rounded to bfloat16: cheap for billions of parameters, and the same on every device,
    for a bfloat16 copy of float32 weights, and in whatever order the modules were made.

    It tells different checkpoints apart, and a checkpoint from one with a fused adapter or after an
    optimiser step. It can miss a change of single values in a tensor of more than 1024, one too
    small to show after rounding to bfloat16 (less than about 0.4 %) in any sampled value, and
    anything that is not in the state dict. A float16 copy may differ, as rounding twice can. It is
    no protection against someone who wants to deceive.

    Args:
        model: Any module whose tensors hold values.

    Raises:
        ValueError: If a tensor has no values because it is on the meta device.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if tensor.is_meta:
            raise ValueError(f"{name} is on the meta device: it has no values to identify")
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        samples = _sample(tensor.detach()).to(torch.bfloat16).cpu()
        digest.update(samples.view(torch.int16).numpy().tobytes())
    return digest.hexdigest()[:_HEX_DIGITS]


def _sample(tensor: Tensor) -> Tensor:
    flat = tensor.reshape(-1)
    stride = -(-flat.numel() // _MAX_SAMPLES)
    # A stride sharing a factor with the row length would visit the same few columns only.
    while stride > 1 and math.gcd(stride, tensor.shape[-1]) > 1:
        stride += 1
    return flat[:: max(stride, 1)]
