"""The same tasks with examples in other colours, which a model has to see to paint like them.

Answers are taken back to a task's own colours, and scored as always.

Usage: ``python benchmarks/study_colours.py --model MODEL --data DATA --output OUT``
"""

from dataclasses import replace

from lavin_dit.data.recolouring import Recolouring
from lavin_dit.evaluation.predictors.recoloured import RecolouredPredictor
from lavin_dit.evaluation.protocol import find_protocol
from lavin_dit.evaluation.studies.sweep import Row, sweep, sweep_table
from record import record
from studies import flags, open_run

_NONE, _FULL = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
COLOURS = {
    "inverted": Recolouring(channels=(0, 1, 2), black=_FULL, white=_NONE),
    "exchanged": Recolouring(channels=(1, 2, 0), black=_NONE, white=_FULL),
    "blue to orange": Recolouring(channels=(0, 1, 2), black=(0.1, 0.2, 0.7), white=(1.0, 0.7, 0.1)),
}
"""Colours by name; the second changes nothing that is grey."""
GREY = "world-depth_estimation", "world-foreground_segmentation", "photos-edge_detection"
"""What is painted in grey, which exchanging colours leaves as it is."""
COLOURFUL = (
    "world-surface_normal_estimation",
    "world-instance_segmentation",
    "world-panoptic_segmentation",
)
"""What is painted in colours."""


def main() -> None:
    """Measure and record."""
    parser = flags(__doc__)
    parser.set_defaults(protocols=[*GREY, *COLOURFUL])
    arguments = parser.parse_args()
    run, predictor = open_run(arguments, arguments.model)
    runs = {"own": replace(run, output=run.output / "own")}
    for name, recolouring in COLOURS.items():
        runs[name] = replace(
            run,
            output=run.output / name.replace(" ", "-"),
            predictor=RecolouredPredictor(predictor, recolouring),
            model={**run.model, "colours": repr(recolouring)},
        )
    rows: list[Row] = []
    for name in arguments.protocols:
        own = {key: one for key, one in runs.items() if key != "exchanged" or name not in GREY}
        rows += sweep(own, [find_protocol(name)])
    print(sweep_table(rows))
    settings = {key: str(value) for key, value in vars(arguments).items()}
    record("colours", settings=settings, rows=[row.as_json() for row in rows])


if __name__ == "__main__":
    main()
