"""The pipeline as a predictor: many questions at once, each with examples of its own."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lavin_dit.evaluation.question import Clip, Question
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.detail import NO_DETAIL, SharedDetail, are_comparable, pair_detail
from lavin_dit.pipeline.finishing import finished
from lavin_dit.pipeline.fitting import (
    Canvas,
    pad_to_whole_groups,
    place,
    to_bytes,
    to_network,
)
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.pipeline.sampling import SamplingSettings, guidance_for, samples_for
from lavin_dit.st_vae.autoencoder import STVAE

_MAX_LATENTS = 4096  # of 64 x 64 pixels they take 16 MB, of 512 x 512 a GB
_PIXELS_AT_ONCE = 1 << 18  # what the autoencoder is given together


class PipelinePredictor:
    """Answers with a pipeline; what it gives equals the pipeline's own answer to each question.

    Clips that occur in several questions are encoded once, and questions are sampled together. All
    start from the same noise, as the pipeline's queries do.
    """

    name = "model"

    def __init__(
        self,
        pipeline: LavinDiTPipeline,
        *,
        settings: SamplingSettings,
        seed: int = 0,
        num_samples: int | None = None,
        keep_detail: bool | None = None,
        restoration_guidance_scale: float | None = None,
    ) -> None:
        """Take over a pipeline.

        Args:
            pipeline: Whose posterior is its mode; sampled posteriors need noise for every clip, and
                give the same scores within their spread.
            settings: How to integrate.
            seed: What the start noise is drawn from.
            num_samples: Answers to average; the pipeline's own number, for tasks that are averaged,
                if None.
            keep_detail: Whether answers are weighed against queries, given the detail that these
                lose and drawn after their outlines, as far as the examples say so; the pipeline's
                own choice if None.
            restoration_guidance_scale: Strength of guidance for tasks that restore photos; that of
                ``settings`` if None.

        Raises:
            ValueError: If the pipeline samples its posterior.
        """
        if pipeline.networks.posterior != "mode":
            raise ValueError(
                "evaluation encodes clips as their posterior's mode, but this pipeline samples it: "
                "save it with posterior='mode' among its defaults"
            )
        self.pipeline = pipeline
        self.settings = settings
        self.seed = seed
        self.num_samples = num_samples
        self.keep_detail = pipeline.defaults.keep_detail if keep_detail is None else keep_detail
        self.restoration_guidance_scale = restoration_guidance_scale
        self._latents: OrderedDict[bytes, Tensor] = OrderedDict()
        self._details: dict[bytes, SharedDetail] = {}

    def with_settings(
        self, settings: SamplingSettings, *, restoration_guidance_scale: float | None = None
    ) -> "PipelinePredictor":
        """The same pipeline sampled in another way; what is encoded is shared.

        Args:
            settings: As in the class.
            restoration_guidance_scale: As in the class.
        """
        other = PipelinePredictor(
            self.pipeline,
            settings=settings,
            seed=self.seed,
            num_samples=self.num_samples,
            keep_detail=self.keep_detail,
            restoration_guidance_scale=restoration_guidance_scale,
        )
        other._latents = self._latents
        other._details = self._details
        return other

    def predict(self, questions: Sequence[Question]) -> list[Clip]:
        """Sample and decode the targets of those questions together that are sampled alike."""
        answers: dict[int, Clip] = {}
        alike: dict[SamplingSettings, list[int]] = {}
        for number, question in enumerate(questions):
            alike.setdefault(self._settings_for(question.task), []).append(number)
        for settings, numbers in alike.items():
            own = [questions[number] for number in numbers]
            answers |= zip(numbers, self._predict(own, settings), strict=True)
        return [answers[number] for number in range(len(questions))]

    def _predict(self, questions: Sequence[Question], settings: SamplingSettings) -> list[Clip]:
        """Sample and decode the targets of all questions together."""
        query = self._encode([question.query for question in questions])
        task = self._context(questions)
        networks = self.pipeline.networks
        num_frames = questions[0].num_target_frames
        latents = networks.sample(
            task,
            query_latent=query,
            num_frames=num_frames,
            settings=settings,
            seed=self.seed,
            on_step=_nothing,
        )
        painted = self._decode(latents, num_frames=num_frames)
        if self.keep_detail and are_comparable(len(questions[0].query), num_frames):
            painted = [
                self._finished(frames, question)
                for frames, question in zip(painted, questions, strict=True)
            ]
        return [to_bytes(frames) for frames in painted]

    def _settings_for(self, task: str | None) -> SamplingSettings:
        """How a task is sampled."""
        guidance_scale = guidance_for(
            task,
            given=None,
            default=self.settings.guidance_scale,
            restoring=self.restoration_guidance_scale,
        )
        num_samples = samples_for(
            task, given=self.num_samples, default=self.pipeline.defaults.num_samples
        )
        return replace(self.settings, guidance_scale=guidance_scale, num_samples=num_samples)

    def _finished(
        self, painted: Float[Tensor, "t 3 h w"], question: Question
    ) -> Float[Tensor, "t 3 h w"]:
        """An answer with what it keeps of its query, as far as the examples say so."""
        height, width = question.query.shape[1:3]
        placement = place((height, width), canvas=Canvas(height=height, width=width), fit="pad")
        total = NO_DETAIL
        for pair in zip(question.inputs, question.targets, strict=True):
            key = b"".join(map(_key, pair))
            if key not in self._details:
                rebuilt = [self._rebuilt([clip])[0] for clip in pair]
                self._details[key] = pair_detail(pair, rebuilt, (placement, placement))
            total += self._details[key]
        if not total.is_of_use:
            return painted
        rebuilt = self._rebuilt([question.query])[0] if total.is_shared else None
        return finished(painted, placement, question.query, rebuilt=rebuilt, detail=total).pixels

    def _rebuilt(self, clips: Sequence[Clip]) -> list[Float[Tensor, "t 3 h w"]]:
        """What the autoencoder leaves of clips of one shape, around [0, 1]."""
        return self._decode(self._encode(clips), num_frames=len(clips[0]))

    def reconstruct(self, clips: Sequence[Clip]) -> list[Clip]:
        """Encode and decode clips: as good as targets get without what they keep of queries.

        Args:
            clips: Of one shape.

        Returns:
            What the autoencoder leaves of them.
        """
        return [to_bytes(frames) for frames in self._rebuilt(clips)]

    def _context(self, questions: Sequence[Question]) -> CompiledTask:
        """The examples of all questions, each in its row of the batch."""
        num_pairs = len(questions[0].inputs)
        parts: list[Tensor] = []
        for pair in range(num_pairs):
            parts.append(self._encode([question.inputs[pair] for question in questions]))
            parts.append(self._encode([question.targets[pair] for question in questions]))
        latent = torch.cat(parts, dim=2)
        clip_frames = tuple(part.shape[2] for part in parts)
        networks = self.pipeline.networks
        height, width = questions[0].query.shape[1:3]
        return CompiledTask(
            latent=latent,
            clip_frames=clip_frames,
            cache=networks.extend_context(None, latent, clip_frames=clip_frames),
            canvas=Canvas(height=height, width=width),
            fit="pad",
            pair_names=tuple(str(pair) for pair in range(num_pairs)),
            target_num_frames=questions[0].num_target_frames,
            model="",  # never saved
        )

    def _encode(self, clips: Sequence[Clip]) -> Float[Tensor, "b c s y x"]:
        """Latents of clips, each computed once."""
        keys = [_key(clip) for clip in clips]
        missing: dict[bytes, Clip] = {
            key: clip for key, clip in zip(keys, clips, strict=True) if key not in self._latents
        }
        found = {key: self._latents[key] for key in keys if key in self._latents}
        for batch in _batches(list(missing.items())):
            latents = self._encode_together([clip for _, clip in batch])
            found |= {key: latent for (key, _), latent in zip(batch, latents, strict=True)}
        for key in found:
            self._latents[key] = found[key]
            self._latents.move_to_end(key)
        while len(self._latents) > _MAX_LATENTS:
            self._latents.popitem(last=False)
        return torch.stack([found[key] for key in keys])

    def _encode_together(self, clips: Sequence[Clip]) -> Float[Tensor, "b c s y x"]:
        """Latents of clips of one shape."""
        networks = self.pipeline.networks
        pixels = torch.cat(
            [
                to_network(
                    pad_to_whole_groups(clip, group=STVAE.TEMPORAL_COMPRESSION),
                    device=networks.device,
                    dtype=networks.dtype,
                )
                for clip in clips
            ]
        )
        return networks.encode(pixels)

    def _decode(
        self, latents: Float[Tensor, "b c s y x"], *, num_frames: int
    ) -> list[Float[Tensor, "t 3 h w"]]:
        """Pictures of latents, around [0, 1]."""
        networks = self.pipeline.networks
        return [networks.rebuild(latent[None], num_frames=num_frames) for latent in latents]


def _nothing() -> None:
    """What is done after a step."""


def _key(clip: Clip) -> bytes:
    """Tells clips apart."""
    digest = blake2b(np.ascontiguousarray(clip).tobytes(), digest_size=16)
    digest.update(repr(clip.shape).encode())
    return digest.digest()


def _batches(items: list[tuple[bytes, Clip]]) -> list[list[tuple[bytes, Clip]]]:
    """Items in batches that fit into memory."""
    if not items:
        return []
    frames, height, width, _ = items[0][1].shape
    size = max(1, _PIXELS_AT_ONCE // (frames * height * width))
    return [items[start : start + size] for start in range(0, len(items), size)]
