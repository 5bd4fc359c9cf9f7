"""The box of what the examples box; a task that is never trained."""

from lavin_dit.evaluation.places import single_cutout_places, unseen_object_places
from lavin_dit.evaluation.protocol import Bar, Protocol
from lavin_dit.evaluation.scorers import score_single_box
from lavin_dit.vision.tasks.single_object_detection import SingleObjectDetection

PROTOCOLS = (
    Protocol(
        name="world-single_object_detection",
        task=SingleObjectDetection(),
        places=unseen_object_places,
        scorer=score_single_box,
        primary="box_miou",
        baselines=("input", "copy-context", "mean-context"),
        summary="The box of an object of a class never seen; a task never trained.",
        bars=(Bar(score="box_miou", relation="at least", value=0.45),),
    ),
    Protocol(
        name="cutouts-single_object_detection",
        task=SingleObjectDetection(),
        places=single_cutout_places,
        scorer=score_single_box,
        primary="box_miou",
        baselines=("input", "copy-context", "mean-context"),
        summary="The box of a cut-out on a photo; a task never trained.",
        bars=(Bar(score="box_miou", relation="at least", value=0.45),),
    ),
)
