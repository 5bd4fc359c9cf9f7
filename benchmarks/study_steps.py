"""Steps against quality, with each solver; every velocity evaluation counts as a step's cost.

Usage: ``python benchmarks/study_steps.py --model MODEL --data DATA --output OUT``
"""

from lavin_dit.evaluation.evaluate import Run
from lavin_dit.flow.solvers import SOLVERS
from lavin_dit.pipeline.sampling import SamplingSettings
from studies import by_value, flags, open_run, sampled, study


def main() -> None:
    """Measure, record and draw."""
    parser = flags(__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 5, 10, 20])
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS), choices=SOLVERS)
    arguments = parser.parse_args()
    run, predictor = open_run(arguments, arguments.model, num_samples=1)
    scale = predictor.settings.guidance_scale

    def sampled_by(solver: str, count: float) -> Run:
        settings = SamplingSettings(num_steps=int(count), guidance_scale=scale, solver=solver)
        return sampled(run, predictor, settings, folder=f"{solver}-{count:g}")

    groups = {
        solver: by_value(
            arguments.steps, lambda count, solver=solver: sampled_by(solver, count), unit="steps"
        )
        for solver in arguments.solvers
    }
    study("sampling_steps", arguments, groups, x_label="sampling steps", logarithmic=True)


if __name__ == "__main__":
    main()
