"""Holes of photos filled."""

from lavin_dit.evaluation.places import photo_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.inpainting import Inpainting

PROTOCOLS = (
    Protocol(
        name="photos-inpainting",
        task=Inpainting(),
        places=photo_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Holes of photos never seen filled.",
        bars=(Bar(score="psnr_db", relation="at least", value=3.0, beside="input"),),
    ),
    Protocol(
        name="world-inpainting",
        task=Inpainting(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Holes of scenes never seen filled.",
    ),
)
