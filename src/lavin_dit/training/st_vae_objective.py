"""What the ST-VAE is trained on, the same for pictures alone and for pictures and clips.

The convention: both players' losses come from one forward pass and one backward pass. The ST-VAE's
adversarial term sees the discriminator with detached weights, the discriminator's term sees
detached reconstructions, so that neither leaves a gradient at the other player.
"""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from lavin_dit.perceptual.network import PerceptualNetwork, perceptual_distance
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.discriminator import PatchDiscriminator
from lavin_dit.st_vae.losses import (
    absolute_error,
    adaptive_weight,
    adversarial_loss,
    hinge_loss,
    kl_per_value,
    squared_error,
)
from lavin_dit.training.config import STVAELossConfig
from lavin_dit.training.objective import Losses
from lavin_dit.vision.psnr import MAX_PSNR_DB

_PIXEL_RANGE = 2.0


class STVAEBatch(NamedTuple):
    """Clips, and the randomness that is spent on them."""

    clips: Float[Tensor, "b 3 t h w"]
    """RGB in [-1, 1]; t is 1 for pictures, which take the two-dimensional way, or 1 + 4k."""

    noise: Float[Tensor, "b c s y x"]
    """Standard normal, of the latent's shape: what the posterior is sampled with."""


class STVAEObjective(nn.Module):
    """The ST-VAE's training loss, with its opponent if there is one.

    Every trained parameter takes part in every forward pass. Wrapping for several processes goes
    around the whole objective; of the parts inside, residual blocks may be wrapped by themselves.

    Source:
        Paper, section 3.1.1; hinge loss and adaptive weight as is usual since the VQGAN.
    """

    def __init__(
        self,
        st_vae: STVAE,
        config: STVAELossConfig,
        *,
        discriminator: PatchDiscriminator | None = None,
        perceptual: PerceptualNetwork | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            st_vae: The model to train.
            config: Weights of the terms.
            discriminator: The opponent; given if and only if its term has a weight.
            perceptual: A frozen network; given if and only if its term has a weight.

        Raises:
            ValueError: If a part is missing, or given without a weight.
        """
        super().__init__()
        for name, part, weight in (
            ("discriminator", discriminator, config.adversarial),
            ("perceptual network", perceptual, config.perceptual),
        ):
            if (part is None) != (weight == 0):
                state = "missing" if part is None else "given"
                raise ValueError(f"the {name} is {state}, but the weight of its term is {weight}")
        self.st_vae = st_vae
        self.config = config
        self.discriminator = discriminator
        self.perceptual = perceptual

    @property
    def trained(self) -> STVAE:
        """The ST-VAE."""
        return self.st_vae

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters that are trained of ``"st_vae"`` and, if there is one, ``"discriminator"``."""
        groups = {"st_vae": [p for p in self.st_vae.parameters() if p.requires_grad]}
        if self.discriminator is not None:
            groups["discriminator"] = list(self.discriminator.parameters())
        return groups

    def forward(self, batch: STVAEBatch, step: int) -> Losses:
        """Compute the losses of a batch.

        Args:
            batch: Clips and noise.
            step: Steps taken before this one.

        Returns:
            ``total``, and under ``logged`` each term before its weight: ``squared_error``, ``l1``
            and ``kl``; ``perceptual`` if there is such a network; with a discriminator its loss
            ``discriminator``, ``adversarial``, the ``adversarial_weight`` that counts at this
            step, and the mean logits ``logit_real`` and ``logit_reconstructed``. ``psnr_db`` is
            that of sampled latents, averaged over the clips. Without gradients the adaptive weight
            cannot be known, and ``adversarial`` counts as it stands in the configuration.

        Raises:
            ValueError: If clips and noise don't suit the model or each other.
        """
        posterior = self.st_vae.encode(batch.clips)
        reconstruction = self.st_vae.decode(posterior.sample_with_noise(batch.noise))
        error = squared_error(reconstruction, batch.clips)
        logged = {
            "squared_error": error.mean(),
            "l1": absolute_error(reconstruction, batch.clips).mean(),
        }
        to_reconstruct = (
            self.config.squared_error * logged["squared_error"] + self.config.l1 * logged["l1"]
        )
        if self.perceptual is not None:
            logged["perceptual"] = _mean_distance(self.perceptual, reconstruction, batch.clips)
            to_reconstruct = to_reconstruct + self.config.perceptual * logged["perceptual"]
        logged["kl"] = kl_per_value(posterior, batch.clips).mean()
        total = to_reconstruct + self.config.kl * logged["kl"]
        if self.discriminator is not None:
            game = self._play(self.discriminator, batch.clips, reconstruction, to_reconstruct, step)
            logged.update(game)
            weighted = game["adversarial_weight"] * game["adversarial"]
            total = total + weighted + self._begun(step) * game["discriminator"]
        logged["psnr_db"] = _psnr_db(error).mean()
        return Losses(total=total, logged={name: value.detach() for name, value in logged.items()})

    def _play(
        self,
        discriminator: PatchDiscriminator,
        clips: Tensor,
        reconstruction: Tensor,
        to_reconstruct: Tensor,
        step: int,
    ) -> dict[str, Tensor]:
        """Both players' terms, and what the ST-VAE's counts."""
        real = discriminator(clips)
        reconstructed = discriminator(reconstruction.detach())
        adversarial = adversarial_loss(_judge_detached(discriminator, reconstruction)).mean()
        weight = adversarial.new_tensor(self.config.adversarial * self._begun(step))
        if self.config.adaptive_weight and self._begun(step) and adversarial.requires_grad:
            weight = weight * adaptive_weight(
                to_reconstruct,
                adversarial,
                last_weight=self.st_vae.decoder.conv_out.conv.weight,
            )
        return {
            "discriminator": hinge_loss(real, reconstructed).mean(),
            "adversarial": adversarial,
            "adversarial_weight": weight,
            "logit_real": real.mean(),
            "logit_reconstructed": reconstructed.mean(),
        }

    def _begun(self, step: int) -> int:
        # A factor, no branch: every parameter has a gradient at every step, as distributed
        # training wants it.
        return int(step >= self.config.discriminator_start)


def _judge_detached(discriminator: PatchDiscriminator, clip: Tensor) -> Tensor:
    """Logits whose gradient reaches the clip, but not the discriminator."""
    weights = {name: weight.detach() for name, weight in discriminator.named_parameters()}
    return functional_call(discriminator, weights, (clip,))


def _psnr_db(error: Tensor) -> Tensor:
    """`psnr_db` of squared errors of pixels in [-1, 1], where they are and without waiting."""
    return -10 * torch.log10((error / _PIXEL_RANGE**2).clamp_min(10 ** (-MAX_PSNR_DB / 10)))


def _mean_distance(network: PerceptualNetwork, first: Tensor, second: Tensor) -> Tensor:
    """Perceptual distance, averaged over all frames of all clips."""
    frames = (rearrange(clip, "b c t h w -> (b t) c h w") for clip in (first, second))
    return perceptual_distance(network, *frames).mean()
