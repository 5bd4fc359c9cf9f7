"""Context length: 1 to 8 pairs over ten tasks, on the same queries (paper, Fig. 7).

Usage: ``python benchmarks/study_context.py --model MODEL --data DATA --output OUT``
"""

from dataclasses import replace

from studies import by_value, flags, open_run, study


def main() -> None:
    """Measure, record and draw."""
    parser = flags(__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 2, 4, 8])
    arguments = parser.parse_args()
    run, _ = open_run(arguments, arguments.model)

    def with_pairs(count: float) -> object:
        return replace(
            run,
            output=run.output / f"pairs-{count:g}",
            settings=replace(run.settings, num_pairs=int(count)),
        )

    runs = by_value(arguments.lengths, with_pairs, unit="pairs")
    study("context_length", arguments, {"model": runs}, x_label="context pairs", logarithmic=True)


if __name__ == "__main__":
    main()
