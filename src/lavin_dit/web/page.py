"""The page, laid out with Gradio: what to do, a query, and the answer."""

import logging
from collections.abc import Callable
from functools import partial
from inspect import getdoc
from typing import Any

import gradio as gr
from gradio.themes import Default

from lavin_dit.vision.task import AnyTask, discover_tasks
from lavin_dit.web.actions import (
    CLIP,
    FITS,
    PICTURE,
    TASKS_OWN_FIT,
    answering,
    choosing,
    example_pictures,
    put_packaged,
    show,
)
from lavin_dit.web.answers import Answers

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
_FIRST_TASK = "depth_estimation"
_HEIGHT_PX = 300
_LEFT_OPEN = "Where nothing is said, what the model has for the task, or for pairs."
_MOST_STEPS, _MOST_GUIDANCE, _MOST_SAMPLES = 50, 6.0, 16
_QUEUE = "model"  # one question at a time, whoever asks
_LONGEST_QUEUE = 64
_LARGEST_UPLOAD = "256mb"


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
            choosing(answers),
            [task, picture, clip, truth],
            [examples, another, *query],
            api_visibility="private",
            show_progress="hidden",
        )
        another.click(
            partial(put_packaged, answers), [task, number], query, api_visibility="private"
        )
        # A query of one's own has no truth, and takes the place of the one before.
        for own, other in ((picture, clip), (clip, picture)):
            own.upload(lambda: (None, None), outputs=[other, truth], api_visibility="private")
            own.clear(lambda: None, outputs=truth, api_visibility="private")
        button.click(
            answering(answers),
            [task, picture, clip, inputs, targets, *settings],
            [painted, words, files],
            api_name="predict",
            concurrency_limit=1,
            concurrency_id=_QUEUE,
        ).success(show, [painted, truth], shown, api_visibility="private")
    return page


def _examples_column(answers: Answers) -> tuple[gr.Gallery, gr.Gallery, gr.Gallery]:
    """What shows the task: its packaged examples, or pairs of one's own, inputs and targets."""
    examples = gr.Gallery(
        example_pictures(answers, _FIRST_TASK),
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
        with gr.Tab("Picture", id=PICTURE):
            picture = gr.Image(
                label="Query",
                type="filepath",
                image_mode=None,  # the file as it is: a conversion would cut 16 bits off
                height=_HEIGHT_PX,
                elem_classes="pixels",
            )
        with gr.Tab("Clip", id=CLIP):
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
            gr.Number(
                None,
                minimum=0,
                maximum=_MOST_GUIDANCE,
                step=0.25,
                label="Guidance",
                info=f"How strongly the examples pull; 1 is none and costs half. {_LEFT_OPEN}",
            ),
            gr.Number(
                None,
                precision=0,
                minimum=1,
                maximum=_MOST_SAMPLES,
                label="Answers that are averaged",
                info=_LEFT_OPEN,
            ),
            gr.Dropdown(
                [TASKS_OWN_FIT, *FITS],
                value=TASKS_OWN_FIT,
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


def _title(task: AnyTask) -> str:
    """A task's name and what it does, in a line."""
    return f"{task.name}: {(getdoc(type(task)) or '').partition(chr(10))[0]}"
