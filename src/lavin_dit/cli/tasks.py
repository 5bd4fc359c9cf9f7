"""``lavin tasks``: a table of all tasks, and a contact sheet of them."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lavin_dit.cli.sheets import check_sheet_path, save_sheet
from lavin_dit.cli.tables import print_table
from lavin_dit.data.source_choice import SourceChoice, folder_or_address
from lavin_dit.datasets.layout import LayoutError

if TYPE_CHECKING:
    from lavin_dit.vision.contact_sheet import Strip
    from lavin_dit.vision.task import AnyTask

_MAX_TRIES = 200
_DEFAULT_SIDE_PX = 144


@dataclass(frozen=True, slots=True, kw_only=True)
class Tasks:
    """List all tasks, and with -o draw each: query, target, read-back.

    Each is drawn on a random scene made for it, or on samples of a source.
    """

    names: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[TASK ...]")
    ] = ()
    """Tasks to list; all if not given."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Sheet to write: a picture, or with the ending .mp4 a film in which clips run."""
    source: tuple[str, ...] = ()
    """Source to draw the tasks on, and its folder or address if it has one: coco /data/coco."""
    split: str | None = None
    """Part of the source, such as train; the source's own default if not given."""
    side_px: int = _DEFAULT_SIDE_PX
    """Longer side of the pictures."""
    seed: int = 0
    """Draws scenes, samples, and what is random in a task."""
    degrade: bool = False
    """Treat targets as an autoencoder would before they are read."""
    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = ()
    """Further settings of the source, such as fold=2 or any_licence=True."""
    labels: tuple[str, ...] = ()
    """Pseudo labels to add to the source; as for lavin look."""

    def run(self) -> int:
        """List, and draw."""
        from lavin_dit.pipeline.seeds import check_seed
        from lavin_dit.vision.task import discover_tasks, find_task

        check_seed(self.seed)
        if self.output is not None:
            check_sheet_path(self.output)
        elif self.source:
            raise ValueError("a source is for drawing: say with -o where to")
        elif self.degrade:
            raise ValueError("--degrade is for drawing: say with -o where to")
        if not self.source and (self.split or self.settings or self.labels):
            raise ValueError("--split, --set and --labels are of a source: name one with --source")
        chosen = [find_task(name) for name in self.names] or list(discover_tasks().values())
        tasks = sorted(chosen, key=lambda task: task.num_frames)  # images first
        _print_table(tasks)
        if self.output is not None:
            print()
            save_sheet(self.output, self._on_source(tasks) if self.source else self._scenes(tasks))
        return 0

    def _scenes(self, tasks: "Sequence[AnyTask]") -> "list[Strip]":
        """Each task on a random scene."""
        import numpy as np

        from lavin_dit.data.views import View, scene_for
        from lavin_dit.vision.geometry import Size

        view = View(
            max_side_px=self.side_px, num_frames=None, degraded=self.degrade, class_names={}
        )
        size = Size(height=round(self.side_px * 3 / 4), width=self.side_px)
        strips: list[Strip] = []
        for task in tasks:
            generator = np.random.default_rng(self.seed)
            scene = scene_for(task, size, generator=generator)
            rule = task.draw_rule([scene], generator=generator)
            strip = view.pair_strip(task, scene, rule=rule, generator=generator)
            strips.append(replace(strip, title=_title(task)))
        return strips

    def _on_source(self, tasks: "Sequence[AnyTask]") -> "list[Strip]":
        """Each task that the source has annotations for, on one of its samples."""
        choice = SourceChoice(
            name=self.source[0],
            root=folder_or_address(self.source[1]) if len(self.source) > 1 else None,
            split=self.split,
            settings=self.settings,
            labels=self.labels,
        )
        if len(self.source) > 2:
            raise ValueError(f"a source is a name and a folder, got {' '.join(self.source)}")
        choice.open()  # what is wrong with the source as a whole is said once
        strips: list[Strip] = []
        for task in tasks:
            try:
                strips.append(self._on_sample(task, choice))
            except (ValueError, LayoutError) as error:  # no such kind, or its files are not there
                print(f"{task.name} is not drawn: {error}")
        if not strips:
            raise ValueError(f"no task can be drawn on {choice.name}")
        return strips

    def _on_sample(self, task: "AnyTask", choice: SourceChoice) -> "Strip":
        """A task on the first random sample that suits it."""
        import numpy as np

        from lavin_dit.data.views import View, check_kinds_present, class_names_of

        source = choice.open(num_frames=task.num_frames, kinds=task.needs)
        check_kinds_present(task, source)
        view = View(
            max_side_px=self.side_px,
            num_frames=task.num_frames,
            degraded=self.degrade,
            class_names=class_names_of(source),
        )
        generator = np.random.default_rng(self.seed)
        skipped: Counter[str] = Counter()
        indices = generator.choice(len(source), min(len(source), _MAX_TRIES), replace=False)
        samples = view.read(source, indices.tolist(), generator=generator, skipped=skipped)
        strips = view.episode_strips(task, samples, num=1, generator=generator, skipped=skipped)
        if not strips:
            reasons = ", ".join(skipped) or "there is none"
            raise ValueError(f"no suitable sample in {choice.name} ({reasons})")
        return replace(strips[0], title=f"{_title(task)}: {strips[0].title}")


def _title(task: "AnyTask") -> str:
    """A task's name, and whether it is held out."""
    return f"{task.name} (held out)" if task.held_out else task.name


def _what(task: "AnyTask") -> str:
    """What goes in and what comes out, from the first line of the task's module."""
    first = (sys.modules[type(task).__module__].__doc__ or "").partition("\n")[0]
    return first.partition(": ")[2].rstrip(".") or first.rstrip(".")


def _print_table(tasks: "Sequence[AnyTask]") -> None:
    """One line per task."""
    rows = [("task", "on", "needs", "input and target")]
    for task in tasks:
        kind = "images" if task.num_frames == 1 else f"{task.num_frames} frames"
        needs = ", ".join(needed.__name__ for needed in task.needs) or "-"
        rows.append((_title(task), kind, needs, _what(task)))
    print_table(rows)
