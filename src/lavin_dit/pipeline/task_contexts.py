"""From what a caller shows to a compiled context; the package's own examples are compiled once."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, Union

from lavin_dit.pipeline.clips import Source
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.context import read_context
from lavin_dit.pipeline.context_compiler import check_task, compile_pairs
from lavin_dit.pipeline.example_sets import examples_for, load_examples
from lavin_dit.pipeline.fitting import Canvas, Fit, canvas_for
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.seeds import check_seed
from lavin_dit.pipeline.task_reader import TaskReader
from lavin_dit.vision.task import AnyTask, find_task
from lavin_dit.weights.defaults import PipelineDefaults, check_posterior

Context: TypeAlias = Union[str, "os.PathLike[str]", CompiledTask, Sequence[tuple[Source, Source]]]
"""A folder of pairs or a compiled task's file, a compiled task, or a list of (input, target)."""

LOCAL_TASKS = frozenset({"deraining", "edge_detection", "glass_deblurring", "motion_deblurring"})
"""Tasks that are done in tiles, since they scored better so than fitted (decision 0018)."""

_Key: TypeAlias = tuple[str, str, Canvas, Fit, int, int]


def name_of(task: str | AnyTask | None) -> str | None:
    """The name of a task that a caller gives as such, or by its name, or not at all."""
    return task if isinstance(task, str) or task is None else task.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """How a context is compiled, as far as a caller says it.

    Raises:
        ValueError: If the seed is negative.
    """

    num_context_pairs: int | None
    """Pairs taken where there are more."""
    height: int | None
    """Working height in pixels."""
    width: int | None
    """Working width in pixels."""
    fit: Fit | None
    """How pictures get to the working size; see `fit_for`."""
    seed: int
    """What pairs are drawn from, and posterior noise where it is sampled."""
    keep_detail: bool | None
    """Whether predictions are to be weighed against queries and given what the autoencoder loses of
    them."""

    def __post_init__(self) -> None:
        """Check the seed."""
        check_seed(self.seed)

    def canvas(self, defaults: PipelineDefaults) -> Canvas:
        """The working size, where what was left open is the pipeline's."""
        return canvas_for(
            defaults.height if self.height is None else self.height,
            defaults.width if self.width is None else self.width,
        )

    def fit_for(self, task: str | AnyTask | None) -> Fit:
        """How pictures get to the working size, where what was left open is the task's."""
        if self.fit is not None:
            return self.fit
        return "tile" if name_of(task) in LOCAL_TASKS else "pad"

    def keeps_detail(self, defaults: PipelineDefaults) -> bool:
        """Whether detail is kept, as the pipeline does if it was left open.

        Raises:
            ValueError: If it is asked for where pictures are encoded as samples of their posterior,
                whose noise would count as lost detail.
        """
        keep_detail = defaults.keep_detail if self.keep_detail is None else self.keep_detail
        check_posterior(keep_detail=keep_detail, posterior=defaults.posterior)
        return keep_detail

    def count(self, defaults: PipelineDefaults) -> int:
        """The number of pairs, the pipeline's if it was left open."""
        given = self.num_context_pairs
        return defaults.num_context_pairs if given is None else given


class TaskContexts:
    """Compiles contexts, and remembers those of tasks by name for as long as it lives."""

    def __init__(self) -> None:
        """Begin without any."""
        self._compiled: dict[_Key, CompiledTask] = {}

    def reader(
        self, task: str | AnyTask, context: object | None, *, canvas: Canvas, fit: Fit
    ) -> TaskReader:
        """Make what reads the answers of a task.

        Args:
            task: The task or its name.
            context: What the caller shows it with; None for the package's examples, whose rule is
                known.
            canvas: The working size.
            fit: How pictures get there; in tiles, examples are not enlarged.

        Raises:
            ValueError: If there is no such task.
            FileNotFoundError: If there are no examples of it.
        """
        known = find_task(task) if isinstance(task, str) else task
        if context is not None:
            return TaskReader(task=known)
        examples = load_examples(known.name, examples_for(canvas))
        side = max(examples.context[0].target.shape[1:3])
        return TaskReader(
            task=known,
            rule=examples.rule,
            class_names=examples.class_names,
            enlarged=1.0 if fit == "tile" else min(canvas.height, canvas.width) / side,
        )

    def compiled(
        self,
        networks: Networks,
        context: Context | None,
        *,
        task: str | AnyTask | None,
        settings: ContextSettings,
        defaults: PipelineDefaults,
    ) -> CompiledTask:
        """Compile a context, or check one that is compiled.

        Args:
            networks: What to compile with.
            context: What the caller shows; the examples of the task if None.
            task: The task or its name, needed only then.
            settings: What the caller asks for.
            defaults: What is taken where the caller left it open.

        Raises:
            ValueError: If pairs can't be read, a compiled task belongs to another model, or a
                setting contradicts it.
            FileNotFoundError: If a path leads nowhere, or there are no examples of the task.
        """
        if context is None:
            if task is None:
                raise ValueError("nothing says what to do: give a task, a context, or both")
            return self._of_task(networks, task, settings=settings, defaults=defaults)
        folder = Path(context) if isinstance(context, str | os.PathLike) else None
        if folder is not None and folder.is_file():
            folder, context = None, CompiledTask.load(folder)
        if settings.num_context_pairs is not None and folder is None:
            raise ValueError(
                "num_context_pairs draws from a folder of pairs; a list or a compiled task is used "
                "whole, so leave it out"
            )
        if isinstance(context, CompiledTask):
            height, width = settings.height, settings.width
            check_task(networks, context, height=height, width=width, fit=settings.fit)
            if settings.keep_detail and context.detail is None:
                raise ValueError(
                    "the compiled task does not say what detail targets keep: compile it again "
                    "with keep_detail"
                )
            return _with_or_without_detail(context, keep=settings.keeps_detail(defaults))
        pairs = read_context(context, count=settings.count(defaults), seed=settings.seed)
        return compile_pairs(
            networks,
            pairs,
            canvas=settings.canvas(defaults),
            fit=settings.fit_for(task),
            seed=settings.seed,
            keep_detail=settings.keeps_detail(defaults),
        )

    def _of_task(
        self,
        networks: Networks,
        task: str | AnyTask,
        *,
        settings: ContextSettings,
        defaults: PipelineDefaults,
    ) -> CompiledTask:
        """Compile the first examples of a task, or take what was compiled before."""
        count = settings.count(defaults)
        if count < 1:
            raise ValueError(f"num_context_pairs must be at least 1, got {count}")
        name = task if isinstance(task, str) else task.name
        canvas, fit, seed = settings.canvas(defaults), settings.fit_for(task), settings.seed
        keep_detail = settings.keeps_detail(defaults)
        key: _Key = (networks.fingerprint(), name, canvas, fit, count, seed)
        known = self._compiled.get(key)
        if known is None or (keep_detail and known.detail is None):
            examples = load_examples(name, examples_for(canvas)).context[:count]
            pairs = [example.as_pair() for example in examples]
            self._compiled[key] = compile_pairs(
                networks, pairs, canvas=canvas, fit=fit, seed=seed, keep_detail=keep_detail
            )
        return _with_or_without_detail(self._compiled[key], keep=keep_detail)


def _with_or_without_detail(task: CompiledTask, *, keep: bool) -> CompiledTask:
    """A task as it is, or as if detail had not been measured."""
    return task if keep or task.detail is None else replace(task, detail=None)
