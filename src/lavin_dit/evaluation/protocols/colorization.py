"""Colours of grey photos."""

from lavin_dit.evaluation.places import photo_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.colorization import Colorization

PROTOCOLS = (
    Protocol(
        name="photos-colorization",
        task=Colorization(),
        places=photo_places,
        scorer=score_picture,
        primary="mse",
        baselines=("input", "copy-context", "mean-context"),
        summary="Colours of grey photos never seen.",
        bars=(
            Bar(score="psnr_db", relation="at least", value=29.0, of="autoencoder"),
            Bar(score="mse", relation="at most", value=1.0, beside="input", change="times"),
            Bar(score="mse", relation="at most", value=1.0, beside="copy-context", change="times"),
            Bar(score="lpips_like", relation="at most", value=1.0, beside="input", change="times"),
            Bar(
                score="lpips_like",
                relation="at most",
                value=1.0,
                beside="copy-context",
                change="times",
            ),
        ),
    ),
    Protocol(
        name="world-colorization",
        task=Colorization(),
        places=world_places,
        scorer=score_picture,
        primary="mse",
        baselines=("input", "copy-context", "mean-context"),
        summary="Colours of grey scenes never seen.",
    ),
)
