"""The flow matching loss: how far a predicted velocity is from the path's."""

from jaxtyping import Float
from torch import Tensor

from lavin_dit.flow.path import at_least_float32


def flow_matching_loss(
    predicted: Float[Tensor, " b *shape"],
    *,
    target: Float[Tensor, " b *shape"],
    l1_weight: float = 0.0,
) -> Float[Tensor, " b"]:
    """Mean squared error between velocities, one value per sample.

    A sample's value depends on that sample alone; the caller averages or weighs them. Computed in
    float32 whatever the inputs' precision (float64 stays float64).

    Args:
        predicted: The network's velocity.
        target: The path's velocity, from `lavin_dit.flow.path.velocity`.
        l1_weight: Weight of the mean absolute error added to it; 0.1 is the release's loss.

    Returns:
        Mean over all axes but the first, at least 0. The paper's squared norm is this times the
        number of values in a sample.

    Raises:
        ValueError: If the shapes differ, or the weight is negative.

    Source:
        Paper equation 1; the absolute error is the release's.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted {tuple(predicted.shape)} and target {tuple(target.shape)} must have the "
            f"same shape"
        )
    if not l1_weight >= 0.0:
        raise ValueError(f"l1_weight must be at least 0, got {l1_weight}")
    error = (at_least_float32(predicted) - at_least_float32(target)).flatten(start_dim=1)
    squared = error.square().mean(dim=1)
    if l1_weight == 0.0:
        return squared
    return squared + l1_weight * error.abs().mean(dim=1)
