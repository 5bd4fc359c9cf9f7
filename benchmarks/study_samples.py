"""Number of samples that are averaged against quality; each costs as much as the first.

Usage: ``python benchmarks/study_samples.py --model MODEL --data DATA --output OUT``
"""

from dataclasses import replace

from lavin_dit.evaluation.evaluate import Run
from studies import by_value, flags, open_run, study


def main() -> None:
    """Measure, record and draw."""
    parser = flags(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 2, 4, 8])
    arguments = parser.parse_args()

    def averaged(count: float) -> Run:
        run, _ = open_run(arguments, arguments.model, num_samples=int(count))
        return replace(run, output=run.output / f"samples-{count:g}")

    runs = by_value(arguments.samples, averaged, unit="samples")
    study("samples", arguments, {"model": runs}, x_label="samples that are averaged")


if __name__ == "__main__":
    main()
