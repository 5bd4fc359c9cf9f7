"""Segments of classes and of single objects."""

from lavin_dit.evaluation.places import world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_panoptic
from lavin_dit.vision.tasks.panoptic_segmentation import PanopticSegmentation

PROTOCOLS = (
    Protocol(
        name="world-panoptic_segmentation",
        task=PanopticSegmentation(),
        places=world_places,
        scorer=score_panoptic,
        primary="miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Segments of the classes that the examples show, which training never showed.",
        bars=(Bar(score="miou_matched", relation="at least", value=0.55),),
    ),
)
