"""What happens on the page: what its user does, and what of the page changes by it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from lavin_dit.pipeline.fitting import Fit
from lavin_dit.web.answers import Answers, Question

PICTURE, CLIP = "picture", "clip"
"""Tabs of the query."""
TASKS_OWN_FIT = "the task's own"
FITS: Mapping[str, Fit] = {
    "keep the aspect": "pad",
    "fill the working size": "stretch",
    "in tiles": "tile",
}
"""How pictures get to the working size, in the page's words."""
_NUM_QUERY_PARTS = 5  # tab, picture, clip, truth, number of the next packaged one


def answering(answers: Answers) -> Callable[..., list[Any]]:
    """What the button does."""

    def predict(  # noqa: PLR0913 - the form, in its order; names are the endpoint's
        task: str,
        picture: str | None,
        clip: str | None,
        inputs: Sequence[tuple[str, object]] | None,
        targets: Sequence[tuple[str, object]] | None,
        num_context_pairs: int,
        num_steps: int,
        guidance_scale: float | None = None,
        num_samples: int | None = None,
        fit: str = TASKS_OWN_FIT,
        seed: int | None = 0,
    ) -> list[Any]:
        if picture and clip:
            raise _told("there are a picture and a clip: give one of them")
        if seed is None:
            raise _told("there is no seed: give a whole number of at least 0")
        query = picture or clip
        question = Question(
            query=Path(query) if query else None,
            task=task or None,
            inputs=tuple(Path(path) for path, _ in inputs or ()),
            targets=tuple(Path(path) for path, _ in targets or ()),
            num_context_pairs=num_context_pairs,
            num_steps=num_steps,
            guidance_scale=guidance_scale,
            num_samples=num_samples,
            fit=FITS.get(fit),
            seed=seed,
        )
        try:
            answer = answers.answer(question)
        except (ValueError, TypeError, OSError) as error:
            raise _told(str(error)) from error
        painted = [answer.files.painting, answer.files.drawing]
        return [
            [None if path is None else str(path) for path in painted],
            answer.words,
            [str(file) for file in answer.files.all()],
        ]

    return predict


def _told(message: str) -> gr.Error:
    """What is wrong, for the page; the terminal is not told."""
    return gr.Error(message, print_exception=False)


def choosing(answers: Answers) -> Callable[[str, str | None, str | None, str | None], list[Any]]:
    """What a choice of task changes."""

    def choose(task: str, picture: str | None, clip: str | None, truth: str | None) -> list[Any]:
        # A picture of one's own stays, so that several tasks are tried on it.
        stays = (picture or clip) and truth is None
        query = [gr.skip()] * _NUM_QUERY_PARTS if stays else put_packaged(answers, task, 0)
        return [
            gr.update(value=example_pictures(answers, task), visible=bool(task)),
            gr.update(visible=bool(task)),
            *query,
        ]

    return choose


def put_packaged(answers: Answers, task: str, number: int) -> list[Any]:
    """Put a packaged query on the page: tab, picture, clip, truth, and number of the next one."""
    if not task:
        return [gr.skip(), None, None, None, 0]
    taken = answers.packaged_query(task, number)
    query, moves = str(taken.query), taken.query.suffix == ".mp4"
    return [
        gr.Tabs(selected=CLIP if moves else PICTURE),
        None if moves else query,
        query if moves else None,
        str(taken.truth),
        number + 1,
    ]


def show(painted: list[str | None], truth: str | None) -> list[Any]:
    """Where painting, drawing and truth are seen: three places for pictures, three for clips."""
    paths = [*painted, truth]
    places: list[Any] = []
    for moves in (False, True):
        for path in paths:
            here = path is not None and path.endswith(".mp4") == moves
            places.append(gr.update(value=path if here else None, visible=here))
    return places


def example_pictures(answers: Answers, task: str) -> list[tuple[Image.Image, str]]:
    """Inputs and targets of a task's packaged examples; of clips, the frame in the middle."""
    pictures: list[tuple[Image.Image, str]] = []
    if not task:
        return pictures
    for number, example in enumerate(answers.examples(task).context, start=1):
        for caption, frames in (("input", example.input), ("target", example.target)):
            middle: np.ndarray = frames[len(frames) // 2]
            pictures.append((Image.fromarray(middle), f"{caption} {number}"))
    return pictures
