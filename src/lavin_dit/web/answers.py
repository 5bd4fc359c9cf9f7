"""What the page does with what its user fills in: predicting, and putting answers into files."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from lavin_dit.pipeline.clips import MAX_PIXELS, Clip, load_clip, save_clip
from lavin_dit.pipeline.example_sets import ExampleSet, examples_for, load_examples
from lavin_dit.pipeline.fitting import Fit
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.pipeline.prediction_files import PredictionFiles, save_prediction
from lavin_dit.pipeline.task_reader import TaskReader
from lavin_dit.vision.task import find_task

_KEPT_ANSWERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be done."""

    query: Path | None
    """A picture or video."""
    task: str | None
    """Name of the task; None for what the pairs show, whose answer is not read."""
    inputs: tuple[Path, ...] = ()
    """Inputs of pairs of one's own; the task's packaged examples if there are none."""
    targets: tuple[Path, ...] = ()
    """Their targets, in the same order."""
    num_context_pairs: int | None = None
    """Packaged examples that are shown; the model's own number if None."""
    num_steps: int | None = None
    """Sampling steps; the model's own number if None."""
    guidance_scale: float | None = None
    """Strength of guidance; the model's own if None."""
    num_samples: int | None = None
    """Answers that are averaged; the task's own number, or that for pairs, if None."""
    fit: Fit | None = None
    """How pictures get to the working size; the task's own way if None."""
    seed: int = 0
    """Draws the noise."""

    def pairs(self) -> list[tuple[Path, Path]] | None:
        """Pairs of one's own; None if there are none.

        Raises:
            ValueError: If an input lacks a target or the other way round.
        """
        if len(self.inputs) != len(self.targets):
            raise ValueError(
                f"there are {len(self.inputs)} inputs and {len(self.targets)} targets: every input "
                "needs the target that stands at its place"
            )
        return list(zip(self.inputs, self.targets, strict=True)) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question."""

    files: PredictionFiles
    """What was painted and what it means, as ``lavin predict`` writes them."""
    words: str
    """How it was made, in a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagedQuery:
    """A query that comes with the package, and was not trained on."""

    query: Path
    """The picture, or an ``.mp4``."""
    truth: Path
    """What should be painted."""


class Answers:
    """Answers questions with one model, and keeps the files of the last ones."""

    def __init__(
        self, pipeline: LavinDiTPipeline, folder: Path, *, max_pixels: int = MAX_PIXELS
    ) -> None:
        """Take a model.

        Args:
            pipeline: What answers, one question at a time.
            folder: Where answers are kept, each in a folder of its own.
            max_pixels: Largest picture to open.
        """
        self.pipeline = pipeline
        self._folder = folder
        self._max_pixels = max_pixels
        self._kept: deque[Path] = deque()

    def answer(self, question: Question) -> Answer:
        """Predict, and save the painting and what it means.

        Args:
            question: What is to be done.

        Raises:
            ValueError: If something is missing or out of range, or can't be read.
            OSError: If files can't be read or written.
        """
        if question.query is None:
            raise ValueError("there is no query: give a picture or a clip")
        pairs = question.pairs()
        if question.task is None and pairs is None:
            raise ValueError("nothing says what to do: choose a task, or show one with pairs")
        query = load_clip(question.query, max_pixels=self._max_pixels)
        # Before pairs are compiled, which takes longer.
        if question.task is not None:
            TaskReader(task=find_task(question.task)).check(query)
        began = time.perf_counter()
        prediction = self.pipeline(
            query,
            context=None if pairs is None else self._read(pairs),
            task=question.task,
            num_context_pairs=None if pairs else question.num_context_pairs,
            num_steps=question.num_steps,
            guidance_scale=question.guidance_scale,
            num_samples=question.num_samples,
            fit=question.fit,
            seed=question.seed,
            progress=False,
        )
        seconds = time.perf_counter() - began
        name = question.query.stem
        return Answer(
            files=save_prediction(prediction, query, self._new_folder(), name=name),
            words=_words(question, num_pairs=len(prediction.pair_names), seconds=seconds),
        )

    def examples(self, task: str) -> ExampleSet:
        """The packaged examples of a task, painted at the size nearest to the model's.

        Args:
            task: Its name.

        Raises:
            ValueError: If there is no such task.
            FileNotFoundError: If there are no examples of it.
        """
        return load_examples(task, examples_for(self.pipeline.canvas))

    def packaged_query(self, task: str, number: int) -> PackagedQuery:
        """Put a packaged query of a task into files.

        Args:
            task: Its name.
            number: Which one; counted on from the first again behind the last.

        Raises:
            ValueError: If there is no such task.
            FileNotFoundError: If there are no examples of it.
        """
        queries = self.examples(task).queries
        example = queries[number % len(queries)]
        pair, folder = example.as_pair(), self._new_folder()

        def saved(clip: Clip, name: str) -> Path:
            return save_clip(clip, folder / f"{name}{clip.file_ending}")

        return PackagedQuery(
            query=saved(pair.input, example.name),
            truth=saved(pair.target, f"{example.name}.truth"),
        )

    def _read(self, pairs: Sequence[tuple[Path, Path]]) -> list[tuple[Clip, Clip]]:
        """Read pairs of one's own."""
        read = partial(load_clip, max_pixels=self._max_pixels)
        return [(read(given), read(wanted)) for given, wanted in pairs]

    def _new_folder(self) -> Path:
        """A folder for an answer's files; the oldest one goes."""
        self._kept.append(Path(mkdtemp(dir=self._folder)))
        if len(self._kept) > _KEPT_ANSWERS:
            rmtree(self._kept.popleft(), ignore_errors=True)
        return self._kept[-1]


def _words(question: Question, *, num_pairs: int, seconds: float) -> str:
    """How an answer was made."""
    task = "what the pairs show" if question.task is None else question.task
    pairs = "pair" if num_pairs == 1 else "pairs"
    shown = f"{pairs} of your own" if question.inputs else f"packaged {pairs}"
    return f"{task}, from {num_pairs} {shown}, in {seconds:.1f} s"
