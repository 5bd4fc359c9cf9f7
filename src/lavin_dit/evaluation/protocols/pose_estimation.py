"""Joints of people."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_pose
from lavin_dit.vision.tasks.pose_estimation import PoseEstimation

PROTOCOLS = (
    Protocol(
        name="world-pose_estimation",
        task=PoseEstimation(),
        places=world_places,
        scorer=score_pose,
        primary="pck_0.1",
        baselines=("input", "copy-context", "mean-context"),
        summary="Joints of figures in scenes never seen.",
        bars=(Bar(score="pck_0.1", relation="at least", value=0.6),),
    ),
)
