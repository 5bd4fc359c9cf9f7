"""Depth of single pictures."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_depth
from lavin_dit.vision.tasks.depth_estimation import DepthEstimation

PROTOCOLS = (
    Protocol(
        name="world-depth_estimation",
        task=DepthEstimation(),
        places=world_places,
        scorer=score_depth,
        primary="abs_rel_lstsq",
        baselines=("input", "copy-context", "mean-context"),
        summary="Depth of rooms and objects never seen, up to scale and shift.",
        bars=(
            Bar(score="abs_rel_lstsq", relation="at most", value=0.10),
            Bar(score="delta1_lstsq", relation="at least", value=0.90),
            Bar(score="painted_psnr_db", relation="at least", value=32.0, of="autoencoder"),
        ),
    ),
)
