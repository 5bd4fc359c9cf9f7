"""Encoding and decoding of long clips chunk by chunk.

The convention: a stream gives exactly what the whole clip would give at once. That needs a causal
model, so it is offered for statistics per frame only. What connects the chunks, the last two input
frames of every convolution over time, belongs to the stream and not to the model.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.st_vae.autoencoder import STVAE, check_clip, check_latent
from lavin_dit.st_vae.convolution import StreamState
from lavin_dit.st_vae.posterior import DiagonalGaussian


class StreamingEncoder:
    """Encoder of one clip that arrives in chunks.

    Memory is that of a chunk, however long the clip. No gradients are recorded.

    Source:
        Ours: see the module's docstring.
    """

    def __init__(self, model: STVAE) -> None:
        """Begin a clip.

        Args:
            model: A model with statistics per frame; streams don't change it.

        Raises:
            ValueError: If the model pools its statistics over the clip.
        """
        _require_causal(model)
        self._model = model
        self._state = StreamState()
        self._shape: tuple[int, ...] | None = None

    @torch.no_grad()
    def push(self, chunk: Float[Tensor, "b 3 t h w"]) -> DiagonalGaussian:
        """Encode the next frames.

        Args:
            chunk: RGB in [-1, 1]: 1 + 4k frames at first, then multiples of 4. Batch, height and
                width are the same in every chunk.

        Returns:
            Distribution of the chunk's latents: 1 + k frames at first, then t / 4.

        Raises:
            ValueError: If the chunk is not as described.
        """
        check_clip(chunk)
        num_frames, period = chunk.shape[2], STVAE.TEMPORAL_COMPRESSION
        if self._state.has_past and num_frames % period:
            raise ValueError(f"a later chunk has {num_frames} frames; expected a multiple of 4")
        if not self._state.has_past and num_frames % period != 1:
            raise ValueError(f"the first chunk has {num_frames} frames; expected 1 + 4k")
        self._shape = _require_same(self._shape, chunk)
        moments = self._model.encoder(chunk, self._state)
        self._state.has_past = True
        return DiagonalGaussian.from_moments(moments)


class StreamingDecoder:
    """Decoder of one latent that arrives in chunks.

    Memory is that of a chunk, however long the clip. No gradients are recorded.

    Source:
        Ours: see the module's docstring.
    """

    def __init__(self, model: STVAE) -> None:
        """Begin a clip.

        Args:
            model: A model with statistics per frame; streams don't change it.

        Raises:
            ValueError: If the model pools its statistics over the clip.
        """
        _require_causal(model)
        self._model = model
        self._state = StreamState()
        self._shape: tuple[int, ...] | None = None

    @torch.no_grad()
    def push(self, chunk: Float[Tensor, "b c s y x"]) -> Float[Tensor, "b 3 t h w"]:
        """Decode the next latent frames.

        Args:
            chunk: Latent, not normalised, of any number of frames. Batch, height and width are the
                same in every chunk.

        Returns:
            RGB about in [-1, 1], not clamped: 4s - 3 frames at first, then 4s.

        Raises:
            ValueError: If the chunk is not as described.
        """
        check_latent(chunk, self._model.config.latent_channels)
        self._shape = _require_same(self._shape, chunk)
        frames = self._model.decoder(chunk, self._state)
        self._state.has_past = True
        return frames


def _require_causal(model: STVAE) -> None:
    if model.config.norm_statistics != "frame":
        raise ValueError(
            f"norm_statistics {model.config.norm_statistics!r} cannot be streamed: early frames "
            "depend on late ones; expected a model with 'frame'"
        )


def _require_same(expected: tuple[int, ...] | None, chunk: Tensor) -> tuple[int, ...]:
    batch, _, _, height, width = chunk.shape
    if expected not in (None, (batch, height, width)):
        raise ValueError(
            f"the chunk has (batch, height, width) {(batch, height, width)}; the stream began "
            f"with {expected}"
        )
    return batch, height, width
