"""Motion of pixels."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_flow
from lavin_dit.vision.tasks.optical_flow import OpticalFlow

PROTOCOLS = (
    Protocol(
        name="world-optical_flow",
        task=OpticalFlow(),
        places=world_places,
        scorer=score_flow,
        primary="epe_scaled_px",
        baselines=("zero-flow", "input", "copy-context", "mean-context"),
        summary="Motion in clips never seen, up to a scale.",
        bars=(
            Bar(
                score="epe_scaled_px",
                relation="at most",
                value=0.5,
                beside="zero-flow",
                change="times",
            ),
        ),
    ),
)
