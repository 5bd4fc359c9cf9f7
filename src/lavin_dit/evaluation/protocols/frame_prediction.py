"""How clips go on."""

from lavin_dit.evaluation.places import clip_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.frame_prediction import FramePrediction

PROTOCOLS = (
    Protocol(
        name="clips-frame_prediction",
        task=FramePrediction(),
        places=clip_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context"),
        summary="The frames that follow the first, of films never seen.",
        bars=(
            Bar(score="psnr_db", relation="at least", value=0.0, beside="input"),
            Bar(score="psnr_db", relation="at least", value=28.0, of="autoencoder"),
        ),
    ),
    Protocol(
        name="world-frame_prediction",
        task=FramePrediction(),
        places=world_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context"),
        summary="The frames that follow the first, of scenes never seen.",
        bars=(Bar(score="psnr_db", relation="at least", value=0.0, beside="input"),),
    ),
)
