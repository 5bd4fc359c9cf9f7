"""From queries to predictions: batches of clips through the networks, one context for all."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from lavin_dit.pipeline.batching import batches, progress_bar
from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.fitting import cut_margins, from_network, place, unfit_frames
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.pipeline.sampling import SamplingSettings
from lavin_dit.pipeline.seeds import derived_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictingSettings:
    """How queries are predicted.

    Raises:
        ValueError: If the batch size is below 1 or the output type unknown.
    """

    sampling: SamplingSettings
    """How to integrate."""
    seed: int
    """What noise is drawn from; every query starts from the same."""
    batch_size: int
    """Most queries computed together."""
    output_type: str
    """``pixels``, or ``latent`` to skip decoding."""
    progress: bool
    """Whether to show a bar over the sampling steps of each batch."""

    def __post_init__(self) -> None:
        """Check what a caller can get wrong."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.output_type not in ("pixels", "latent"):
            raise ValueError(f"output_type must be 'pixels' or 'latent', got {self.output_type!r}")


def predict_clips(
    networks: Networks,
    task: CompiledTask,
    clips: Iterable[Clip],
    *,
    settings: PredictingSettings,
) -> Iterator[Prediction]:
    """Predict targets one after another, each as soon as its batch is done.

    Args:
        networks: What to compute with.
        task: The context.
        clips: Queries, read one batch at a time.
        settings: How.
    """
    for batch in batches(clips, settings.batch_size):
        num_steps = settings.sampling.num_steps
        with progress_bar(batch, num_steps=num_steps, show=settings.progress) as bar:
            yield from _predict_batch(networks, task, batch, settings=settings, on_step=bar.update)


def _predict_batch(
    networks: Networks,
    task: CompiledTask,
    clips: Sequence[Clip],
    *,
    settings: PredictingSettings,
    on_step: Callable[[], object],
) -> Iterator[Prediction]:
    """Predict the targets of queries that are equally long."""
    placements = [place(clip.size, canvas=task.canvas, fit=task.fit) for clip in clips]
    num_frames = task.target_num_frames or clips[0].num_frames
    query_seed = derived_seed(settings.seed, "query posterior")
    latents = networks.sample(
        task,
        query_latent=torch.cat(
            networks.encode_clips(clips, placements, seeds=[query_seed] * len(clips))
        ),
        num_frames=num_frames,
        settings=settings.sampling,
        seed=settings.seed,
        on_step=on_step,
    )
    for clip, placement, latent in zip(clips, placements, latents, strict=True):
        pixels = inside = None
        if settings.output_type == "pixels":
            frames = from_network(networks.decode(latent[None])[0])[:num_frames]
            pixels, inside = unfit_frames(frames, placement), cut_margins(frames, placement)
        yield Prediction(
            name=clip.name,
            pixels=pixels,
            working_pixels=inside,
            latent=latent,
            frames_per_second=clip.frames_per_second,
            seed=settings.seed,
            pair_names=task.pair_names,
        )
