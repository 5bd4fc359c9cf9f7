"""What the studies of quality share: their flags, opening a model, and drawing rows."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from figures import Line, draw_panels
from lavin_dit.evaluation.evaluate import Run, Settings
from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.predictors.pipeline import PipelinePredictor
from lavin_dit.evaluation.protocol import find_protocol
from lavin_dit.evaluation.studies.sweep import Row, sweep, sweep_table
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.pipeline.sampling import SamplingSettings
from lavin_dit.vision.geometry import Size
from record import record

TEN_TASKS = (
    "world-depth_estimation",
    "world-surface_normal_estimation",
    "world-instance_segmentation",
    "world-foreground_segmentation",
    "world-single_object_detection",
    "photos-edge_detection",
    "photos-deraining",
    "photos-motion_deblurring",
    "photos-inpainting",
    "photos-colorization",
)


def flags(description: str | None, *, several: bool = False) -> ArgumentParser:
    """The flags of every study, of one model or of several."""
    parser = ArgumentParser(description=description)
    if several:
        parser.add_argument("--models", nargs="+", required=True, help="folders of pipelines")
    else:
        parser.add_argument("--model", required=True, help="folder of a saved pipeline")
    parser.add_argument("--data", type=Path, help="folder of photos, cutouts and clips")
    parser.add_argument("--output", type=Path, required=True, help="folder for predictions")
    parser.add_argument("--protocols", nargs="+", default=list(TEN_TASKS))
    parser.add_argument("--num-queries", type=int, default=100)
    parser.add_argument("--num-pairs", type=int, default=4)
    parser.add_argument("--split", default="test", choices=("test", "validation"))
    return parser


def open_run(
    arguments: Namespace, model: str, *, num_samples: int | None = None
) -> tuple[Run, PipelinePredictor]:
    """A run with the model's own settings, and its predictor.

    Args:
        arguments: The flags.
        model: Folder of a saved pipeline.
        num_samples: Answers to average; as the model has it for each task if None.
    """
    pipeline = LavinDiTPipeline.from_pretrained(model)
    defaults = pipeline.defaults
    predictor = PipelinePredictor(
        pipeline,
        settings=SamplingSettings.of(defaults),
        num_samples=num_samples,
        restoration_guidance_scale=defaults.restoration_guidance_scale,
    )
    size = Size(height=defaults.height, width=defaults.width)
    run = Run(
        library=Library(folder=arguments.data, split=arguments.split, size=size),
        output=arguments.output,
        settings=Settings(num_queries=arguments.num_queries, num_pairs=arguments.num_pairs),
        predictor=predictor,
        model={
            "fingerprint": pipeline.networks.fingerprint(),
            "num_samples": defaults.num_samples if num_samples is None else num_samples,
            "keep_detail": defaults.keep_detail,
            "restoration_guidance_scale": defaults.restoration_guidance_scale,
        },
    )
    return run, predictor


def sampled(
    run: Run,
    predictor: PipelinePredictor,
    settings: SamplingSettings,
    *,
    folder: str,
    restoration_guidance_scale: float | None = None,
) -> Run:
    """The same run with another way of sampling."""
    told = {
        "restoration_guidance_scale": restoration_guidance_scale,
        "num_steps": settings.num_steps,
        "guidance_scale": settings.guidance_scale,
        "solver": settings.solver,
        "grid": settings.grid,
    }
    return replace(
        run,
        output=run.output / folder,
        predictor=predictor.with_settings(
            settings, restoration_guidance_scale=restoration_guidance_scale
        ),
        model={**run.model, **told},
    )


def study(
    name: str,
    arguments: Namespace,
    groups: Mapping[str, Mapping[str, tuple[float, Run]]],
    *,
    x_label: str,
    logarithmic: bool = False,
) -> list[Row]:
    """Run every group's values, record the rows and draw a panel for each protocol.

    Args:
        name: Of the result file and the figure.
        arguments: The flags.
        groups: For each line of a panel, its runs by the value in words, with the value.
        x_label: What is varied.
        logarithmic: Whether the values are drawn on a logarithmic axis.
    """
    protocols = [find_protocol(chosen) for chosen in arguments.protocols]
    found: list[Row] = []
    panels: dict[str, dict[str, Line]] = {}
    written: list[dict] = []
    for group, runs in groups.items():
        rows = sweep({label: run for label, (_, run) in runs.items()}, protocols)
        print(sweep_table(rows))
        found += rows
        for protocol in protocols:
            own = [row for row in rows if row.protocol == protocol.name]
            panels.setdefault(_title(own), {})[group] = _line(
                own, [runs[row.setting][0] for row in own]
            )
        written += [{"group": group, **row.as_json()} for row in rows]
    record(name, settings={key: str(value) for key, value in vars(arguments).items()}, rows=written)
    draw_panels(name, panels, x_label=x_label, logarithmic=(logarithmic, False), columns=5)
    return found


def by_value(
    values: Iterable[float], make: Callable[[float], Run], *, unit: str
) -> dict[str, tuple[float, Run]]:
    """Runs by their value in words."""
    return {f"{value:g} {unit}": (value, make(value)) for value in values}


def _title(rows: Sequence[Row]) -> str:
    measure = MEASURES[rows[0].score]
    arrow = "lower" if measure.higher_is_better is False else "higher"
    return f"{rows[0].protocol}\n{measure.title}, {arrow} is better"


def _line(rows: Sequence[Row], values: Sequence[float]) -> Line:
    scale = 100 if MEASURES[rows[0].score].percent else 1
    totals = [row.total for row in rows]
    ends = [
        [
            scale * (total.value if end is None else end)
            for total, end in zip(totals, side, strict=True)
        ]
        for side in ([t.low for t in totals], [t.high for t in totals])
    ]
    return Line(x=values, y=[scale * total.value for total in totals], low=ends[0], high=ends[1])
