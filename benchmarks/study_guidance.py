"""Guidance scale against quality; 1 is no guidance and costs half.

Usage: ``python benchmarks/study_guidance.py --model MODEL --data DATA --output OUT``
"""

from dataclasses import replace

from lavin_dit.evaluation.evaluate import Run
from studies import by_value, flags, open_run, sampled, study


def main() -> None:
    """Measure, record and draw."""
    parser = flags(__doc__)
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 1.25, 1.5, 2.0, 3.0])
    arguments = parser.parse_args()
    run, predictor = open_run(arguments, arguments.model, num_samples=1)

    def guided(scale: float) -> Run:
        settings = replace(predictor.settings, guidance_scale=scale)
        return sampled(run, predictor, settings, folder=f"guidance-{scale:g}")

    runs = by_value(arguments.scales, guided, unit="guidance")
    study("guidance_scale", arguments, {"model": runs}, x_label="guidance scale")


if __name__ == "__main__":
    main()
