"""Single objects of a picture."""

from lavin_dit.evaluation.places import cutout_places, world_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_instances
from lavin_dit.vision.tasks.instance_segmentation import InstanceSegmentation

PROTOCOLS = (
    Protocol(
        name="world-instance_segmentation",
        task=InstanceSegmentation(),
        places=world_places,
        scorer=score_instances,
        primary="miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Objects of classes never seen, one by one.",
        bars=(Bar(score="miou_matched", relation="at least", value=0.55),),
    ),
    Protocol(
        name="cutouts-instance_segmentation",
        task=InstanceSegmentation(),
        places=cutout_places,
        scorer=score_instances,
        primary="miou_matched",
        baselines=("input", "copy-context", "mean-context"),
        summary="Cut-outs never seen on photos never seen, one by one.",
    ),
)
