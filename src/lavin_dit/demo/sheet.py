"""The demonstration as strips of a contact sheet: examples, query, prediction, truth."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lavin_dit.demo.showing import COPY, MEAN, MODEL, Showing
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.example_sets import Example
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.contact_sheet import Cell, Strip

SHEET_WIDTH_PX = 2000
"""Room for five clips of three frames each, or four pairs and two queries."""

_NUM_IMAGE_PAIRS, _NUM_CLIP_PAIRS = 4, 1  # shown; the model may have seen more
_OWN_SIDE_PX, _OWN_CLIP_SIDE_PX = 480, 160  # of a picture, and of a frame of a clip


def showing_strip(showing: Showing) -> Strip:
    """A task's first pairs, and each query with prediction and truth."""
    task = showing.examples.task
    cells = _pair_cells(showing.context, num_frames=task.num_frames)
    for query, answer in zip(showing.examples.queries, showing.answers, strict=True):
        cells.append(Cell(caption="QUERY", frames=query.input))
        cells.append(Cell(caption="PREDICTION", frames=answer))
        cells.append(Cell(caption="truth", frames=query.target))
    return Strip(title=f"{_name(showing)}: {score_words(showing)}", cells=tuple(cells))


def own_strips(
    query: Clip, prediction: Prediction, context: Sequence[Example]
) -> tuple[Strip, Strip]:
    """A task's first pairs; and a query of one's own with prediction and reading."""
    result = prediction.result
    assert result is not None  # a task was named
    num_frames = prediction.clip.num_frames
    cells = [
        Cell(caption="QUERY", frames=_shrunk(query.frames)),
        Cell(caption="PREDICTION", frames=_shrunk(prediction.clip.frames)),
    ]
    if not isinstance(result.annotation, Rgb):
        drawn = result.draw(Rgb(pixels=query.frames))
        cells.append(Cell(caption="what it means", frames=_shrunk(drawn)))
    pairs = _pair_cells(context, num_frames=num_frames)
    return Strip(title="examples", cells=tuple(pairs)), Strip(title=query.name, cells=tuple(cells))


def score_words(showing: Showing) -> str:
    """The task's number, and those of the baselines."""
    measure = MEASURES[showing.measure]
    own, copy, mean = (measure.show(showing.scores[name]) for name in (MODEL, COPY, MEAN))
    return f"{measure.title} {own} (copied context {copy}, mean of context {mean})"


def _name(showing: Showing) -> str:
    """A task's name, and whether it was never trained."""
    task = showing.examples.task
    return f"{task.name} (never trained)" if task.held_out else task.name


def _pair_cells(context: Sequence[Example], *, num_frames: int) -> list[Cell]:
    """The pairs that are shown."""
    cells: list[Cell] = []
    shown = _NUM_IMAGE_PAIRS if num_frames == 1 else _NUM_CLIP_PAIRS
    for number, example in enumerate(context[:shown], start=1):
        cells.append(Cell(caption=f"input {number}", frames=example.input))
        cells.append(Cell(caption=f"target {number}", frames=example.target))
    return cells


def _shrunk(frames: UInt8[np.ndarray, "t h w 3"]) -> UInt8[np.ndarray, "t h2 w2 3"]:
    """Frames of a user's picture, small enough for a sheet; the aspect is kept."""
    height, width = frames.shape[1:3]
    side_px = _OWN_SIDE_PX if len(frames) == 1 else _OWN_CLIP_SIDE_PX
    scale = min(1.0, side_px / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.stack([np.asarray(Image.fromarray(frame).resize(size)) for frame in frames])
