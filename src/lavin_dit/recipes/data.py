"""Which data a run trains on, in words, and the mixture that the words mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lavin_dit.data.mixture import Mixture, MixtureEntry
    from lavin_dit.datasets.source import Source
    from lavin_dit.vision.task import AnyTask


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Tasks, sources, and how samples become episodes.

    Raises:
        ValueError: If a number is out of range, or a mixture is given besides what makes one.
    """

    sources: tuple[str, ...]
    """Sources of images, each NAME, NAME=FOLDER or NAME=FOLDER?KEY=VALUE&KEY=VALUE, such as world,
    shards=shards/coco or coco=/data/coco?kinds=panoptic. Image tasks are shown on them."""
    clip_sources: tuple[str, ...]
    """Sources of clips, on which video tasks are shown."""
    validation_sources: tuple[str, ...]
    """Sources of images for validation; no sample of them is trained on."""
    validation_clip_sources: tuple[str, ...]
    """Sources of clips for validation."""
    tasks: tuple[str, ...]
    """Tasks; all that the sources can show and that are not held out, if none is named."""
    weights: tuple[str, ...]
    """Weights of tasks, such as depth_estimation=2; the others have 1. A task's weight is shared
    among the sources that can show it."""
    mixture: str | None
    """A program that makes the mixture instead, such as mixtures.py:mixture: a function of the
    batch size, the least and the most number of pairs, and the seed."""
    height: int
    """Height of episodes in pixels, a multiple of 16."""
    width: int
    """Width of episodes in pixels, a multiple of 16."""
    num_frames: int
    """Frames of the clips of video tasks: 1 + 4k."""
    min_pairs: int
    """Fewest context pairs; the number is drawn for each step."""
    max_pairs: int
    """Most context pairs."""
    min_area: float
    """Smallest share of a sample that a random window keeps."""
    max_stretch: float
    """Most that a window is stretched to one side."""
    recolour: float = 0.0
    """Share of the episodes of annotations whose targets get other colours, the same for all pairs,
    so that these have to be looked at; validation keeps the tasks' own."""
    few_classes: float = 0.0
    """Share of the episodes of panoptic segmentation that are about two to four classes alone;
    validation has all classes."""
    workers: int
    """Processes that make batches."""
    latents: str | None
    """Folder of latents that are computed once, before the first step, and read from then on; None
    encodes every batch anew, with new windows."""
    latent_episodes: int
    """Episodes of each task of weight 1 in such a folder."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("height", "width"):
            if getattr(self, name) < 16 or getattr(self, name) % 16:
                raise ValueError(f"{name} must be a multiple of 16, got {getattr(self, name)}")
        if self.workers < 0 or self.latent_episodes < 1:
            raise ValueError(
                f"workers {self.workers} must be at least 0, latent_episodes "
                f"{self.latent_episodes} at least 1"
            )
        for name in ("recolour", "few_classes"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        task_weights(self.weights)
        kinds = "sources", "clip_sources", "tasks", "weights", "recolour", "few_classes"
        named = [name for name in kinds if getattr(self, name)]
        if self.mixture is not None and named:
            raise ValueError(
                f"mixture {self.mixture} makes the whole mixture: leave out {', '.join(named)}"
            )


def task_weights(words: Sequence[str]) -> dict[str, float]:
    """Weights by task, from words such as ``depth_estimation=2``.

    Raises:
        ValueError: If a word is not written like that, or a weight is not above 0.
    """
    weights: dict[str, float] = {}
    for word in words:
        name, equals, number = word.partition("=")
        try:
            weights[name] = float(number)
        except ValueError:
            weights[name] = 0.0
        if not equals or not weights[name] > 0:
            raise ValueError(f"a weight is written task=2 and above 0, got {word!r}")
    return weights


def training_mixture(
    config: DataConfig, *, batch_size: int, seed: int, pairs: tuple[int, int] | None = None
) -> "Mixture":
    """The mixture that a run trains on.

    Args:
        config: The words.
        batch_size: Episodes of a batch, over all processes.
        seed: Decides everything that is drawn.
        pairs: Fewest and most pairs, instead of the configuration's.

    Raises:
        ValueError: If a task or source is not known, a task that is named or has a weight is not
            shown by any source, none is left, or a program's mixture has other numbers.
        LayoutError: If files of a source are missing.
    """
    from lavin_dit.vision.tasks.panoptic_segmentation import PanopticSegmentation

    low, high = pairs or (config.min_pairs, config.max_pairs)
    if config.mixture is not None:
        from lavin_dit.data.mixture_program import mixture_from_program

        mixture = mixture_from_program(
            config.mixture, batch_size=batch_size, min_pairs=low, max_pairs=high, seed=seed
        )
        _check_made(mixture, config, batch_size=batch_size, pairs=(low, high), seed=seed)
        return mixture
    entries = [
        *_entries(config, config.sources, num_frames=None),
        *_entries(config, config.clip_sources, num_frames=config.num_frames),
    ]
    shown = {entry.task.name for entry in entries}
    if (config.sources or config.clip_sources) and (missing := set(config.tasks) - shown):
        raise ValueError(
            f"no source can show {', '.join(sorted(missing))}: name one that has the annotations "
            "(docs/data.md), with --data.sources for tasks on images, --data.clip-sources for "
            "tasks on clips, or leave the task out"
        )
    if entries and (idle := task_weights(config.weights).keys() - shown):
        raise ValueError(
            f"{', '.join(sorted(idle))} has a weight, but is not shown; tasks that are: "
            f"{', '.join(sorted(shown))}"
        )
    if entries and config.few_classes and PanopticSegmentation.name not in shown:
        raise ValueError(
            f"few_classes is {config.few_classes}, but panoptic segmentation is not shown: leave "
            "one out, or name a source of panoptic segments"
        )
    return _mixture(config, entries, batch_size=batch_size, pairs=(low, high), seed=seed)


def _check_made(
    mixture: "Mixture", config: DataConfig, *, batch_size: int, pairs: tuple[int, int], seed: int
) -> None:
    """Refuse a program's mixture that isn't what the recipe says and the export is going to say."""
    settings, size = mixture.settings, mixture.settings.framing.size
    numbers = {
        "batch_size": (settings.batch_size, batch_size),
        "min_pairs": (settings.min_pairs, pairs[0]),
        "max_pairs": (settings.max_pairs, pairs[1]),
        "seed": (mixture.seed, seed),
        "height": (size.height, config.height),
        "width": (size.width, config.width),
    }
    other = [f"{name} {has}, not {asked}" for name, (has, asked) in numbers.items() if has != asked]
    if other:
        raise ValueError(
            f"{config.mixture} makes a mixture of {', '.join(other)}: have its function take them, "
            "or --data.height and --data.width say what it makes"
        )


def validation_mixtures(config: DataConfig, *, batch_size: int, num_pairs: int) -> "list[Mixture]":
    """A mixture for images and one for clips that a run is validated on, where sources are given.

    Args:
        config: The words.
        batch_size: Episodes of a batch.
        num_pairs: Context pairs of each episode.

    Raises:
        ValueError: If a source is not known, can show none of the tasks, or is trained on.
        LayoutError: If files of a source are missing.
    """
    _check_apart(config)
    central = replace(config, min_area=1.0, max_stretch=1.0, recolour=0.0, few_classes=0.0)
    mixtures: list[Mixture] = []
    for sources, num_frames in (
        (config.validation_sources, None),
        (config.validation_clip_sources, config.num_frames),
    ):
        if sources:
            entries = _entries(central, sources, num_frames=num_frames)
            if not entries:
                raise ValueError(
                    f"{' '.join(sources)} is for validation, but can show none of the tasks on "
                    f"{'images' if num_frames is None else 'clips'} that are trained"
                )
            mixtures.append(
                _mixture(
                    central, entries, batch_size=batch_size, pairs=(num_pairs, num_pairs), seed=1
                )
            )
    return mixtures


def _check_apart(config: DataConfig) -> None:
    """Refuse to validate on samples that are trained on.

    Raises:
        ValueError: If a source is named for both.
    """
    from lavin_dit.data.source_choice import SourceChoice

    held_out = (*config.validation_sources, *config.validation_clip_sources)
    if not held_out:
        return
    trained = {
        SourceChoice.parse(words).samples(): words
        for words in (*config.sources, *config.clip_sources)
    }
    for words in held_out:
        other = trained.get(SourceChoice.parse(words).samples())
        if other is not None:
            also = "" if other == words else f", named {other}"
            raise ValueError(
                f"{words} is for validation, but its samples are trained on{also}: name another "
                "split or folder, such as world?split=validation"
            )


def _mixture(
    config: DataConfig,
    entries: "Sequence[MixtureEntry]",
    *,
    batch_size: int,
    pairs: tuple[int, int],
    seed: int,
) -> "Mixture":
    from lavin_dit.data.augment import RandomFraming
    from lavin_dit.data.mixture import BatchSettings, Mixture
    from lavin_dit.vision.geometry import Size

    if not entries:
        raise ValueError(
            "there is nothing to train on: name sources with --data.sources, such as world or "
            "coco=/data/coco; docs/data.md lists them"
        )
    framing = RandomFraming(
        size=Size(height=config.height, width=config.width),
        min_area=config.min_area,
        max_stretch=config.max_stretch,
    )
    settings = BatchSettings(
        batch_size=batch_size,
        framing=framing,
        min_pairs=pairs[0],
        max_pairs=pairs[1],
        recolour=config.recolour,
    )
    return Mixture(entries, settings=settings, seed=seed)


def _entries(
    config: DataConfig, sources: Sequence[str], *, num_frames: int | None
) -> "list[MixtureEntry]":
    """Every task on every source that can show it."""
    from lavin_dit.data.mixture import MixtureEntry
    from lavin_dit.data.source_choice import SourceChoice

    if not sources:
        return []
    choices = [SourceChoice.parse(words) for words in sources]
    opened = [(choice, choice.open(num_frames=num_frames)) for choice in choices]
    weights = task_weights(config.weights)
    entries: list[MixtureEntry] = []
    for task in _tasks(config, clips=num_frames is not None, num_frames=num_frames):
        able = [(choice, source) for choice, source in opened if _can_show(task, source)]
        weight = weights.get(task.name, 1.0)
        entries += [
            MixtureEntry(
                task=task,
                source=source,
                weight=weight / len(able),
                source_settings=(
                    *choice.settings,
                    *(f"labels={words}" for words in choice.labels),
                    *(f"kinds={kind}" for kind in choice.kinds),
                ),
            )
            for choice, source in able
        ]
    return entries


def _tasks(config: DataConfig, *, clips: bool, num_frames: int | None) -> "list[AnyTask]":
    """The tasks of one kind that were named, or all that may be trained on."""
    from lavin_dit.vision.task import discover_tasks, find_task, find_task_of_length
    from lavin_dit.vision.tasks.panoptic_segmentation import PanopticSegmentation

    known: Mapping[str, AnyTask] = discover_tasks()
    for name in (*config.tasks, *task_weights(config.weights)):
        if name not in known:
            find_task(name)  # says which there are
    names = config.tasks or [name for name, task in known.items() if not task.held_out]
    chosen = [name for name in names if (known[name].num_frames > 1) == clips]
    tasks = [find_task_of_length(name, num_frames) for name in chosen]
    return [
        replace(task, few_classes=config.few_classes)
        if isinstance(task, PanopticSegmentation)
        else task
        for task in tasks
    ]


def _can_show(task: "AnyTask", source: "Source") -> bool:
    """Whether a source has the kinds of annotation that a task needs."""
    from lavin_dit.vision.codecs.rgb import Rgb

    return all(kind is Rgb or kind in source.kinds for kind in task.needs)
