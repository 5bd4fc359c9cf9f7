"""The paper's motion deblurring: 1,000 photos of ImageNet's validation set, with blur of ours."""

from lavin_dit.evaluation.places import imagenet_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.motion_deblurring import MotionDeblurring

PROTOCOLS = (
    Protocol(
        name="imagenet-motion_deblurring",
        task=MotionDeblurring(),
        places=imagenet_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Motion taken out of 1,000 photos.",
        num_queries=1000,
    ),
)
