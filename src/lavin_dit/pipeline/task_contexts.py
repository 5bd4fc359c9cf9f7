"""Contexts of tasks by name: the examples that ship with the package, compiled once each."""

from typing import TypeAlias

from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.context_compiler import compile_pairs
from lavin_dit.pipeline.example_sets import examples_for, load_examples
from lavin_dit.pipeline.fitting import Canvas, Fit
from lavin_dit.pipeline.networks import Networks
from lavin_dit.pipeline.task_reader import TaskReader
from lavin_dit.vision.task import AnyTask, find_task

_Key: TypeAlias = tuple[str, str, Canvas, Fit, int, int]


class TaskContexts:
    """Remembers the compiled contexts of tasks, for as long as it lives."""

    def __init__(self) -> None:
        """Begin without any."""
        self._compiled: dict[_Key, CompiledTask] = {}

    def reader(self, task: str | AnyTask, context: object | None, *, canvas: Canvas) -> TaskReader:
        """Make what reads the answers of a task.

        Args:
            task: The task or its name.
            context: What the caller shows it with; None for the package's examples, whose rule is
                known.
            canvas: The working size.

        Raises:
            ValueError: If there is no such task.
            FileNotFoundError: If there are no examples of it.
        """
        known = find_task(task) if isinstance(task, str) else task
        if context is not None:
            return TaskReader(task=known)
        examples = load_examples(known.name, examples_for(canvas))
        return TaskReader(task=known, rule=examples.rule, class_names=examples.class_names)

    def compiled(
        self,
        networks: Networks,
        task: str | AnyTask,
        *,
        canvas: Canvas,
        fit: Fit,
        count: int,
        seed: int,
    ) -> CompiledTask:
        """Compile the first examples of a task, or take what was compiled before.

        Args:
            networks: What to compile with.
            task: The task or its name.
            canvas: The working size.
            fit: How pictures get there.
            count: Number of pairs; all of them if there are no more.
            seed: What posterior noise is drawn from, where it is sampled.

        Raises:
            ValueError: If there is no such task, or the count is below 1.
            FileNotFoundError: If there are no examples of it.
        """
        if count < 1:
            raise ValueError(f"num_context_pairs must be at least 1, got {count}")
        name = task if isinstance(task, str) else task.name
        key = (networks.fingerprint(), name, canvas, fit, count, seed)
        if key not in self._compiled:
            examples = load_examples(name, examples_for(canvas)).context[:count]
            pairs = [example.as_pair() for example in examples]
            self._compiled[key] = compile_pairs(networks, pairs, canvas=canvas, fit=fit, seed=seed)
        return self._compiled[key]
