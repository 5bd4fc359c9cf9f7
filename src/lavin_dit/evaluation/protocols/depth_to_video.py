"""Clips that have a given depth."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.depth_to_video import DepthToVideo

PROTOCOLS = (
    Protocol(
        name="world-depth_to_video",
        task=DepthToVideo(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("copy-context", "mean-context"),
        summary="A clip of a given depth.",
    ),
)
