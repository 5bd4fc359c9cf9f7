"""`LavinDiTPipeline`: example pairs and a query in, a prediction out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, overload

import torch
from tqdm import tqdm

from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.pipeline.clips import Clip, Source, load_clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.context import (
    ContextPair,
    choose_pairs,
    find_pairs,
    pairs_from_sources,
    read_pairs,
)
from lavin_dit.pipeline.context_compiler import check_task, compile_pairs
from lavin_dit.pipeline.devices import Offload, default_dtype, resolve_device
from lavin_dit.pipeline.fitting import Fit, canvas_for, from_network, place, unfit_frames
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.pipeline.sampling import SamplingSettings
from lavin_dit.pipeline.seeds import check_seed, derived_seed
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from lavin_dit.weights.checkpoint import load_checkpoint, save_checkpoint
from lavin_dit.weights.defaults import RELEASED_DEFAULTS, PipelineDefaults
from lavin_dit.weights.locate import locate

Context: TypeAlias = Union[str, "os.PathLike[str]", CompiledTask, Sequence[tuple[Source, Source]]]
"""A folder of pairs or a compiled task's file, a compiled task, or a list of (input, target)."""


class LavinDiTPipeline:
    """In-context vision: learns a task from example pairs and applies it to new pictures.

    Attributes:
        networks: The ST-VAE and the J-DiT, with their device, offloading and tiling.
        defaults: Settings for what a call leaves open.

    Source:
        Paper section 3.2.
    """

    def __init__(
        self,
        *,
        st_vae: STVAE,
        jdit: JDiT,
        defaults: PipelineDefaults,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        offload: Offload = "none",
    ) -> None:
        """Put two networks together, in evaluation mode.

        Args:
            st_vae: The autoencoder.
            jdit: The velocity network.
            defaults: Settings for what a call leaves open.
            device: Where to compute; the best one of this machine if None.
            dtype: Precision of the networks; bfloat16 on CUDA and float32 elsewhere if None.
            offload: ``model``: each network is on the device only while it works. ``block``: of the
                J-DiT, only the block at work is.

        Raises:
            ValueError: If the networks don't share a latent space, or the device is not there.
        """
        self.defaults = defaults
        self.networks = Networks(
            st_vae=st_vae,
            jdit=jdit,
            device=device,
            dtype=dtype,
            offload=offload,
            posterior=defaults.posterior,
        )

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        offload: Offload = "none",
    ) -> "LavinDiTPipeline":
        """Load a saved pipeline.

        Args:
            name: A folder that `save_pretrained` or ``lavin convert`` wrote, or the name of a
                repository on the Hugging Face hub (needs the ``hub`` extra).
            device: As in the class.
            dtype: As in the class.
            offload: As in the class.

        Raises:
            FileNotFoundError: If there is no such pipeline.
            ValueError: If its files are damaged or don't fit each other, or the device is missing.
        """
        found_device = resolve_device(device)
        dtype = dtype or default_dtype(found_device)
        checkpoint = load_checkpoint(
            locate(name), dtype=dtype, device=found_device if offload == "none" else "cpu"
        )
        return cls(
            st_vae=checkpoint.st_vae,
            jdit=checkpoint.jdit,
            defaults=checkpoint.defaults,
            device=found_device,
            dtype=dtype,
            offload=offload,
        )

    @classmethod
    def from_preset(
        cls,
        jdit: str,
        *,
        st_vae: str,
        seed: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> "LavinDiTPipeline":
        """Build an untrained pipeline of a stated size, to train, measure or look at.

        Args:
            jdit: Name in `JDIT_PRESETS`.
            st_vae: Name in `ST_VAE_PRESETS`.
            seed: What the weights are drawn from.
            device: As in the class.
            dtype: As in the class.

        Raises:
            ValueError: If a name is unknown.
        """
        for kind, name, presets in (
            ("J-DiT", jdit, JDIT_PRESETS),
            ("ST-VAE", st_vae, ST_VAE_PRESETS),
        ):
            if name not in presets:
                raise ValueError(f"unknown {kind} preset {name!r}; there are {', '.join(presets)}")
        generator = torch.Generator().manual_seed(seed)
        autoencoder, network = STVAE(ST_VAE_PRESETS[st_vae]), JDiT(JDIT_PRESETS[jdit])
        autoencoder.reset_parameters(generator)
        network.reset_parameters(generator)
        return cls(
            st_vae=autoencoder,
            jdit=network,
            defaults=RELEASED_DEFAULTS,
            device=device,
            dtype=dtype,
        )

    def save_pretrained(
        self, directory: str | os.PathLike[str], *, max_shard_bytes: int | None = None
    ) -> Path:
        """Save both networks and the defaults in a folder.

        Args:
            directory: Where to; earlier files of a pipeline there are replaced.
            max_shard_bytes: Size of a weights file from which a new one is begun.

        Raises:
            OSError: If it can't be written.
        """
        return save_checkpoint(
            Path(directory),
            st_vae=self.st_vae,
            jdit=self.jdit,
            defaults=self.defaults,
            max_shard_bytes=max_shard_bytes,
        )

    @property
    def st_vae(self) -> STVAE:
        """The autoencoder."""
        return self.networks.st_vae

    @property
    def jdit(self) -> JDiT:
        """The velocity network."""
        return self.networks.jdit

    @property
    def device(self) -> torch.device:
        """Where the pipeline computes."""
        return self.networks.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the networks."""
        return self.networks.dtype

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "LavinDiTPipeline":
        """Move the pipeline to a device, or change its precision; returns the pipeline.

        Raises:
            ValueError: If the device is not there.
        """
        self.networks.to(device=device, dtype=dtype)
        return self

    def compile(self, **settings: Any) -> "LavinDiTPipeline":  # noqa: ANN401 - torch's own
        """Compile every block of the J-DiT; the first call is slow, later ones are faster.

        With causal context attention, only the sampling step is compiled: the condition's pass runs
        once per query.

        Args:
            **settings: For ``torch.compile``.

        Returns:
            The pipeline.
        """
        for block in self.jdit.blocks:
            block.compile(**settings)
        return self

    @overload
    def __call__(self, query: list[Source], **settings: Any) -> list[Prediction]: ...  # noqa: ANN401

    @overload
    def __call__(self, query: Source, **settings: Any) -> Prediction: ...  # noqa: ANN401

    def __call__(
        self,
        query: Source | list[Source],
        **settings: Any,
    ) -> Prediction | list[Prediction]:
        """Predict the target of one query, or of each query in a list.

        Args:
            query: An image or clip: a path, a PIL image, an array or a `Clip`; or a list of them.
            **settings: Those of `stream`; ``context`` is required.

        Returns:
            One prediction, or a list in the queries' order.

        Raises:
            ValueError: If something can't be read or is out of range.
        """
        if isinstance(query, list):
            return list(self.stream(query, **settings))
        return next(iter(self.stream([query], **settings)))

    def stream(  # noqa: PLR0913 - a user's settings, all by keyword
        self,
        queries: Iterable[Source],
        *,
        context: Context,
        num_context_pairs: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fit: Fit | None = None,
        num_steps: int | None = None,
        guidance_scale: float | None = None,
        solver: str | None = None,
        seed: int = 0,
        batch_size: int = 1,
        output_type: Literal["pixels", "latent"] = "pixels",
        progress: bool = True,
    ) -> Iterator[Prediction]:
        """Predict targets one after another, each as soon as its batch is done.

        Args:
            queries: Read one batch at a time. Neighbours with the same number of frames share a
                batch.
            context: What defines the task: a folder of ``<id>_input``/``<id>_target`` files, a list
                of (input, target) pairs, or a compiled task or its file.
            num_context_pairs: Pairs taken from a folder that has more, drawn by the seed.
            height: Working height in pixels, rounded up to a multiple of 16.
            width: Working width, likewise.
            fit: ``pad`` (the default) keeps the aspect of pictures; ``stretch`` fills the canvas.
            num_steps: Steps of the sampling grid.
            guidance_scale: Strength of classifier-free guidance; 1 is none and costs half.
            solver: ``euler``, ``heun`` or ``adams_bashforth``.
            seed: Source of all randomness. A query's prediction depends on the query, the context
                and the seed, not on its neighbours.
            batch_size: Queries computed together.
            output_type: ``latent`` skips decoding.
            progress: Whether to show a bar over the sampling steps.

        Raises:
            ValueError: If something can't be read or is out of range.
            FileNotFoundError: If a path leads nowhere.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if output_type not in ("pixels", "latent"):
            raise ValueError(f"output_type must be 'pixels' or 'latent', got {output_type!r}")
        defaults = self.defaults
        settings = SamplingSettings(
            num_steps=defaults.num_steps if num_steps is None else num_steps,
            guidance_scale=defaults.guidance_scale if guidance_scale is None else guidance_scale,
            solver=defaults.solver if solver is None else solver,
        )
        task = self.compile_context(
            context,
            num_context_pairs=num_context_pairs,
            height=height,
            width=width,
            fit=fit,
            seed=seed,
        )
        clips = (load_clip(query) for query in queries)
        for _, neighbours in groupby(clips, key=lambda clip: clip.num_frames):
            for batch in _batches(neighbours, batch_size):
                with _progress(batch, settings, show=progress) as bar:
                    yield from self._predict(
                        batch,
                        task,
                        settings=settings,
                        seed=seed,
                        decode=output_type == "pixels",
                        on_step=bar.update,
                    )

    def compile_context(
        self,
        context: Context,
        *,
        num_context_pairs: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fit: Fit | None = None,
        seed: int = 0,
    ) -> CompiledTask:
        """Do once what all queries of a task share.

        Args:
            context: As in `stream`. A compiled task is checked and returned.
            num_context_pairs: As in `stream`.
            height: As in `stream`.
            width: As in `stream`.
            fit: As in `stream`.
            seed: As in `stream`.

        Raises:
            ValueError: If pairs can't be read, a compiled task belongs to another model, or a
                setting contradicts it.
            FileNotFoundError: If a path leads nowhere.
        """
        check_seed(seed)
        is_path = isinstance(context, str | os.PathLike)
        if num_context_pairs is not None and not (is_path and Path(context).is_dir()):
            raise ValueError(
                "num_context_pairs draws from a folder of pairs; a list or a compiled task is used "
                "whole, so leave it out"
            )
        if is_path and Path(context).is_file():
            context = CompiledTask.load(context)
        if isinstance(context, CompiledTask):
            check_task(self.networks, context, height=height, width=width, fit=fit)
            return context
        if isinstance(context, str | os.PathLike):
            count = num_context_pairs
            count = self.defaults.num_context_pairs if count is None else count
            pairs = read_pairs(choose_pairs(find_pairs(context), count=count, seed=seed))
        else:
            pairs = pairs_from_sources(context)
        canvas = canvas_for(
            self.defaults.height if height is None else height,
            self.defaults.width if width is None else width,
        )
        return compile_pairs(self.networks, pairs, canvas=canvas, fit=fit or "pad", seed=seed)

    def append_pair(
        self, task: CompiledTask, pair: tuple[Source, Source], *, name: str, seed: int = 0
    ) -> CompiledTask:
        """Add an example to a compiled task; with causal context, only the example is computed.

        Args:
            task: What to add to; it stays as it is.
            pair: Input and target.
            name: What to call the pair.
            seed: As in `stream`.

        Raises:
            ValueError: If the pair can't be read, or the task belongs to another model.
        """
        check_task(self.networks, task)
        read = pairs_from_sources([pair])[0]
        named = ContextPair(name=name, input=read.input, target=read.target)
        return compile_pairs(
            self.networks, [named], canvas=task.canvas, fit=task.fit, seed=seed, onto=task
        )

    def _predict(
        self,
        clips: Sequence[Clip],
        task: CompiledTask,
        *,
        settings: SamplingSettings,
        seed: int,
        decode: bool,
        on_step: Callable[[], object],
    ) -> Iterator[Prediction]:
        placements = [place(clip.size, canvas=task.canvas, fit=task.fit) for clip in clips]
        num_frames = task.target_num_frames or clips[0].num_frames
        latents = self.networks.sample(
            task,
            query_latent=torch.cat(
                self.networks.encode_clips(
                    clips, placements, seeds=[derived_seed(seed, "query posterior")] * len(clips)
                )
            ),
            num_frames=num_frames,
            settings=settings,
            seed=seed,
            on_step=on_step,
        )
        for clip, placement, latent in zip(clips, placements, latents, strict=True):
            pixels = None
            if decode:
                frames = from_network(self.networks.decode(latent[None])[0])[:num_frames]
                pixels = unfit_frames(frames, placement)
            yield Prediction(
                name=clip.name,
                pixels=pixels,
                latent=latent,
                frames_per_second=clip.frames_per_second,
                seed=seed,
                pair_names=task.pair_names,
            )


def _batches(clips: Iterable[Clip], size: int) -> Iterator[list[Clip]]:
    batch: list[Clip] = []
    for clip in clips:
        batch.append(clip)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _progress(batch: Sequence[Clip], settings: SamplingSettings, *, show: bool) -> "tqdm[Any]":
    more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
    return tqdm(total=settings.num_steps, desc=f"{batch[0].name}{more}", disable=not show)
