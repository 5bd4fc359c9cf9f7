"""Edges as a detector finds them."""

from lavin_dit.evaluation.places import photo_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_edges
from lavin_dit.vision.tasks.edge_detection import EdgeDetection

PROTOCOLS = (
    Protocol(
        name="photos-edge_detection",
        task=EdgeDetection(),
        places=photo_places,
        scorer=score_edges,
        primary="f1_1px",
        baselines=("input", "copy-context", "mean-context"),
        summary="Edges of photos never seen.",
        bars=(Bar(score="f1_1px", relation="at least", value=0.6),),
    ),
    Protocol(
        name="world-edge_detection",
        task=EdgeDetection(),
        places=world_places,
        scorer=score_edges,
        primary="f1_1px",
        baselines=("input", "copy-context", "mean-context"),
        summary="Edges of scenes never seen.",
        bars=(Bar(score="f1_1px", relation="at least", value=0.6),),
    ),
)
