"""The trained next-token model: autoencoder, codebooks and decoder, their files, its answers.

Files: ``next_token.json`` (`NextTokenDefaults`), and a folder for each part, ``st_vae``,
``codebooks`` and ``decoder``, with ``config.json`` and safetensors. The decoder's tensors are named
as transformers names them, behind ``llama.``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lavin_dit.baselines.codebooks import Codebooks
from lavin_dit.baselines.config import (
    MARKER_FILE,
    CodebookConfig,
    DecoderConfig,
    NextTokenDefaults,
)
from lavin_dit.baselines.decoder import NextTokenDecoder
from lavin_dit.evaluation.question import Clip, Question
from lavin_dit.pipeline.atomic import written_atomically
from lavin_dit.pipeline.fitting import pad_to_whole_groups
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.batches import encode_pixels
from lavin_dit.training.validation import decode_to_bytes
from lavin_dit.weights.config import config_from_json, config_to_json
from lavin_dit.weights.files import read_json
from lavin_dit.weights.fingerprint import fingerprint
from lavin_dit.weights.store import load_config, load_model, load_state, save_model

ST_VAE_FOLDER, CODEBOOKS_FOLDER, DECODER_FOLDER = "st_vae", "codebooks", "decoder"
_MAX_SHARD_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTokenModel:
    """Everything that paints.

    Attributes:
        st_vae: Autoencoder.
        codebooks: Between its latents and tokens.
        decoder: The network over tokens.
        defaults: How it is meant to be used.
    """

    st_vae: STVAE
    codebooks: Codebooks
    decoder: NextTokenDecoder
    defaults: NextTokenDefaults

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.decoder.parameters()).device

    def fingerprint(self) -> str:
        """Identify architecture and weights."""
        parts = (self.decoder, self.codebooks, self.st_vae)
        configs = [config_to_json(part.config) for part in parts]
        digest = sha256(json.dumps(configs, sort_keys=True).encode()).hexdigest()
        return "-".join([digest[:8], *(fingerprint(part) for part in parts)])

    def tokens(self, clips: Sequence[Clip]) -> Tensor:
        """Tokens of clips of one shape, ``clips tokens``.

        Args:
            clips: Of whole latent positions: sides are multiples of 8.
        """
        padded = [pad_to_whole_groups(clip, group=STVAE.TEMPORAL_COMPRESSION) for clip in clips]
        return self.codebooks.encode(encode_pixels(self.st_vae, np.stack(padded)))

    def pictures(self, tokens: Tensor, *, like: Clip) -> list[Clip]:
        """Clips of tokens.

        Args:
            tokens: As `tokens` gives them.
            like: A clip of the shape that they are wanted in.
        """
        num_frames, height, width, _ = like.shape
        cells = STVAE.SPATIAL_COMPRESSION
        latent = self.codebooks.decode(tokens, size=(height // cells, width // cells))
        return [clip[:num_frames] for clip in decode_to_bytes(self.st_vae, latent)]


class NextTokenPredictor:
    """Answers with a next-token model: the likeliest token each time, with a cache.

    Source:
        Bai et al. 2023, section 4.3: pairs and query in a row, and the model goes on.
    """

    name = "model"

    def __init__(self, model: NextTokenModel) -> None:
        """Take over a model.

        Args:
            model: In evaluation mode.
        """
        self.model = model

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Write the targets of all questions together.

        Raises:
            ValueError: If they are of another size than the model was trained on.
        """
        if not questions:
            return []
        defaults = self.model.defaults
        size = questions[0].query.shape[1:3]
        if size != (defaults.height, defaults.width):
            raise ValueError(
                f"the next-token model was trained on {defaults.height} x {defaults.width} pixels "
                f"and paints no other size, got {size[0]} x {size[1]}"
            )
        parts: list[Tensor] = []
        for place in range(len(questions[0].inputs)):
            parts.append(self.model.tokens([question.inputs[place] for question in questions]))
            parts.append(self.model.tokens([question.targets[place] for question in questions]))
        prompt = torch.cat([*parts, self.model.tokens([one.query for one in questions])], dim=1)
        written = self.model.decoder.write(prompt, count=parts[1].shape[1])
        return self.model.pictures(written, like=questions[0].targets[0])

    def reconstruct(self, clips: Sequence[Clip]) -> list[Clip]:
        """What is left of clips that become tokens and pictures again: as good as it can get.

        Args:
            clips: Of one shape.
        """
        return self.model.pictures(self.model.tokens(clips), like=clips[0])


def save_next_token(
    folder: Path,
    model: NextTokenModel,
    *,
    state: dict[str, Tensor] | None = None,
) -> None:
    """Write a model.

    Args:
        folder: Where to; an earlier one there is replaced.
        model: The model.
        state: Weights of the decoder, instead of its own.

    Raises:
        OSError: If it can't be written.
    """
    decoder = model.decoder
    if state is not None:
        decoder = NextTokenDecoder(decoder.config)
        decoder.load_state_dict(state, assign=True)
    parts: tuple[tuple[str, nn.Module, object], ...] = (
        (ST_VAE_FOLDER, model.st_vae, model.st_vae.config),
        (CODEBOOKS_FOLDER, model.codebooks, model.codebooks.config),
        (DECODER_FOLDER, decoder, decoder.config),
    )
    (folder / MARKER_FILE).unlink(missing_ok=True)  # it comes last, and says that all is there
    for name, part, config in parts:
        save_model(part, config, folder / name, max_shard_bytes=_MAX_SHARD_BYTES)
    with written_atomically(folder / MARKER_FILE) as partial:
        text = json.dumps(config_to_json(model.defaults), indent=2) + "\n"
        partial.write_text(text, encoding="utf-8")


def load_next_token(
    folder: Path, *, device: torch.device, dtype: torch.dtype = torch.float32
) -> NextTokenModel:
    """Load a model.

    Args:
        folder: That `save_next_token` wrote.
        device: Where it is to compute.
        dtype: Precision of autoencoder and decoder; codebooks are always in float32.

    Raises:
        FileNotFoundError: If the folder or a part of it is missing.
        ValueError: If a part is damaged, or of another architecture.
        ImportError: If transformers is missing.
    """
    if not (folder / MARKER_FILE).is_file():
        raise FileNotFoundError(f"{folder} is no next-token model: it has no {MARKER_FILE}")
    defaults = config_from_json(NextTokenDefaults, read_json(folder / MARKER_FILE))
    # Not by load_model: transformers computes the rotary angles when the network is built.
    decoder = NextTokenDecoder(load_config(DecoderConfig, folder / DECODER_FOLDER))
    expected = {name: tuple(tensor.shape) for name, tensor in decoder.state_dict().items()}
    decoder.load_state_dict(load_state(folder / DECODER_FOLDER, expected=expected))
    st_vae = load_model(STVAE, STVAEConfig, folder / ST_VAE_FOLDER, dtype=dtype)
    codebooks = load_model(Codebooks, CodebookConfig, folder / CODEBOOKS_FOLDER)
    return NextTokenModel(
        st_vae=st_vae.to(device).requires_grad_(requires_grad=False),
        codebooks=codebooks.to(device),
        decoder=decoder.to(device, dtype).eval(),
        defaults=defaults,
    )
