"""Surface normals of single pictures."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_normals
from lavin_dit.vision.tasks.surface_normal_estimation import SurfaceNormalEstimation

PROTOCOLS = (
    Protocol(
        name="world-surface_normal_estimation",
        task=SurfaceNormalEstimation(),
        places=world_places,
        scorer=score_normals,
        primary="mean_deg",
        baselines=("input", "copy-context", "mean-context"),
        summary="Surface normals of rooms and objects never seen.",
        bars=(
            Bar(score="mean_deg", relation="at most", value=20.0),
            Bar(score="below_11.25", relation="at least", value=0.50),
        ),
    ),
)
