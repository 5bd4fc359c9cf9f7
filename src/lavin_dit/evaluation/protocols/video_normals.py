"""Surface normals of clips."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_video_normals
from lavin_dit.vision.tasks.video_normals import VideoNormals

PROTOCOLS = (
    Protocol(
        name="world-video_normals",
        task=VideoNormals(),
        places=world_places,
        scorer=score_video_normals,
        primary="mean_deg",
        baselines=("input", "copy-context", "mean-context"),
        summary="Surface normals of clips never seen.",
        bars=(
            Bar(
                score="mean_deg",
                relation="at most",
                value=1.25,
                beside="model",
                change="times",
                protocol="world-surface_normal_estimation",
            ),
            Bar(score="flicker_ratio", relation="at most", value=1.0),
        ),
    ),
)
