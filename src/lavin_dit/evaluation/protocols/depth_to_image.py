"""Pictures that have a given depth."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.depth_to_image import DepthToImage

PROTOCOLS = (
    Protocol(
        name="world-depth_to_image",
        task=DepthToImage(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("copy-context", "mean-context"),
        summary="A picture of a given depth.",
    ),
)
