"""Scale: models of several sizes, trained alike, on the same queries (paper, Fig. 5).

Usage: ``python benchmarks/study_scale.py --models SMALL MIDDLE LARGE --data DATA --output OUT``
"""

from dataclasses import replace
from pathlib import Path

from lavin_dit.evaluation.evaluate import Run
from studies import flags, open_run, study


def main() -> None:
    """Measure, record and draw."""
    arguments = flags(__doc__, several=True).parse_args()
    runs: dict[str, tuple[float, Run]] = {}
    for model in arguments.models:
        run, predictor = open_run(arguments, model)
        millions = sum(p.numel() for p in predictor.pipeline.jdit.parameters()) / 1e6
        named = replace(run, output=run.output / Path(model).name)
        runs[f"{millions:.1f} M ({Path(model).name})"] = (millions, named)
    label = "millions of parameters"
    study("scale", arguments, {"models": runs}, x_label=label, logarithmic=True)


if __name__ == "__main__":
    main()
