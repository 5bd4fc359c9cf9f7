"""Depth of clips."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_video_depth
from lavin_dit.vision.tasks.video_depth import VideoDepth

PROTOCOLS = (
    Protocol(
        name="world-video_depth",
        task=VideoDepth(),
        places=world_places,
        scorer=score_video_depth,
        primary="abs_rel_lstsq",
        baselines=("input", "copy-context", "mean-context"),
        summary="Depth of clips never seen, one scale and shift for a clip.",
        bars=(
            Bar(
                score="abs_rel_lstsq",
                relation="at most",
                value=1.25,
                beside="model",
                change="times",
                protocol="world-depth_estimation",
            ),
            Bar(score="flicker_ratio", relation="at most", value=1.0),
        ),
    ),
)
