"""The mask of what the examples mask; a task that is never trained."""

from lavin_dit.evaluation.places import cutout_places, unseen_class_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_mask
from lavin_dit.vision.tasks.foreground_segmentation import ForegroundSegmentation

PROTOCOLS = (
    Protocol(
        name="world-foreground_segmentation",
        task=ForegroundSegmentation(),
        places=unseen_class_places,
        scorer=score_mask,
        primary="iou",
        baselines=("input", "copy-context", "mean-context"),
        summary="The mask of a class never seen; a task never trained.",
        bars=(Bar(score="iou", relation="at least", value=0.55),),
    ),
    Protocol(
        name="cutouts-foreground_segmentation",
        task=ForegroundSegmentation(),
        places=cutout_places,
        scorer=score_mask,
        primary="iou",
        baselines=("input", "copy-context", "mean-context"),
        summary="The mask of cut-outs on photos; a task never trained.",
        bars=(Bar(score="iou", relation="at least", value=0.55),),
    ),
)
