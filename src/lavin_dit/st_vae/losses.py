"""The terms of the ST-VAE's training loss, as pure functions.

The convention: a term is one value for each sample, a mean over all its other axes, in float32
whatever the inputs' precision (float64 stays float64); the caller weighs and averages. Logits are
a discriminator's: positive where it takes a position for real.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lavin_dit.st_vae.posterior import DiagonalGaussian

MAX_ADAPTIVE_WEIGHT = 1e4
"""Where the adaptive weight is cut off, as in the VQGAN's training."""

_EPS = 1e-4


def squared_error(
    reconstruction: Float[Tensor, " b *shape"], target: Float[Tensor, " b *shape"]
) -> Float[Tensor, " b"]:
    """Mean squared difference, at least 0, in the square of the inputs' unit.

    Raises:
        ValueError: If the shapes differ.
    """
    return _difference(reconstruction, target).square().mean(dim=1)


def absolute_error(
    reconstruction: Float[Tensor, " b *shape"], target: Float[Tensor, " b *shape"]
) -> Float[Tensor, " b"]:
    """Mean absolute difference, at least 0, in the inputs' unit.

    Raises:
        ValueError: If the shapes differ.
    """
    return _difference(reconstruction, target).abs().mean(dim=1)


def kl_per_value(
    posterior: DiagonalGaussian, clip: Float[Tensor, "b 3 t h w"]
) -> Float[Tensor, " b"]:
    """Divergence from the standard normal distribution for each value of the clip, in nats.

    Divided by the number of values in the clip, not in the latent: weighed against an error that
    is a mean over the clip, the balance depends on neither the resolution nor the compression.

    Args:
        posterior: Distribution of the clip's latent.
        clip: What was encoded; only its shape matters.
    """
    return posterior.kl() / clip[0].numel()


def hinge_loss(
    real: Float[Tensor, " b *shape"], reconstructed: Float[Tensor, " b *shape"]
) -> Float[Tensor, " b"]:
    """What the discriminator minimises: 1 while it tells nothing apart, 0 where all is clear.

    Args:
        real: Logits of the clips.
        reconstructed: Logits of their reconstructions, which carry no gradient to the ST-VAE.

    Source:
        The paper speaks of an adversarial loss only; hinge as usual for patch discriminators.
    """
    on_real = functional.relu(1 - _at_least_float32(real)).flatten(1).mean(dim=1)
    on_others = functional.relu(1 + _at_least_float32(reconstructed)).flatten(1).mean(dim=1)
    return 0.5 * (on_real + on_others)


def adversarial_loss(reconstructed: Float[Tensor, " b *shape"]) -> Float[Tensor, " b"]:
    """What the ST-VAE minimises: minus the discriminator's mean logit of its reconstruction."""
    return -_at_least_float32(reconstructed).flatten(1).mean(dim=1)


def adaptive_weight(
    reconstruction_loss: Float[Tensor, ""],
    adversarial: Float[Tensor, ""],
    *,
    last_weight: Float[Tensor, "..."],
) -> Float[Tensor, ""]:
    """Weight at which the adversarial term pulls as strongly as the reconstruction terms.

    The ratio of the two gradients' norms at the decoder's last convolution, in [0, 10000], without
    a gradient of its own. The graph of both losses stays. Of several processes or micro batches,
    each has the weight of its own samples.

    Args:
        reconstruction_loss: Weighted sum of the reconstruction terms.
        adversarial: The adversarial term.
        last_weight: Weight of the decoder's last convolution, on which both depend.

    Source:
        Esser, Rombach and Ommer, "Taming Transformers", equation 7.
    """
    pulls = [
        torch.autograd.grad(loss, last_weight, retain_graph=True)[0].detach().float().norm()
        for loss in (reconstruction_loss, adversarial)
    ]
    return (pulls[0] / (pulls[1] + _EPS)).clamp(0, MAX_ADAPTIVE_WEIGHT)


def _difference(first: Tensor, second: Tensor) -> Tensor:
    if first.shape != second.shape:
        raise ValueError(
            f"reconstruction {tuple(first.shape)} and target {tuple(second.shape)} must have the "
            f"same shape"
        )
    return (_at_least_float32(first) - _at_least_float32(second)).flatten(start_dim=1)


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
