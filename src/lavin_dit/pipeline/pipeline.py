"""`LavinDiTPipeline`: example pairs and a query in, a prediction out."""

import os
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, overload

import torch

from lavin_dit.jdit.model import JDiT
from lavin_dit.pipeline.adapters import apply_adapter, check_no_adapter, remove_adapter
from lavin_dit.pipeline.clips import Source, load_clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.context import ContextPair, pairs_from_sources
from lavin_dit.pipeline.context_compiler import check_task, compile_pairs
from lavin_dit.pipeline.devices import Offload, default_dtype, resolve_device
from lavin_dit.pipeline.fitting import Canvas, Fit, canvas_for
from lavin_dit.pipeline.fresh import fresh_networks
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.predicting import PredictingSettings, predict_clips
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.pipeline.sampling import SamplingSettings, guidance_for, samples_for
from lavin_dit.pipeline.task_contexts import Context, ContextSettings, TaskContexts, name_of
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.vision.task import AnyTask
from lavin_dit.weights.checkpoint import load_checkpoint, save_checkpoint
from lavin_dit.weights.defaults import RELEASED_DEFAULTS, PipelineDefaults
from lavin_dit.weights.locate import locate


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
        adapter: str | os.PathLike[str] | None = None,
    ) -> "LavinDiTPipeline":
        """Load a saved pipeline.

        Args:
            name: ``nano`` for the pipeline that ships with the package, a folder that
                `save_pretrained` or ``lavin convert`` wrote, or the name of a repository on the
                Hugging Face hub (needs the ``hub`` extra).
            device: As in the class.
            dtype: As in the class.
            offload: As in the class.
            adapter: Folder of an adapter to be attached, as by `load_adapter`.

        Raises:
            FileNotFoundError: If there is no such pipeline or adapter.
            ValueError: If files are damaged or don't fit each other, or the device is missing.
        """
        found_device = resolve_device(device)
        dtype = dtype or default_dtype(found_device)
        checkpoint = load_checkpoint(
            locate(name), dtype=dtype, device=found_device if offload == "none" else "cpu"
        )
        pipeline = cls(
            st_vae=checkpoint.st_vae,
            jdit=checkpoint.jdit,
            defaults=checkpoint.defaults,
            device=found_device,
            dtype=dtype,
            offload=offload,
        )
        return pipeline if adapter is None else pipeline.load_adapter(adapter)

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
            jdit: Name in ``JDIT_PRESETS``.
            st_vae: Name in ``ST_VAE_PRESETS``.
            seed: What the weights are drawn from.
            device: As in the class.
            dtype: As in the class.

        Raises:
            ValueError: If a name is unknown.
        """
        autoencoder, network = fresh_networks(jdit, st_vae=st_vae, seed=seed)
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
            ValueError: If an adapter is attached; merge or unload it first.
        """
        check_no_adapter(self.networks)
        return save_checkpoint(
            Path(directory),
            st_vae=self.st_vae,
            jdit=self.jdit,
            defaults=self.defaults,
            max_shard_bytes=max_shard_bytes,
        )

    def load_adapter(self, directory: str | os.PathLike[str]) -> "LavinDiTPipeline":
        """Attach an adapter that ``lavin finetune`` wrote; the weights stay as they are.

        Args:
            directory: Folder of the adapter.

        Returns:
            The pipeline.

        Raises:
            FileNotFoundError: If there is no adapter.
            ValueError: If it is damaged, was trained on another model, or one is attached already.
        """
        apply_adapter(self.networks, Path(directory))
        return self

    def merge_adapter(self) -> "LavinDiTPipeline":
        """Add the attached adapter to the weights, for good: it then costs nothing at run time.

        Returns:
            The pipeline.

        Raises:
            ValueError: If none is attached.
        """
        remove_adapter(self.networks, merged=True)
        return self

    def unload_adapter(self) -> "LavinDiTPipeline":
        """Take the attached adapter off again.

        Returns:
            The pipeline.

        Raises:
            ValueError: If none is attached.
        """
        remove_adapter(self.networks, merged=False)
        return self

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
            **settings: Those of `stream`; ``task`` or ``context`` is required.

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
        context: Context | None = None,
        task: str | AnyTask | None = None,
        num_context_pairs: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fit: Fit | None = None,
        tile_overlap: int | None = None,
        num_steps: int | None = None,
        guidance_scale: float | None = None,
        solver: str | None = None,
        grid: str | None = None,
        num_samples: int | None = None,
        keep_detail: bool | None = None,
        seed: int = 0,
        batch_size: int | None = None,
        output_type: Literal["pixels", "latent"] = "pixels",
        progress: bool = True,
    ) -> Iterator[Prediction]:
        """Predict targets one after another, each as soon as its batch is done.

        Args:
            queries: Read one batch at a time. Neighbours with the same number of frames share a
                batch.
            context: What defines the task: a folder of ``<id>_input``/``<id>_target`` files, a list
                of (input, target) pairs, or a compiled task or its file. The examples of ``task``
                that ship with the package if None.
            task: A task or its name, such as ``depth_estimation``: what is painted is read as that
                task's annotation. Queries are cut as the task takes them (see `TaskReader`).
            num_context_pairs: Pairs taken from a folder that has more, drawn by the seed; or the
                first so many of the task's examples.
            height: Working height in pixels, rounded up to a multiple of 16.
            width: Working width, likewise.
            fit: ``pad`` keeps the aspect of pictures; ``stretch`` fills the canvas; ``tile`` works
                at the queries' own size, in tiles of the working size, and shows of each pair its
                middle at its own size. If None, ``tile`` for the tasks in `LOCAL_TASKS` and
                otherwise ``pad``, or what a compiled context was built with.
            tile_overlap: Pixels that neighbouring tiles share at least, rounded up to a multiple of
                8; a quarter of a tile's shorter side if None.
            num_steps: Steps of the sampling grid.
            guidance_scale: Strength of classifier-free guidance; 1 is none and costs half. If None,
                the pipeline's own, which may be another for the tasks in `RESTORATION_TASKS`.
            solver: ``euler``, ``heun`` or ``adams_bashforth``.
            grid: ``linear_quadratic``, the release's, or ``uniform``, the paper's.
            num_samples: Answers, each from noise of its own, that are averaged. If None, the
                pipeline's own number for the tasks in `AVERAGED_TASKS` and where no task is named,
                and otherwise 1.
            keep_detail: Whether predictions are weighed against their query, given the fine detail
                that the autoencoder loses of it and drawn after its outlines, as far as the
                context's pairs say so; the pipeline's own choice if None.
            seed: Source of all randomness. A query's prediction depends on the query, the context
                and the seed, not on its neighbours.
            batch_size: Queries, or tiles of one query, computed together. If None, one query, and
                as many tiles as have the pixels of 8 of 64 x 64.
            output_type: ``latent`` skips decoding.
            progress: Whether to show a bar over the sampling steps.

        Raises:
            ValueError: If something can't be read or is out of range.
            FileNotFoundError: If a path leads nowhere.
        """
        defaults = self.defaults
        wanted = ContextSettings(
            num_context_pairs=num_context_pairs,
            height=height,
            width=width,
            fit=fit,
            seed=seed,
            keep_detail=keep_detail if output_type == "pixels" else False,
        )
        settings = PredictingSettings(
            sampling=SamplingSettings(
                num_steps=defaults.num_steps if num_steps is None else num_steps,
                guidance_scale=guidance_for(
                    name_of(task),
                    given=guidance_scale,
                    default=defaults.guidance_scale,
                    restoring=defaults.restoration_guidance_scale,
                ),
                solver=defaults.solver if solver is None else solver,
                grid=defaults.grid if grid is None else grid,
                num_samples=samples_for(
                    name_of(task), given=num_samples, default=defaults.num_samples
                ),
            ),
            seed=seed,
            batch_size=batch_size,
            output_type=output_type,
            progress=progress,
            tile_overlap=tile_overlap,
        )
        canvas = wanted.canvas(defaults)
        reader = None
        if task is not None:
            fit = wanted.fit_for(task)
            reader = self._contexts.reader(task, context, canvas=canvas, fit=fit)
        compiled = self._contexts.compiled(
            self.networks, context, task=task, settings=wanted, defaults=defaults
        )
        predict = partial(predict_clips, self.networks, compiled, settings=settings)
        clips = (load_clip(query) for query in queries)
        yield from predict(clips) if reader is None else reader.stream(clips, predict=predict)

    def compile_context(  # noqa: PLR0913 - as in stream
        self,
        context: Context | None = None,
        *,
        task: str | AnyTask | None = None,
        num_context_pairs: int | None = None,
        height: int | None = None,
        width: int | None = None,
        fit: Fit | None = None,
        seed: int = 0,
        keep_detail: bool | None = None,
    ) -> CompiledTask:
        """Do once what all queries of a task share.

        Args:
            context: As in `stream`. A compiled task is checked and returned.
            task: As in `stream`. Its examples are compiled once and remembered.
            num_context_pairs: As in `stream`.
            height: As in `stream`.
            width: As in `stream`.
            fit: As in `stream`.
            seed: As in `stream`.
            keep_detail: Whether to measure what targets keep of their inputs, without which
                `stream` can't give it; the pipeline's own choice if None.

        Raises:
            ValueError: If pairs can't be read, a compiled task belongs to another model, or a
                setting contradicts it.
            FileNotFoundError: If a path leads nowhere, or there are no examples of the task.
        """
        settings = ContextSettings(
            num_context_pairs=num_context_pairs,
            height=height,
            width=width,
            fit=fit,
            seed=seed,
            keep_detail=keep_detail,
        )
        return self._contexts.compiled(
            self.networks, context, task=task, settings=settings, defaults=self.defaults
        )

    @property
    def canvas(self) -> Canvas:
        """The working size where a call leaves it open."""
        return canvas_for(self.defaults.height, self.defaults.width)

    @cached_property
    def _contexts(self) -> TaskContexts:
        """The compiled examples of tasks that were asked for by name."""
        return TaskContexts()

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
            self.networks,
            [named],
            canvas=task.canvas,
            fit=task.fit,
            seed=seed,
            keep_detail=task.detail is not None,
            onto=task,
        )
