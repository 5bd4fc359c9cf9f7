"""Photos without the glass before them."""

from lavin_dit.evaluation.places import photo_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.glass_deblurring import GlassDeblurring

PROTOCOLS = (
    Protocol(
        name="photos-glass_deblurring",
        task=GlassDeblurring(),
        places=photo_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Frosted glass taken from before photos never seen.",
        bars=(Bar(score="psnr_db", relation="at least", value=3.0, beside="input"),),
    ),
    Protocol(
        name="world-glass_deblurring",
        task=GlassDeblurring(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="Frosted glass taken from before scenes never seen.",
    ),
)
