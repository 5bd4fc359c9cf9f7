"""Pictures of people in a given pose."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.pose_to_image import PoseToImage

PROTOCOLS = (
    Protocol(
        name="world-pose_to_image",
        task=PoseToImage(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("copy-context", "mean-context"),
        summary="A picture of people in a given pose.",
    ),
)
