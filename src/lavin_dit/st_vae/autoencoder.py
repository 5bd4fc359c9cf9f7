"""The ST-VAE: clips to latents and back.

The convention: pixels are RGB in [-1, 1]; `STVAE.encode` and `STVAE.decode` speak of the latent as
the network makes it, and `STVAE.normalize` turns it into what a diffusion model is trained on.
"""

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.convolution import CLIP_NDIM
from lavin_dit.st_vae.decoder import Decoder
from lavin_dit.st_vae.encoder import RGB_CHANNELS, Encoder
from lavin_dit.st_vae.initialisation import initialise
from lavin_dit.st_vae.posterior import DiagonalGaussian


class STVAE(nn.Module):
    """Spatio-temporal variational autoencoder.

    A clip of 1 + 4k frames becomes 1 + k latent frames of an eighth of its height and width. A
    picture is a clip of one frame; it takes an exact 2-D way through the network, about three
    times as fast as the 3-D one. All layers run in the dtype of the weights; normalisations
    accumulate in float32.

    Source:
        Paper, section 3.1.1. The names of the weights are those of the released code.
    """

    SPATIAL_COMPRESSION: ClassVar[int] = 8
    """Pixels along each side of a latent position."""

    TEMPORAL_COMPRESSION: ClassVar[int] = 4
    """Frames that a latent frame after the first one stands for."""

    def __init__(self, config: STVAEConfig) -> None:
        """Create a model with fresh weights (`reset_parameters`).

        Args:
            config: The model's numbers.
        """
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw fresh weights; `lavin_dit.st_vae.initialisation` says which.

        Args:
            generator: Source of the numbers, on the weights' device; torch's default one if None.
        """
        initialise(self.encoder, self.decoder, generator=generator)

    @property
    def gradient_checkpointing(self) -> bool:
        """Whether training recomputes the insides of residual blocks instead of keeping them."""
        return self.encoder.gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, enabled: bool) -> None:
        self.encoder.gradient_checkpointing = enabled
        self.decoder.gradient_checkpointing = enabled

    def encode(self, clip: Float[Tensor, "b 3 t h w"]) -> DiagonalGaussian:
        """Encode clips or pictures.

        Args:
            clip: RGB in [-1, 1]; height and width are multiples of 8. With statistics per frame
                t is 1 + 4k. With the released statistics any t is taken as the release takes it,
                but where t isn't 1 + 4k, the first frame is averaged with the second.

        Returns:
            Distribution of the latent, with `num_latent_frames` frames.

        Raises:
            ValueError: If the shape isn't as described, or the dtype is not a floating one.
        """
        check_clip(clip)
        self.num_latent_frames(clip.shape[2])
        if clip.shape[2] == 1:
            return DiagonalGaussian.from_moments(self.encoder(clip.squeeze(2)).unsqueeze(2))
        return DiagonalGaussian.from_moments(self.encoder(clip))

    def decode(self, latent: Float[Tensor, "b c s y x"]) -> Float[Tensor, "b 3 t h w"]:
        """Decode latents.

        Args:
            latent: Latent as `encode` gives it, not normalised.

        Returns:
            RGB about in [-1, 1], not clamped, with `num_frames` frames.

        Raises:
            ValueError: If the shape does not fit the model, or the dtype is not a floating one.
        """
        check_latent(latent, self.config.latent_channels)
        if latent.shape[2] == 1:
            return self.decoder(latent.squeeze(2)).unsqueeze(2)
        return self.decoder(latent)

    def normalize(self, latent: Float[Tensor, "b c s y x"]) -> Float[Tensor, "b c s y x"]:
        """Centre and scale a latent for a diffusion model: ``(latent - mean) * scale``."""
        mean, scale = self._latent_statistics(latent)
        return ((latent - mean) * scale).to(latent.dtype)

    def denormalize(self, latent: Float[Tensor, "b c s y x"]) -> Float[Tensor, "b c s y x"]:
        """Undo `normalize`: ``latent / scale + mean``."""
        mean, scale = self._latent_statistics(latent)
        return (latent / scale + mean).to(latent.dtype)

    def num_latent_frames(self, num_frames: int) -> int:
        """Return how many latent frames a clip is encoded to.

        Args:
            num_frames: Frames of the clip.

        Raises:
            ValueError: If the model cannot encode a clip of so many frames.
        """
        if num_frames < 1:
            raise ValueError(f"a clip of {num_frames} frames cannot be encoded; expected 1 or more")
        if self.config.norm_statistics == "frame" and num_frames % self.TEMPORAL_COMPRESSION != 1:
            raise ValueError(
                f"a clip of {num_frames} frames cannot be encoded causally; expected 1 + 4k "
                "frames: repeat the last frame and cut the surplus after decoding"
            )
        return (num_frames - 1) // self.TEMPORAL_COMPRESSION + 1

    def num_frames(self, num_latent_frames: int) -> int:
        """Return how many frames a latent is decoded to.

        Args:
            num_latent_frames: Frames of the latent.

        Raises:
            ValueError: If there is none.
        """
        if num_latent_frames < 1:
            raise ValueError(
                f"a latent of {num_latent_frames} frames cannot be decoded; expected 1 or more"
            )
        return (num_latent_frames - 1) * self.TEMPORAL_COMPRESSION + 1

    def _latent_statistics(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        # Made from the configuration at each call: a buffer would be rounded when a model is cast
        # to 16 bits, and left unset when one is built on the meta device.
        dtype = torch.promote_types(latent.dtype, torch.float32)
        mean, scale = (
            torch.tensor(values, dtype=dtype, device=latent.device).view(-1, 1, 1, 1)
            for values in (self.config.latent_mean, self.config.latent_scale)
        )
        return mean, scale


def check_clip(clip: Float[Tensor, "b 3 t h w"]) -> None:
    """Refuse what no ST-VAE can encode.

    Args:
        clip: RGB in [-1, 1], height and width multiples of 8.

    Raises:
        ValueError: If the shape or the dtype is not that of a clip.
    """
    if clip.ndim != CLIP_NDIM or clip.shape[1] != RGB_CHANNELS:
        raise ValueError(
            f"clip has shape {tuple(clip.shape)}; expected (batch, 3, frames, height, width)"
        )
    if not clip.is_floating_point():
        raise ValueError(f"clip has dtype {clip.dtype}; expected floating RGB in [-1, 1]")
    batch, _, num_frames, height, width = clip.shape
    multiple = STVAE.SPATIAL_COMPRESSION
    if min(batch, num_frames) < 1:
        raise ValueError(f"clip has shape {tuple(clip.shape)}; expected 1 sample and frame or more")
    if min(height, width) < multiple or height % multiple or width % multiple:
        raise ValueError(
            f"clip has height {height} and width {width}; expected positive multiples of {multiple}"
        )


def check_latent(latent: Float[Tensor, "b c s y x"], latent_channels: int) -> None:
    """Refuse what a model with so many latent channels cannot decode.

    Args:
        latent: Latent, not normalised.
        latent_channels: Channels that the model's latents have.

    Raises:
        ValueError: If the shape or the dtype is not that of a latent.
    """
    if latent.ndim != CLIP_NDIM or latent.shape[1] != latent_channels or 0 in latent.shape:
        raise ValueError(
            f"latent has shape {tuple(latent.shape)}; expected (batch, {latent_channels}, frames, "
            "height, width), none of them zero"
        )
    if not latent.is_floating_point():
        raise ValueError(f"latent has dtype {latent.dtype}; expected a floating one")
