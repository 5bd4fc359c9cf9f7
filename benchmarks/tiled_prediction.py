"""Photos larger than the model's size: predicted fitted to it, in tiles, or all at their own size.

Each of the test photos is cut to a square and resized, rendered as the task's query there, and its
prediction is scored there: edges by F1, other paintings by PSNR. Tasks about whole scenes are asked
of the synthetic world. What shows the task is either the package's examples, or pairs of other
photos at the queries' size, as a user's folder may hold them: whole, or the middle of each, which
shows the task at the scale of a tile.

Usage: ``python benchmarks/tiled_prediction.py --data DATA``
"""

import itertools
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from time import process_time

import numpy as np
import torch

from lavin_dit import LavinDiTPipeline
from lavin_dit.data.augment import CentralFraming
from lavin_dit.datasets.photos import Photos
from lavin_dit.datasets.source import Source
from lavin_dit.datasets.world import World
from lavin_dit.evaluation.metrics.edges import edge_f1
from lavin_dit.evaluation.metrics.pictures import picture_likeness
from lavin_dit.pipeline import tiles
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.fitting import Canvas, fit_frames, place, to_bytes, unfit_frames
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import AnyTask, NothingToPaintError, Pair, find_task
from lavin_dit.vision.tasks.edge_detection import EdgeDetection
from record import record

WORLD_TASKS = ("depth_estimation",)
TASKS = (
    "edge_detection",
    "deraining",
    "motion_deblurring",
    "glass_deblurring",
    "colorization",
    "depth_estimation",
)
NUM_PAIRS = 4
SIDE = 160
Contestant = Callable[[np.ndarray], Prediction]
"""Predicts the target of a query of one frame."""


def main() -> None:
    """Measure and record."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds photos")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--side", type=int, default=SIDE, help="of queries, in pixels")
    parser.add_argument("--num-queries", type=int, default=12)
    parser.add_argument("--shown", nargs="+", default=["examples", "pairs"])
    parser.add_argument("--overlaps", type=int, nargs="+", default=[16], help="in pixels")
    parser.add_argument("--most-across", type=int, nargs="+", default=[tiles.MOST_TILES_ACROSS])
    arguments = parser.parse_args()
    pipe = LavinDiTPipeline.from_pretrained(arguments.model)
    settings = vars(arguments) | {"data": "photos", "device": str(pipe.device)}
    model = Path(arguments.model).name
    ending = "" if arguments.side == SIDE else f"_{arguments.side}"
    rows: list[dict] = []
    for name in arguments.tasks:
        task = find_task(name)
        pairs = rendered(arguments.data, "validation", task, NUM_PAIRS, side=arguments.side)
        queries = rendered(arguments.data, "test", task, arguments.num_queries, side=arguments.side)
        ways = contestants(pipe, task, pairs, arguments)
        task_rows = [measured(task, way, predict, queries) for way, predict in ways.items()]
        canvas = Canvas(height=pipe.defaults.height, width=pipe.defaults.width)
        task_rows += references(canvas, task, queries)
        rows += task_rows
        # After every task, so that a run that is stopped leaves what it has.
        record(f"tiled_prediction_{model}{ending}", settings=settings, rows=rows)


def rendered(data: Path, split: str, task: AnyTask, count: int, *, side: int) -> list[Pair]:
    """Samples of a split that the task can be done on, drawn once, at the queries' size."""
    size = Size(height=side, width=side)
    source: Source = Photos(data / "photos", split=split)
    if task.name in WORLD_TASKS:
        source = World(split="test" if split == "test" else "validation", num_frames=1, size=size)
    framing = CentralFraming(size=size)
    generator = np.random.default_rng(0)
    pairs: list[Pair] = []
    for index in generator.permutation(min(len(source), 1000)):
        sample = framing(source[int(index)], generator=generator)
        try:
            pairs.append(task.render(sample, rule=None, generator=generator))
        except NothingToPaintError:
            continue
        if len(pairs) == count:
            break
    return pairs


def contestants(
    pipe: LavinDiTPipeline, task: AnyTask, pairs: Sequence[Pair], arguments: Namespace
) -> Mapping[str, Contestant]:
    """All ways of predicting, by name."""
    own = [(pair.input, pair.target) for pair in pairs]
    large = {"height": arguments.side, "width": arguments.side}
    ways: dict[str, Contestant] = {}

    def enter(name: str, context: CompiledTask, most: int = 0, **options: int) -> None:
        def predict(query: np.ndarray) -> Prediction:
            tiles.MOST_TILES_ACROSS = most or tiles.MOST_TILES_ACROSS
            return pipe(query, context=context, task=task, progress=False, **options)

        ways[name] = predict

    for shown, context in (("examples", None), ("pairs", own)):
        if shown not in arguments.shown:
            continue
        fitted = pipe.compile_context(context, task=task, fit="pad")
        enter(f"{shown}: fitted", fitted)
        if context is None:
            whole = pipe.compile_context(task=task, fit="pad", **large)
            enter(f"{shown}: whole at {arguments.side} px", whole)
        else:
            mixed = replace(fitted, fit="tile")
            enter(f"{shown}, fitted: tiles", mixed)
        for most, overlap in itertools.product(arguments.most_across, arguments.overlaps):
            tiles.MOST_TILES_ACROSS = most
            tiled = pipe.compile_context(context, task=task, fit="tile")
            name = f"{shown}: tiles, at most {most} across, overlap {overlap}"
            enter(name, tiled, most, tile_overlap=overlap)
    return ways


def measured(task: AnyTask, way: str, predict: Contestant, queries: Sequence[Pair]) -> dict:
    """Predict and score all queries in one way."""
    begun = process_time()
    predictions = [predict(query.input) for query in queries]
    seconds = (process_time() - begun) / len(queries)
    answers = [
        strong(prediction.annotation)
        if isinstance(prediction.annotation, Edges)
        else prediction.clip.frames
        for prediction in predictions
    ]
    return summary(task, way, scored(task, answers, queries), seconds)


def references(canvas: Canvas, task: AnyTask, queries: Sequence[Pair]) -> list[dict]:
    """Scores of answers that need no model.

    They are the query itself, and the truth made as small as the model works and large again: what
    a fitted answer hardly surpasses.
    """

    def fitted(frames: np.ndarray) -> np.ndarray:
        placement = place(frames.shape[1:3], canvas=canvas, fit="pad")
        small = torch.from_numpy(fit_frames(frames, placement)).permute(0, 3, 1, 2) / 255
        return to_bytes(unfit_frames(small, placement))

    answers = {
        "the query itself": [query.input for query in queries],
        "the truth, fitted": [fitted(query.target) for query in queries],
    }
    rows: list[dict] = []
    for name, pictures in answers.items():
        rows.append(summary(task, name, scored(task, pictures, queries), None))
    return rows


def strong(edges: Edges) -> np.ndarray:
    """Where an edge is."""
    return edges.strength > 0.5


def scored(
    task: AnyTask, answers: Sequence[np.ndarray], queries: Sequence[Pair]
) -> list[Mapping[str, float]]:
    """Scores of each answer: a painting, or where edges are."""
    found: list[Mapping[str, float]] = []
    for answer, query in zip(answers, queries, strict=True):
        if isinstance(task, EdgeDetection):
            edges = answer if answer.dtype == bool else strong(task.read(answer).annotation)
            found.append(edge_f1(edges, strong(task.read(query.target).annotation)).scores())
        else:
            found.append(picture_likeness(answer, query.target).scores())
    return found


def summary(
    task: AnyTask, way: str, scores: Sequence[Mapping[str, float]], seconds: float | None
) -> dict:
    """A row: means over queries, and the deviation of the main score's."""
    main_score = "f1_1px" if "f1_1px" in scores[0] else "psnr_db"
    found = [each[main_score] for each in scores]
    return {
        "task": task.name,
        "way": way,
        "score": main_score,
        "mean": mean(found),
        "standard_error": stdev(found) / len(found) ** 0.5,
        "ssim": mean(each["ssim"] for each in scores) if "ssim" in scores[0] else None,
        "cpu_s_per_query": seconds,
        "each": [round(value, 4) for value in found],
    }


if __name__ == "__main__":
    main()
