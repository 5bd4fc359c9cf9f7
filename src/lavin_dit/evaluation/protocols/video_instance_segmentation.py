"""Objects followed through clips."""

from lavin_dit.evaluation.places import cutout_places, world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_instances
from lavin_dit.vision.tasks.video_instance_segmentation import VideoInstanceSegmentation

PROTOCOLS = (
    Protocol(
        name="world-video_instance_segmentation",
        task=VideoInstanceSegmentation(),
        places=world_places,
        scorer=score_instances,
        primary="miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Objects of classes never seen, followed through a clip.",
    ),
    Protocol(
        name="cutouts-video_instance_segmentation",
        task=VideoInstanceSegmentation(),
        places=cutout_places,
        scorer=score_instances,
        primary="miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Cut-outs never seen, followed through a clip.",
    ),
)
