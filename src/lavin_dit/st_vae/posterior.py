"""The distribution that the encoder returns.

The convention: the encoder predicts log-variances, not standard deviations, and they are clamped
to a range in which neither they nor their exponentials overflow.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LOGVAR_RANGE = (-30.0, 20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagonalGaussian:
    """Normal distribution over latents whose elements are independent of each other.

    Source:
        Kingma and Welling, "Auto-Encoding Variational Bayes"; the range of the log-variance is
        that of the released code, whose divergence is not: it leaves one axis unsummed.
    """

    mean: Float[Tensor, "b c t h w"]
    """Expectation, in units of the latent (not normalised)."""

    logvar: Float[Tensor, "b c t h w"]
    """Natural logarithm of the variance, in [-30, 20]."""

    @classmethod
    def from_moments(cls, moments: Float[Tensor, "b m t h w"]) -> "DiagonalGaussian":
        """Split and clamp what an encoder predicts.

        Args:
            moments: Means in the first half of the channels, log-variances in the second.
        """
        mean, logvar = moments.chunk(2, dim=1)
        return cls(mean=mean, logvar=logvar.clamp(*LOGVAR_RANGE))

    @property
    def std(self) -> Float[Tensor, "b c t h w"]:
        """Standard deviation."""
        return torch.exp(0.5 * self.logvar)

    def mode(self) -> Float[Tensor, "b c t h w"]:
        """Return the most likely latent, which is the mean."""
        return self.mean

    def sample(self, generator: torch.Generator) -> Float[Tensor, "b c t h w"]:
        """Draw a latent.

        The noise is drawn in float32 on the generator's device and then moved, so that a generator
        on the CPU gives the same noise wherever the model runs.

        Args:
            generator: Source of the noise; its state advances.
        """
        noise = torch.randn(self.mean.shape, generator=generator, device=generator.device)
        return self.sample_with_noise(noise.to(self.mean))

    def sample_with_noise(self, noise: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Return the latent that belongs to given noise; differentiable in mean and variance.

        Args:
            noise: Standard normal, of the latent's shape.

        Raises:
            ValueError: If the shape is another one.
        """
        if noise.shape != self.mean.shape:
            raise ValueError(
                f"noise has shape {tuple(noise.shape)}; expected {tuple(self.mean.shape)}"
            )
        return self.mean + self.std * noise

    def kl(self) -> Float[Tensor, " b"]:
        """Return the divergence from the standard normal distribution, in nats.

        Returns:
            One number for each sample of the batch, summed over all its elements, in float32 or,
            for a float64 distribution, float64.
        """
        dtype = torch.promote_types(self.mean.dtype, torch.float32)
        mean, logvar = self.mean.to(dtype), self.logvar.to(dtype)
        elements = mean.square() + torch.expm1(logvar) - logvar
        return 0.5 * elements.flatten(1).sum(dim=1)
