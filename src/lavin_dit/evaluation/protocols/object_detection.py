"""Boxes around all objects of a picture."""

from lavin_dit.evaluation.places import cutout_places, world_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_boxes
from lavin_dit.vision.tasks.object_detection import ObjectDetection

PROTOCOLS = (
    Protocol(
        name="world-object_detection",
        task=ObjectDetection(),
        places=world_places,
        scorer=score_boxes,
        primary="box_miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Boxes around objects of classes never seen.",
    ),
    Protocol(
        name="cutouts-object_detection",
        task=ObjectDetection(),
        places=cutout_places,
        scorer=score_boxes,
        primary="box_miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Boxes around cut-outs never seen.",
    ),
)
