"""``lavin predict``: apply a task to images and videos."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from lavin_dit.cli.inputs import check_context, expand_queries
from lavin_dit.cli.model_options import ModelOptions
from lavin_dit.cli.outputs import RESULT_PARTS, check_name, check_writable, output_names
from lavin_dit.cli.result_log import FILE, QUERY, ResultLog, digest_of_files, digest_of_query

if TYPE_CHECKING:
    from lavin_dit.pipeline.clips import Clip
    from lavin_dit.pipeline.task_reader import TaskReader

EXIT_SOME_FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict:
    """Apply a task to images, videos, or folders of them: one by name, or what example pairs show.

    Results have the queries' names and sizes. Those that exist already are kept and skipped, so a
    stopped run goes on where it was; if they were asked for otherwise, with another task say, or of
    another file of the same name, it's an error, and if a query has changed since, it's answered
    again. With --task, what was painted is read as well: photo.png is the painting, photo.depth.npy
    and the like are the numbers, photo.drawn.png shows them. An image task is done for each frame
    of a video by itself; a video task works on pieces of 13 frames that overlap by one, and repeats
    the last frame of what is shorter.
    """

    queries: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="QUERY [QUERY ...]")
    ]
    """Images, videos, and folders whose images and videos are each a query."""
    model: Annotated[ModelOptions, tyro.conf.arg(name="")]
    task: Annotated[str | None, tyro.conf.arg(aliases=["-t"])] = None
    """Task, such as depth_estimation; `lavin tasks` lists them. Shown by the examples that come
    with the package, unless there is a context."""
    context: Annotated[Path | None, tyro.conf.arg(aliases=["-c"])] = None
    """Folder of pairs, <id>_input.png and <id>_target.png, or a file of `lavin context build`."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder for the results; if not given, one of the task's or the context's name in
    predictions."""
    overwrite: bool = False
    """Compute again what is already there."""
    num_context_pairs: int | None = None
    """Pairs to take where there are more; the model's own number if not given."""
    height: int | None = None
    """Working height in pixels; the model's own if not given."""
    width: int | None = None
    """Working width in pixels; the model's own if not given."""
    fit: Literal["pad", "stretch", "tile"] | None = None
    """pad keeps the aspect of pictures, stretch fills the working size, tile works at the pictures'
    own size in tiles of the working size, with the middle of each pair at its own. If not given,
    tile for deraining, deblurring and edges, otherwise pad."""
    tile_overlap: int | None = None
    """Pixels that neighbouring tiles share; a quarter of a tile if not given."""
    num_steps: int | None = None
    """Sampling steps; the model's own number if not given."""
    guidance_scale: float | None = None
    """Strength of guidance by the examples; 1 is none and costs half. If not given, the model's
    own, which may be another for tasks that restore photos."""
    solver: Literal["euler", "heun", "adams_bashforth"] | None = None
    """How to integrate; the model's own choice if not given."""
    grid: Literal["linear_quadratic", "uniform"] | None = None
    """Steps that are short near the noise, or equal ones; the model's own choice if not given."""
    num_samples: int | None = None
    """Answers that are averaged. If not given, the model's own number for depth, normals, flow,
    edges, instances, restored photos and where no --task is named, otherwise 1: colours of classes
    can't be averaged."""
    keep_detail: bool | None = None
    """Whether results are weighed against their queries, given their fine detail and drawn after
    their outlines, as far as the pairs say so; the model's own choice if not given."""
    seed: int = 0
    """Draws the noise, and the pairs."""
    batch_size: int | None = None
    """Queries, or tiles of one query, computed together. If not given, one query, and as many tiles
    as have the pixels of 8 of 64 x 64."""
    max_megapixels: float = 48.0
    """Largest picture to open."""
    _failures: list[str] = field(default_factory=list[str], init=False, repr=False)
    _queries: dict[str, Any] = field(default_factory=dict[str, Any], init=False, repr=False)

    def run(self) -> int:
        """Predict and save one after another."""
        from lavin_dit.pipeline.clips import most_pixels
        from lavin_dit.pipeline.prediction_files import save_prediction

        most_pixels(self.max_megapixels)
        reader = self._reader()
        parts = () if reader is None else RESULT_PARTS
        names = output_names(expand_queries(self.queries), parts=parts)
        self._check_no_inputs(names)
        check_writable(self._folder)
        if self.context is not None:
            check_context(self.context)
        asked, log = self._what_is_asked(), ResultLog(self._folder)
        there = {} if self.overwrite else self._answered(names, log)
        waiting = [query for query in names if query not in there]
        if changed := log.differences(there.values(), asked):
            raise ValueError(
                f"{self._folder} has results that were asked for otherwise ({changed}): choose "
                "another folder with -o, or --overwrite them"
            )
        if there:
            print(f"{len(there)} of {len(names)} are already in {self._folder}", file=sys.stderr)
        if not waiting:
            return 0
        predictions = self.model.load().stream(
            self._readable(waiting, reader),
            context=self.context,
            task=None if reader is None else reader.task,
            num_context_pairs=self.num_context_pairs,
            height=self.height,
            width=self.width,
            fit=self.fit,
            tile_overlap=self.tile_overlap,
            num_steps=self.num_steps,
            guidance_scale=self.guidance_scale,
            solver=self.solver,
            grid=self.grid,
            num_samples=self.num_samples,
            keep_detail=self.keep_detail,
            seed=self.seed,
            batch_size=self.batch_size,
        )
        by_name = {query.name: names[query] for query in waiting}
        paths = {query.name: str(query.resolve()) for query in waiting}
        for prediction in predictions:
            (clip, digest), name = self._queries.pop(prediction.name), by_name[prediction.name]
            log.begin(name)
            files = save_prediction(prediction, clip, self._folder, name=name).all()
            log.add(name, {**asked, QUERY: digest, FILE: paths[prediction.name]}, files)
            for path in files:
                print(path)
        if self._failures:
            print(
                f"lavin: {len(self._failures)} of {len(waiting)} queries could not be read",
                file=sys.stderr,
            )
        return EXIT_SOME_FAILED if self._failures else 0

    @property
    def _folder(self) -> Path:
        """Where results go: what was asked apart is kept apart."""
        if self.output is not None:
            return self.output
        named = "" if self.context is None else self.context.resolve().stem
        return Path("predictions") / (self.task or named)

    def _what_is_asked(self) -> dict[str, object]:
        """What decides every answer, as far as it is known before the model is loaded."""
        from lavin_dit.pipeline.context import find_pairs
        from lavin_dit.pipeline.finishing import FINISHING_VERSION

        names = (
            "task", "num_context_pairs", "height", "width", "fit", "tile_overlap", "num_steps",
            "guidance_scale", "solver", "grid", "num_samples", "keep_detail", "seed",
        )  # fmt: skip
        context = None
        if self.context is not None:
            is_file = self.context.is_file()
            pairs = [] if is_file else find_pairs(self.context)
            halves = [half for pair in pairs for half in (pair.input, pair.target)]
            context = digest_of_query(self.context) if is_file else digest_of_files(halves)
        return {
            **{name: getattr(self, name) for name in names},
            "context": context,
            **self.model.identity(),
            "way of finishing": FINISHING_VERSION,
        }

    def _reader(self) -> "TaskReader | None":
        """What reads the task that was named; None if none was.

        Raises:
            ValueError: If nothing says what to do, or there is no such task.
        """
        if self.task is None:
            if self.context is None:
                raise ValueError(
                    "nothing says what to do: name a task with --task (`lavin tasks` lists them), "
                    "or show one with --context"
                )
            return None
        from lavin_dit.pipeline.task_reader import TaskReader
        from lavin_dit.vision.task import find_task

        return TaskReader(task=find_task(self.task))

    def _answered(self, names: Mapping[Path, str], log: ResultLog) -> dict[Path, str]:
        """Names of the results that are there, by query.

        Raises:
            ValueError: If a file of a result's name is none that was written here, or answers
                another query.
        """
        there: dict[Path, str] = {}
        for query, name in names.items():
            endings = (".png", ".mp4")
            found = [path for end in endings if (path := self._folder / f"{name}{end}").exists()]
            if not found:
                continue
            other = log.other_query(name, query)
            if other is not None or not log.knows(name):
                said = f"answers {other}" if other else "was not written by lavin predict"
                raise ValueError(
                    f"{found[0]} is where the result of {query} would go, but {said}: choose "
                    "another folder with -o, or --overwrite it"
                )
            if log.is_of(name, query):
                there[query] = name
        return there

    def _check_no_inputs(self, queries: Iterable[Path]) -> None:
        folder = self._folder.resolve()
        for query in queries:
            if folder in (query.parent.resolve(), query.resolve().parent):
                raise ValueError(
                    f"{query} lies in the output folder {self._folder}: choose another with -o"
                )

    def _readable(self, queries: Sequence[Path], reader: "TaskReader | None") -> "Iterator[Clip]":
        """Read queries, passing over those that can't be read or don't suit the task."""
        from lavin_dit.pipeline.clips import load_clip, most_pixels

        max_pixels = most_pixels(self.max_megapixels)
        for query in queries:
            try:
                check_name(query.stem)
                digest = digest_of_query(query)
                clip = load_clip(query, max_pixels=max_pixels)
                if reader is not None:
                    reader.check(clip)
            except (ValueError, OSError) as error:
                self._failures.append(str(error))
                print(f"lavin: skipped: {error}", file=sys.stderr)
                continue
            self._queries[clip.name] = clip, digest
            yield clip
