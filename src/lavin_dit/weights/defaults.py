"""The settings that a saved pipeline uses where its user gives none."""

from dataclasses import dataclass
from typing import Literal

from lavin_dit.flow.solvers import SOLVERS
from lavin_dit.flow.timesteps import GRIDS

Posterior = Literal["mode", "sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDefaults:
    """How a checkpoint is meant to be used; kept beside its weights.

    Raises:
        ValueError: If a value is out of range.
    """

    height: int
    """Working height in pixels."""
    width: int
    """Working width in pixels."""
    num_context_pairs: int
    """Context pairs taken from a folder that has more."""
    num_steps: int
    """Steps of the sampling grid. The release's ``--timesteps 20`` counts points: 19 steps."""
    guidance_scale: float
    """Strength of classifier-free guidance; 1 is none."""
    solver: str
    """Name of the solver."""
    posterior: Posterior
    """Whether pictures are encoded as their posterior's mode or as a sample of it."""
    grid: str = "linear_quadratic"
    """Name of the sampling grid."""
    num_samples: int = 1
    """Answers that are averaged where the task is one of ``AVERAGED_TASKS``, or none is named
    (decision 0019)."""
    keep_detail: bool = False
    """Whether predictions are weighed against their queries, given the detail that the autoencoder
    loses of them and drawn after their outlines, as far as the context's pairs say so (decisions
    0021 to 0023)."""
    restoration_guidance_scale: float | None = None
    """Strength of guidance for ``RESTORATION_TASKS``; that of the others if None."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("height", "width", "num_context_pairs", "num_steps", "num_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("guidance_scale", "restoration_guidance_scale"):
            scale = getattr(self, name)
            if scale is not None and not 0 <= scale < float("inf"):
                raise ValueError(f"{name} must be a finite number of at least 0, got {scale}")
        if self.posterior not in ("mode", "sample"):
            raise ValueError(f"posterior must be 'mode' or 'sample', got {self.posterior!r}")
        check_posterior(keep_detail=self.keep_detail, posterior=self.posterior)
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {self.solver!r}")
        if self.grid not in GRIDS:
            raise ValueError(f"grid must be one of {', '.join(GRIDS)}, got {self.grid!r}")


def check_posterior(*, keep_detail: bool, posterior: Posterior) -> None:
    """Check that what the autoencoder loses of a picture can be told.

    Args:
        keep_detail: Whether it is wanted.
        posterior: How pictures are encoded.

    Raises:
        ValueError: If it is wanted, and a picture's reconstruction has noise in it.
    """
    if keep_detail and posterior == "sample":
        raise ValueError("keep_detail needs posterior 'mode': a sample's noise is no detail")


RELEASED_DEFAULTS = PipelineDefaults(
    height=512,
    width=512,
    num_context_pairs=4,
    num_steps=19,
    guidance_scale=1.5,
    solver="euler",
    posterior="mode",
)
"""What the authors' command line uses, but for the posterior, which it samples (decision 0006)."""
