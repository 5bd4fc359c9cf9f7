"""Scale: models of several sizes, trained alike, on the same queries (paper, Fig. 5).

Usage: ``python benchmarks/study_scale.py --models SMALL MIDDLE LARGE --data DATA --output OUT``
"""

from dataclasses import replace
from pathlib import Path

from lavin_dit.evaluation.evaluate import Run
from lavin_dit.training.run_folder import EXPORT
from studies import flags, open_run, study


def main() -> None:
    """Measure, record and draw."""
    arguments = flags(__doc__, several=True).parse_args()
    runs: dict[str, tuple[float, Run]] = {}
    for model in arguments.models:
        run, predictor = open_run(arguments, model)
        millions = sum(p.numel() for p in predictor.pipeline.jdit.parameters()) / 1e6
        name = name_of(Path(model))
        named = replace(run, output=run.output / name)
        runs[f"{millions:.1f} M ({name})"] = (millions, named)
    label = "millions of parameters"
    study("scale", arguments, {"models": runs}, x_label=label, logarithmic=True)


def name_of(model: Path) -> str:
    """What a model is called: its folder, or its run's if it is an export."""
    return model.parent.name if model.name == EXPORT else model.name


if __name__ == "__main__":
    main()
