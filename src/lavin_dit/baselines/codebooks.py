"""Latents of an ST-VAE as tokens: residual quantisation, near in the picture and not in the latent.

Each position of a latent (8 x 8 pixels) becomes ``num_levels`` codes: the first is the nearest of
``num_codes`` vectors, the next the nearest to what the first has left, and so on. The codebooks are
k-means clusters. Near is meant in pixels: latents are turned into coordinates in which a step of
equal length changes the decoded picture about equally.
"""

import warnings

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int64
from scipy.cluster.vq import kmeans2, vq
from torch import Tensor, nn

from lavin_dit.baselines.config import CodebookConfig
from lavin_dit.st_vae.autoencoder import STVAE

_ROUNDS = 12
_LEAST_SENSITIVITY = 1e-3  # of the greatest: keeps the change of coordinates well conditioned
_PROBES, _LATENTS_AT_ONCE = 4, 32
_VECTORS_AT_ONCE = 4096


class Codebooks(nn.Module):
    """Latents to tokens and back.

    A code of level ``l`` is the token ``l * num_codes + code``, so that a token tells its level.

    Attributes:
        config: Shape.
        codes: Vectors of each level, in pixel coordinates.
        to_pixels: Normalised latents times this are pixel coordinates.
        to_latent: Its inverse.
    """

    codes: Float[Tensor, "levels codes c"]
    to_pixels: Float[Tensor, "c c"]
    to_latent: Float[Tensor, "c c"]

    def __init__(self, config: CodebookConfig) -> None:
        """Make room for codebooks; `fitted_codebooks` and loading fill it.

        Args:
            config: Shape.
        """
        super().__init__()
        self.config = config
        channels = config.latent_channels
        shape = config.num_levels, config.num_codes, channels
        self.register_buffer("codes", torch.zeros(shape))
        self.register_buffer("to_pixels", torch.eye(channels))
        self.register_buffer("to_latent", torch.eye(channels))

    @torch.no_grad()
    def encode(self, latent: Float[Tensor, "b c s h w"]) -> Int64[Tensor, "b n"]:
        """Tokens of normalised latents: frame by frame, row by row, the levels of a place together.

        Args:
            latent: Normalised latents.
        """
        vectors = rearrange(latent.float(), "b c s h w -> (b s h w) c")
        with torch.autocast(latent.device.type, enabled=False):  # which code is nearest is exact
            vectors = vectors @ self.to_pixels
            tokens = [self._nearest(part) for part in vectors.split(_VECTORS_AT_ONCE)]
        return torch.cat(tokens).reshape(len(latent), -1)

    @torch.no_grad()
    def decode(
        self, tokens: Int64[Tensor, "b n"], *, size: tuple[int, int]
    ) -> Float[Tensor, "b c s h w"]:
        """Normalised latents of tokens.

        Args:
            tokens: As `encode` gives them.
            size: Rows and columns of the latents.

        Raises:
            ValueError: If the tokens don't fill whole frames, or aren't of their levels.
        """
        levels, num_codes = self.config.num_levels, self.config.num_codes
        if tokens.shape[1] % (size[0] * size[1] * levels):
            raise ValueError(
                f"{tokens.shape[1]} tokens are no whole frames of {size[0]} x {size[1]} positions "
                f"with {levels} tokens each"
            )
        by_level = tokens.unflatten(1, (-1, levels))
        own = torch.arange(levels, device=tokens.device)
        if (by_level // num_codes != own).any():
            raise ValueError(f"tokens must take turns among levels 0 to {levels - 1}")
        vectors = self.codes[own, by_level % num_codes].sum(dim=2) @ self.to_latent
        return rearrange(vectors, "b (s h w) c -> b c s h w", h=size[0], w=size[1])

    def _nearest(self, vectors: Float[Tensor, "n c"]) -> Int64[Tensor, "n levels"]:
        """Tokens of vectors in pixel coordinates."""
        found: list[Tensor] = []
        for level, codes in enumerate(self.codes):
            # The vector's own length is the same for all codes.
            chosen = (codes.square().sum(dim=1) - 2 * vectors @ codes.T).argmin(dim=1)
            vectors = vectors - codes[chosen]
            found.append(chosen + level * self.config.num_codes)
        return torch.stack(found, dim=1)


def fitted_codebooks(
    latents: Float[Tensor, "b c h w"], st_vae: STVAE, *, config: CodebookConfig, seed: int
) -> Codebooks:
    """Fit codebooks to latents.

    Args:
        latents: Normalised latents of single pictures like those to be encoded, on the CPU.
        st_vae: The autoencoder whose they are.
        config: Shape of the codebooks.
        seed: Draws the first clusters.

    Returns:
        The codebooks, on the CPU.

    Raises:
        ValueError: If there are fewer different vectors than codes.

    Source:
        Ours: LVM's tokens come from a VQGAN of its own. These are of the autoencoder that the
        J-DiT learns with, so that a comparison is one of predictors.
    """
    to_pixels = pixel_coordinates(latents, st_vae, seed=seed)
    vectors = rearrange(latents.float(), "b c h w -> (b h w) c") @ to_pixels
    left: Float32[np.ndarray, "n c"] = vectors.numpy()
    generator = np.random.default_rng(seed)
    levels: list[Float32[np.ndarray, "codes c"]] = []
    for _ in range(config.num_levels):
        levels.append(_clusters(left, config.num_codes, generator=generator))
        left = left - levels[-1][vq(left, levels[-1])[0]]
    codebooks = Codebooks(config)
    codebooks.codes.copy_(torch.from_numpy(np.stack(levels)))
    codebooks.to_pixels.copy_(to_pixels)
    codebooks.to_latent.copy_(torch.linalg.inv(to_pixels))
    return codebooks


def pixel_coordinates(
    latents: Float[Tensor, "b c h w"], st_vae: STVAE, *, seed: int
) -> Float[Tensor, "c c"]:
    """Coordinates in which steps of equal length change the decoded picture about equally.

    Args:
        latents: Normalised latents of pictures; some of them are used.
        st_vae: The autoencoder.
        seed: Draws signs of pixels.

    Returns:
        A symmetric matrix ``W`` with ``|W d|^2`` in proportion to the mean squared change of
        pixels by a small step ``d`` of one latent position.
    """
    device = next(st_vae.parameters()).device
    network = STVAE(st_vae.config).to(device).requires_grad_(requires_grad=False)
    network.load_state_dict(st_vae.state_dict())  # in float32, whatever the weights are stored in
    generator = torch.Generator().manual_seed(seed)
    some = latents[:: max(1, len(latents) // (_PROBES * _LATENTS_AT_ONCE))]
    squares = torch.zeros(latents.shape[1], latents.shape[1])
    for part in some.float().split(_LATENTS_AT_ONCE):
        for _ in range(_PROBES):
            point = part[:, :, None].to(device).requires_grad_()
            with torch.enable_grad():
                picture = network.decode(network.denormalize(point))
            signs = torch.randint(0, 2, picture.shape, generator=generator) * 2.0 - 1.0
            # With random signs, products of these gradients are those of the Jacobian on average.
            (gradient,) = torch.autograd.grad(picture, point, signs.to(picture))
            rows = rearrange(gradient, "b c s h w -> (b s h w) c").cpu()
            squares += rows.T @ rows
    values, directions = torch.linalg.eigh(squares)
    lengths = (values / values.max()).clamp_min(_LEAST_SENSITIVITY).sqrt()
    return (directions * lengths) @ directions.T


def _clusters(
    vectors: Float32[np.ndarray, "n c"], count: int, *, generator: np.random.Generator
) -> Float32[np.ndarray, "codes c"]:
    """Centres of clusters."""
    different = np.unique(vectors, axis=0)
    if len(different) < count:
        raise ValueError(
            f"{count} codes need as many different vectors, got {len(different)}: give more "
            "pictures, or fewer codes"
        )
    start = different[generator.permutation(len(different))[:count]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a cluster that lost its points stays
        centres, _ = kmeans2(vectors, start, iter=_ROUNDS, minit="matrix")
    return centres.astype(np.float32)
