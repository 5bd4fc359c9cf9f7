"""Steps against quality, with each solver and grid; a velocity evaluation is what a step costs.

Usage: ``python benchmarks/study_steps.py --model MODEL --data DATA --output OUT``
"""

from lavin_dit.evaluation.evaluate import Run
from lavin_dit.flow.solvers import SOLVERS
from lavin_dit.flow.timesteps import GRIDS
from lavin_dit.pipeline.sampling import SamplingSettings
from studies import by_value, flags, open_run, sampled, study


def main() -> None:
    """Measure, record and draw."""
    parser = flags(__doc__)
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 5, 10, 20])
    parser.add_argument("--solvers", nargs="+", default=list(SOLVERS), choices=SOLVERS)
    parser.add_argument("--grids", nargs="+", default=["linear_quadratic"], choices=GRIDS)
    arguments = parser.parse_args()
    run, predictor = open_run(arguments, arguments.model, num_samples=1)
    scale = predictor.settings.guidance_scale

    def sampled_by(solver: str, grid: str, count: float) -> Run:
        settings = SamplingSettings(
            num_steps=int(count), guidance_scale=scale, solver=solver, grid=grid
        )
        return sampled(
            run,
            predictor,
            settings,
            folder=f"{solver}-{grid}-{count:g}",
            restoration_guidance_scale=predictor.restoration_guidance_scale,
        )

    groups = {
        _label(solver, grid, arguments.grids): by_value(
            arguments.steps,
            lambda count, solver=solver, grid=grid: sampled_by(solver, grid, count),
            unit="steps",
        )
        for solver in arguments.solvers
        for grid in arguments.grids
    }
    study("sampling_steps", arguments, groups, x_label="sampling steps", logarithmic=True)


def _label(solver: str, grid: str, grids: list[str]) -> str:
    """Name of a line: the grid is told where there are several."""
    return solver if len(grids) == 1 else f"{solver}, {grid.replace('_', '-')}"


if __name__ == "__main__":
    main()
