"""The RMS norm that every part of a J-DiT shares."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import rms_norm as torch_rms_norm

RMS_EPS = 1e-6


def rms_norm(
    hidden: Float[Tensor, "*batch d"], weight: Float[Tensor, " d"] | None = None
) -> Float[Tensor, "*batch d"]:
    """Divide by the root mean square over the last axis, computed in float32.

    Source:
        Paper section 3.1.2 (AdaRN, QK-norm, sandwich norm); eps as in the release.
    """
    scale = None if weight is None else weight.float()
    return torch_rms_norm(hidden.float(), hidden.shape[-1:], scale, RMS_EPS).to(hidden.dtype)
