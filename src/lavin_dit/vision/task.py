"""What every task has in common, and finding them by name.

A *task* renders samples as pairs of RGB clips, an input and a target, and reads a target that a
network painted. What must be the same for all pairs of an episode (which hue a class has, what a
hole looks like) is the episode's *rule*: drawn once per episode from the samples of its context
pairs, since the query's annotation is what nobody knows yet, and given to all renderings and to
the reading. Most tasks have no rule; theirs is None.

Randomness has two places: ``draw_rule`` draws what an episode shares, ``render`` what is each
pair's own. Both take a generator, and nothing else is random.
"""

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.codec import sealed
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.pictures import PictureResult
from lavin_dit.vision.results.result import Result
from lavin_dit.vision.sample import Sample

RuleType = TypeVar("RuleType")
KeyType = TypeVar("KeyType")
PairKeyType = TypeVar("PairKeyType", covariant=True)

_PACKAGE = "lavin_dit.vision.tasks"


class NothingToPaintError(ValueError):
    """A sample has nothing of what a task is about: no object, no valid depth, no colour.

    Episode code passes over such samples and counts them by reason.

    Attributes:
        name: The sample's name within its source.
        reason: What is missing.
    """

    def __init__(self, name: str, reason: str) -> None:
        """Say which sample cannot be rendered, and why."""
        # Both are given on, so that the error survives the way out of a worker process.
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        """One line for a log."""
        return f"sample {self.name!r} cannot be rendered: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair(Generic[PairKeyType]):
    """One sample as a task shows it.

    Attributes:
        input: What is given.
        target: What is to be painted; of the input's height and width.
        key: What turns this target into exact numbers (the depth of white, the largest motion);
            None where the picture says it all. A picture that a network painted has no key.
    """

    input: UInt8[np.ndarray, "s h w 3"]
    target: UInt8[np.ndarray, "t h w 3"]
    key: PairKeyType

    def __post_init__(self) -> None:
        """Check that input and target fit, and make them read-only."""
        source = sealed(self.input, name="Pair.input", shape=("s", "h", "w", 3), dtype=np.uint8)
        shape = ("t", *source.shape[1:])
        target = sealed(self.target, name="Pair.target", shape=shape, dtype=np.uint8)
        object.__setattr__(self, "input", source)
        object.__setattr__(self, "target", target)


@runtime_checkable
class Task(Protocol[RuleType, KeyType]):
    """One task; see ``docs/add_a_task.md``.

    Tasks are frozen dataclass records: their settings are fields with defaults, and equal tasks
    behave equally. ``dataclasses.replace(task, num_frames=9)`` gives a video task for other clips.
    """

    name: ClassVar[str]
    """Name of the task: that of its module."""

    needs: ClassVar[tuple[type[object], ...]]
    """The kinds of annotation that a sample must have; RGB goes without saying."""

    held_out: ClassVar[bool]
    """Whether the task is kept out of all training, and evaluated only."""

    rule_type: ClassVar[type[object] | None]
    """Class of the episode's rule, a dataclass that ``key_to_json`` can write; None for none."""

    @property
    def num_frames(self) -> int:
        """Number of frames of a sample, and of its target: 1 for images, 1 + 4k for clips."""
        ...

    @property
    def num_input_frames(self) -> int:
        """Number of frames of an input; fewer than of the target where a task predicts frames."""
        ...

    def draw_rule(self, context: Sequence[Sample], *, generator: np.random.Generator) -> RuleType:
        """Draw what all pairs of an episode share.

        Args:
            context: The samples of the episode's context pairs, without the query's.
            generator: Source of all randomness.

        Returns:
            The rule; None for a task that has none.

        Raises:
            NothingToPaintError: If no rule can be drawn from these samples.
        """
        ...

    def render(
        self, sample: Sample, *, rule: RuleType, generator: np.random.Generator
    ) -> Pair[KeyType]:
        """Show a sample as a pair.

        Args:
            sample: A clip of ``num_frames`` frames with the annotations in ``needs``.
            rule: What ``draw_rule`` returned for this episode.
            generator: Source of what is this pair's own randomness; drawn from only where the
                task says so.

        Returns:
            The pair.

        Raises:
            NothingToPaintError: If the sample has nothing of what the task is about.
            ValueError: If the sample has another number of frames or lacks an annotation.
        """
        ...

    def read(
        self,
        picture: UInt8[np.ndarray, "t h w 3"],
        *,
        rule: RuleType | None = None,
        key: KeyType | None = None,
    ) -> Result:
        """Read a target that a network painted.

        Args:
            picture: The painted clip.
            rule: The episode's rule; None if it is not known, which reads less (hues, not
                classes).
            key: The key of this very target, where it is known; None reads up to the invariance
                that the task states.

        Returns:
            What the picture means.
        """
        ...


AnyTask = Task[Any, Any]


class ImageTask:
    """Mixed into tasks whose samples are single images."""

    __slots__ = ()

    @property
    def num_frames(self) -> int:
        """One frame: an image."""
        return 1

    @property
    def num_input_frames(self) -> int:
        """One frame: an image."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """Mixed into tasks whose inputs and targets are clips of equal length.

    Attributes:
        num_frames: Number of frames: 1 + 4k, since the autoencoder takes 4 at a time after the
            first.
    """

    num_frames: int = 13

    def __post_init__(self) -> None:
        """Check the length."""
        check_num_frames(self.num_frames)

    @property
    def num_input_frames(self) -> int:
        """As many as the target has."""
        return self.num_frames


class Ruleless:
    """Mixed into tasks whose pairs share nothing but the task."""

    __slots__ = ()

    rule_type: ClassVar[type[object] | None] = None

    def draw_rule(self, context: Sequence[Sample], *, generator: np.random.Generator) -> None:
        """There is no rule, and the generator is not drawn from."""
        del context, generator


class PictureTarget:
    """Mixed into tasks whose targets are photos: what is read is the picture itself."""

    __slots__ = ()

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, rule: object = None, key: None = None
    ) -> PictureResult:
        """The picture as it is, whatever the rule."""
        del rule, key
        return PictureResult(annotation=Rgb(pixels=picture))


def check_sample(sample: Sample, task: AnyTask) -> None:
    """Check that a task can be asked to render a sample.

    Args:
        sample: What is to be rendered.
        task: The task.

    Raises:
        ValueError: If the sample has another number of frames or lacks an annotation.
    """
    if sample.shape.num_frames != task.num_frames:
        raise ValueError(
            f"{task.name} takes clips of {task.num_frames} frames, but sample {sample.name!r} has "
            f"{sample.shape.num_frames}; cut it with take_frames"
        )
    missing = [kind.__name__ for kind in task.needs if kind not in sample]
    if missing:
        have = ", ".join(kind.__name__ for kind in sample.kinds) or "no annotation"
        raise ValueError(
            f"{task.name} needs {', '.join(missing)}, which sample {sample.name!r} lacks; it has "
            f"{have}"
        )


def check_num_frames(num_frames: int) -> None:
    """Check the length of a video task's clips.

    Args:
        num_frames: Number of frames.

    Raises:
        ValueError: If it is not 1 + 4k for a k above 0.
    """
    if num_frames < 5 or num_frames % 4 != 1:
        raise ValueError(f"a video task takes clips of 5, 9, 13, ... frames, got {num_frames}")


def discover_tasks() -> Mapping[str, AnyTask]:
    """All tasks by name, with their default settings.

    Returns:
        The tasks of all modules of ``lavin_dit.vision.tasks``, in alphabetical order.

    Raises:
        TypeError: If a module of that folder holds no task of its name.
    """
    package = importlib.import_module(_PACKAGE)
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return {name: _load_task(name) for name in names}


def find_task(name: str) -> AnyTask:
    """One task by name, with its default settings; no other is imported.

    Args:
        name: Its name, such as ``depth_estimation``.

    Returns:
        The task.

    Raises:
        ValueError: If there is no such task; the message names those that there are.
    """
    package = importlib.import_module(_PACKAGE)
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    if name not in names:
        raise ValueError(f"there is no task {name!r}; there are {', '.join(names)}")
    return _load_task(name)


def find_task_of_length(name: str, num_frames: int | None) -> AnyTask:
    """One task by name, for clips of a length.

    Args:
        name: Its name.
        num_frames: Frames of its samples; the task's own number if None.

    Returns:
        The task.

    Raises:
        ValueError: If there is no such task, or it does not take so many frames.
    """
    task = find_task(name)
    if num_frames is None or num_frames == task.num_frames:
        return task
    if task.num_frames == 1:
        raise ValueError(f"{name} is a task of single images, not of {num_frames} frames")
    record: Any = task
    if "num_frames" in {field.name for field in fields(record)}:
        return replace(record, num_frames=num_frames)
    return replace(record, num_future=num_frames - task.num_input_frames)


def _load_task(name: str) -> AnyTask:
    """The task of one module."""
    module = importlib.import_module(f"{_PACKAGE}.{name}")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    kind = getattr(module, class_name, None)
    if kind is None or getattr(kind, "name", None) != name:
        raise TypeError(
            f"{_PACKAGE}.{name} must hold a class {class_name} whose name is {name!r}; "
            "docs/add_a_task.md shows one"
        )
    task: AnyTask = kind()
    return task
