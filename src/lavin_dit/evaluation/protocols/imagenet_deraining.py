"""The paper's deraining: 1,000 photos of ImageNet's validation set, with rain of our own making."""

from lavin_dit.evaluation.places import imagenet_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.deraining import Deraining

PROTOCOLS = (
    Protocol(
        name="imagenet-deraining",
        task=Deraining(),
        places=imagenet_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Rain taken out of 1,000 photos.",
        num_queries=1000,
    ),
)
