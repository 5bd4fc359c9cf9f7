"""The page, laid out with Gradio: what to do, a query, and the answer."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import getdoc
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.themes import Default
from PIL import Image

from lavin_dit.pipeline.fitting import Fit
from lavin_dit.pipeline.sampling import samples_for
from lavin_dit.vision.task import AnyTask, discover_tasks, find_task
from lavin_dit.web.answers import Answers, Question

TITLE = "LaVin-DiT"
HOW_TO = (
    "Example pairs say what to do, and the model does it to your picture or clip. Choose a task, "
    "whose examples come with the package, or show one with pairs of your own."
)
STYLE = """
.pixels img, .pixels video { object-fit: contain; width: 100%; height: 100%; }
.pixels img { image-rendering: pixelated; }
"""
_WHAT_PAIRS_SHOW = "what my pairs show"
_TASKS_OWN_FIT = "the task's own"
_FITS: Mapping[str, Fit] = {
    "keep the aspect": "pad",
    "fill the working size": "stretch",
    "in tiles": "tile",
}
_FIRST_TASK = "depth_estimation"
_HEIGHT_PX = 300
_MOST_STEPS, _MOST_GUIDANCE, _MOST_SAMPLES = 50, 6.0, 16
_QUEUE = "model"  # one question at a time, whoever asks
_LONGEST_QUEUE = 64
_LARGEST_UPLOAD = "256mb"
_PICTURE, _CLIP = "picture", "clip"
_NUM_QUERY_PARTS = 5  # tab, picture, clip, truth, number of the next packaged one


def serve(
    answers: Answers,
    *,
    host: str,
    port: int,
    open_browser: bool,
    on_address: Callable[[str], object],
) -> None:
    """Serve the page until interrupted.

    Args:
        answers: What answers.
        host: Address to serve at.
        port: Port to serve at; the first free one from 7860 on if 0.
        open_browser: Whether to open the page in this machine's browser.
        on_address: Is told the page's address as soon as it is there.

    Raises:
        OSError: If the port is taken.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every start-up request
    page = build_page(answers).queue(max_size=_LONGEST_QUEUE)
    _, address, _ = page.launch(
        server_name=host,
        server_port=port or None,
        inbrowser=open_browser,
        share=False,
        ssr_mode=False,
        quiet=True,
        prevent_thread_lock=True,
        max_file_size=_LARGEST_UPLOAD,
        footer_links=["api"],
        css=STYLE,
        theme=Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
    )
    on_address(address)
    page.block_thread()


def build_page(answers: Answers) -> gr.Blocks:
    """Lay out the page.

    Args:
        answers: What answers.

    Returns:
        The page, to be launched. Its endpoint ``/predict`` is what the button calls.
    """
    # Nobody is counted, and what was uploaded goes after a day.
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.Markdown(f"# {TITLE}\n{HOW_TO}")
        task = gr.Dropdown(
            [(_title(task), name) for name, task in discover_tasks().items()]
            + [(_WHAT_PAIRS_SHOW, "")],
            value=_FIRST_TASK,
            label="Task",
        )
        with gr.Row():
            with gr.Column():
                examples, inputs, targets = _examples_column(answers)
            with gr.Column():
                tabs, picture, clip, another, settings = _query_column(answers)
                button = gr.Button("Do it", variant="primary")
            with gr.Column():
                words, files, shown = _result_column()
        number, truth, painted = gr.State(0), gr.State(None), gr.State(None)
        query = [tabs, picture, clip, truth, number]

        gr.on(
            [page.load, task.change],
            _choose(answers),
            [task, picture, clip, truth],
            [examples, another, settings[_SAMPLES], *query],
            api_visibility="private",
            show_progress="hidden",
        )
        another.click(partial(_packaged, answers), [task, number], query, api_visibility="private")
        # A query of one's own has no truth, and takes the place of the one before.
        for own, other in ((picture, clip), (clip, picture)):
            own.upload(lambda: (None, None), outputs=[other, truth], api_visibility="private")
            own.clear(lambda: None, outputs=truth, api_visibility="private")
        button.click(
            _answer(answers),
            [task, picture, clip, inputs, targets, *settings],
            [painted, words, files],
            api_name="predict",
            concurrency_limit=1,
            concurrency_id=_QUEUE,
        ).success(_show, [painted, truth], shown, api_visibility="private")
    return page


# ------------------------------------------------------------------ what stands on the page

_SAMPLES = 3  # its place among the settings


def _examples_column(answers: Answers) -> tuple[gr.Gallery, gr.Gallery, gr.Gallery]:
    """What shows the task: its packaged examples, or pairs of one's own, inputs and targets."""
    examples = gr.Gallery(
        _example_pictures(answers, _FIRST_TASK),
        label="Its examples: input and target",
        columns=2,
        height=2 * _HEIGHT_PX,
        object_fit="contain",
        interactive=False,
        elem_classes="pixels",
        buttons=[],
    )
    with gr.Accordion("Pairs of my own", open=False):
        gr.Markdown("Instead of the task's. The first input goes with the first target.")
        own = [
            gr.Gallery(
                label=label,
                columns=3,
                height=_HEIGHT_PX,
                object_fit="contain",
                type="filepath",
                interactive=True,
                file_types=["image", "video"],
                sources=["upload"],
            )
            for label in ("Inputs", "Targets")
        ]
    return examples, own[0], own[1]


def _query_column(
    answers: Answers,
) -> tuple[gr.Tabs, gr.Image, gr.Video, gr.Button, tuple[Any, ...]]:
    """The query, and how it is answered."""
    with gr.Tabs() as tabs:
        with gr.Tab("Picture", id=_PICTURE):
            picture = gr.Image(
                label="Query", type="filepath", height=_HEIGHT_PX, elem_classes="pixels"
            )
        with gr.Tab("Clip", id=_CLIP):
            clip = gr.Video(label="Query", height=_HEIGHT_PX, elem_classes="pixels")
    another = gr.Button("Another one that comes with the package")
    defaults = answers.pipeline.defaults
    with gr.Accordion("Settings", open=False):
        settings = (
            gr.Slider(
                1,
                len(answers.examples(_FIRST_TASK).context),
                value=defaults.num_context_pairs,
                step=1,
                label="Packaged examples",
            ),
            gr.Slider(1, _MOST_STEPS, value=defaults.num_steps, step=1, label="Sampling steps"),
            gr.Slider(
                0.0,
                _MOST_GUIDANCE,
                value=defaults.guidance_scale,
                step=0.25,
                label="Guidance",
                info="How strongly the examples pull; 1 is none and costs half.",
            ),
            gr.Slider(
                1,
                _MOST_SAMPLES,
                value=samples_for(_FIRST_TASK, given=None, default=defaults.num_samples),
                step=1,
                label="Answers that are averaged",
            ),
            gr.Dropdown(
                [_TASKS_OWN_FIT, *_FITS],
                value=_TASKS_OWN_FIT,
                label="How pictures get to the model's size",
            ),
            gr.Number(0, label="Seed", precision=0, minimum=0),
        )
    return tabs, picture, clip, another, settings


def _result_column() -> tuple[gr.Markdown, gr.File, list[Any]]:
    """The answer: words and files; and where they are seen, pictures first, then clips."""
    shape: dict[str, Any] = {"height": _HEIGHT_PX, "elem_classes": "pixels", "interactive": False}
    labels = ("Painted", "What it means", "The truth")
    shown: list[Any] = [
        gr.Image(
            label=label,
            type="filepath",
            visible=label == labels[0],
            buttons=["download", "fullscreen"],
            **shape,
        )
        for label in labels
    ]
    shown += [
        gr.Video(label=label, visible=False, autoplay=True, loop=True, **shape) for label in labels
    ]
    words = gr.Markdown()
    files = gr.File(label="Files", file_count="multiple", interactive=False, height=_HEIGHT_PX)
    return words, files, shown


# ------------------------------------------------------------------ what happens


def _answer(answers: Answers) -> Callable[..., list[Any]]:
    """What the button does."""

    def predict(  # noqa: PLR0913 - the form, in its order; names are the endpoint's
        task: str,
        picture: str | None,
        clip: str | None,
        inputs: Sequence[tuple[str, object]] | None,
        targets: Sequence[tuple[str, object]] | None,
        num_context_pairs: int,
        num_steps: int,
        guidance_scale: float,
        num_samples: int,
        fit: str,
        seed: int | None,
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
            fit=_FITS.get(fit),
            seed=seed,
        )
        try:
            answer = answers.answer(question)
        except (ValueError, TypeError, OSError) as error:
            raise _told(str(error)) from error
        painted = [answer.painting, answer.drawing]
        return [
            [None if path is None else str(path) for path in painted],
            answer.words,
            [str(file) for file in answer.files],
        ]

    return predict


def _told(message: str) -> gr.Error:
    """What is wrong, for the page; the terminal is not told."""
    return gr.Error(message, print_exception=False)


def _choose(answers: Answers) -> Callable[[str, str | None, str | None, str | None], list[Any]]:
    """What a choice of task changes."""

    def choose(task: str, picture: str | None, clip: str | None, truth: str | None) -> list[Any]:
        default = answers.pipeline.defaults.num_samples
        # A picture of one's own stays, so that several tasks are tried on it.
        stays = (picture or clip) and truth is None
        query = [gr.skip()] * _NUM_QUERY_PARTS if stays else _packaged(answers, task, 0)
        return [
            gr.update(value=_example_pictures(answers, task), visible=bool(task)),
            gr.update(visible=bool(task)),
            samples_for(task or None, given=None, default=default),
            *query,
        ]

    return choose


def _packaged(answers: Answers, task: str, number: int) -> list[Any]:
    """Put a packaged query on the page: tab, picture, clip, truth, and number of the next one."""
    if not task:
        return [gr.skip(), None, None, None, 0]
    taken = answers.packaged_query(task, number)
    query, moves = str(taken.query), taken.query.suffix == ".mp4"
    return [
        gr.Tabs(selected=_CLIP if moves else _PICTURE),
        None if moves else query,
        query if moves else None,
        str(taken.truth),
        number + 1,
    ]


def _show(painted: list[str | None], truth: str | None) -> list[Any]:
    """Where painting, drawing and truth are seen: three places for pictures, three for clips."""
    paths = [*painted, truth]
    places: list[Any] = []
    for moves in (False, True):
        for path in paths:
            here = path is not None and path.endswith(".mp4") == moves
            places.append(gr.update(value=path if here else None, visible=here))
    return places


def _title(task: AnyTask) -> str:
    """A task's name and what it does, in a line."""
    return f"{task.name}: {(getdoc(type(task)) or '').partition(chr(10))[0]}"


def _example_pictures(answers: Answers, task: str) -> list[tuple[Image.Image, str]]:
    """Inputs and targets of a task's packaged examples; of clips, the frame in the middle."""
    pictures: list[tuple[Image.Image, str]] = []
    if not task:
        return pictures
    for number, example in enumerate(answers.examples(find_task(task).name).context, start=1):
        for caption, frames in (("input", example.input), ("target", example.target)):
            middle: np.ndarray = frames[len(frames) // 2]
            pictures.append((Image.fromarray(middle), f"{caption} {number}"))
    return pictures
