"""Pictures that have given surface normals."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.normal_to_image import NormalToImage

PROTOCOLS = (
    Protocol(
        name="world-normal_to_image",
        task=NormalToImage(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("copy-context", "mean-context"),
        summary="A picture of given surface normals.",
    ),
)
