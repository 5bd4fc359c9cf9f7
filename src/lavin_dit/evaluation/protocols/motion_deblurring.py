"""Photos without the motion of the camera."""

from lavin_dit.evaluation.places import photo_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.motion_deblurring import MotionDeblurring

PROTOCOLS = (
    Protocol(
        name="photos-motion_deblurring",
        task=MotionDeblurring(),
        places=photo_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Motion taken out of photos never seen.",
        bars=(Bar(score="psnr_db", relation="at least", value=3.0, beside="input"),),
    ),
    Protocol(
        name="world-motion_deblurring",
        task=MotionDeblurring(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Motion taken out of scenes never seen.",
    ),
)
