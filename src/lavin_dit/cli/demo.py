"""``lavin demo``: what the nano can do, on pictures that it never saw."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lavin_dit.cli.model_options import ModelOptions
from lavin_dit.cli.sheets import check_sheet_path, save_sheet
from lavin_dit.cli.tables import print_table

if TYPE_CHECKING:
    from lavin_dit.demo.showing import Showing
    from lavin_dit.pipeline.pipeline import LavinDiTPipeline

_MOST_STEPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Show every task: example pairs, a query, the prediction and the truth, and a score.

    Scenes, photos and clips come with the package, and none of them was seen in training. Scores
    stand beside those of two ways to do without a model: copying the target of the most similar
    example, and the mean of the examples' targets. A few queries say little: `lavin evaluate`
    measures on many. Of clips, two pairs are shown. With --query, a task is done on a picture or
    clip of one's own.
    """

    model: Annotated[ModelOptions, tyro.conf.arg(name="")]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo.png")
    """Sheet to write; beside it, an .mp4 of the same name in which clips run."""
    task: Annotated[tuple[str, ...], tyro.conf.arg(aliases=["-t"])] = ()
    """Tasks to show, such as depth_estimation; all if not given."""
    query: Annotated[Path | None, tyro.conf.arg(aliases=["-q"])] = None
    """An image or video of one's own."""
    num_steps: int | None = None
    """Sampling steps; the model's own number, but 10 at most, if not given."""

    def run(self) -> int:
        """Predict, draw and tell."""
        from lavin_dit.vision.task import find_task

        check_sheet_path(self.output)
        for name in self.task:
            find_task(name)
        if self.num_steps is not None and self.num_steps < 1:
            raise ValueError(f"num_steps must be at least 1, got {self.num_steps}")
        if self.query is not None and len(self.task) != 1:
            raise ValueError("a query of one's own needs one --task that says what to do with it")
        pipeline = self.model.load()
        num_steps = self.num_steps
        if num_steps is None:
            num_steps = min(pipeline.defaults.num_steps, _MOST_STEPS)
        if self.query is not None:
            self._show_own(pipeline, num_steps)
            return 0
        self._show_all(pipeline, num_steps)
        return 0

    def _show_all(self, pipeline: "LavinDiTPipeline", num_steps: int) -> None:
        """Each task on its packaged queries."""
        from tqdm import tqdm

        from lavin_dit.demo.sheet import SHEET_WIDTH_PX, showing_strip
        from lavin_dit.demo.showing import show
        from lavin_dit.pipeline.example_sets import example_names, examples_for, load_examples

        start = time.perf_counter()
        folder = examples_for(pipeline.canvas)
        showings: list[Showing] = []
        with tqdm(self.task or example_names(folder), unit="task") as bar:
            for name in bar:
                bar.set_description(name)
                showings.append(show(pipeline, load_examples(name, folder), num_steps=num_steps))
        showings.sort(key=lambda showing: showing.examples.task.num_frames)  # images first
        _print_table(showings)
        seconds = time.perf_counter() - start
        print(f"{len(showings)} tasks, {num_steps} sampling steps, {seconds:.0f} s\n")
        strips = [showing_strip(showing) for showing in showings]
        save_sheet(self.output, strips, max_width_px=SHEET_WIDTH_PX)
        moving = [strip for strip in strips if strip.num_frames > 1]
        if moving and self.output.suffix != ".mp4":
            save_sheet(self.output.with_suffix(".mp4"), moving, max_width_px=SHEET_WIDTH_PX)

    def _show_own(self, pipeline: "LavinDiTPipeline", num_steps: int) -> None:
        """A task on a user's picture."""
        from lavin_dit.demo.sheet import SHEET_WIDTH_PX, own_strips
        from lavin_dit.pipeline.clips import load_clip
        from lavin_dit.pipeline.example_sets import examples_for, load_examples

        assert self.query is not None
        query = load_clip(self.query)
        prediction = pipeline(query, task=self.task[0], num_steps=num_steps)
        folder = examples_for(pipeline.canvas)
        examples = load_examples(self.task[0], folder)
        strips = own_strips(query, prediction, examples.context)
        save_sheet(self.output, strips, max_width_px=SHEET_WIDTH_PX)


def _print_table(showings: "Sequence[Showing]") -> None:
    """One line per task."""
    from lavin_dit.demo.showing import COPY, MEAN, MODEL
    from lavin_dit.evaluation.measures import MEASURES

    rows: list[tuple[str, ...]] = [("task", "score", "model", "copied context", "mean of context")]
    for showing in showings:
        task, measure = showing.examples.task, MEASURES[showing.measure]
        name = f"{task.name} (never trained)" if task.held_out else task.name
        scores = [measure.show(showing.scores[one]) for one in (MODEL, COPY, MEAN)]
        better = "higher" if measure.higher_is_better else "lower"
        rows.append((name, f"{measure.title} ({better} is better)", *scores))
    print_table(rows, num_words=2)
