"""Clips that have given surface normals."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.normal_to_video import NormalToVideo

PROTOCOLS = (
    Protocol(
        name="world-normal_to_video",
        task=NormalToVideo(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("copy-context", "mean-context"),
        summary="A clip of given surface normals.",
    ),
)
