"""The paper's depth estimation: the 654 test pictures of NYU Depth V2.

Examples come from its training pictures. Prediction and truth are compared at the full size, inside
Eigen's crop, where depth was measured and is at most 10 m.
"""

from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.samples import InOrder, Joined, Places
from lavin_dit.evaluation.scorers import score_nyuv2_depth
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.task import AnyTask
from lavin_dit.vision.tasks.depth_estimation import DepthEstimation


def _places(library: Library, task: AnyTask) -> Places:
    """The test pictures in order; examples are of the training set, their holes filled."""
    del task
    source = Joined(
        library.nyuv2(split="train", kinds=(Depth,), depth="filled"),
        library.nyuv2(split="test", kinds=(Depth,), depth="measured"),
    )
    return InOrder(source=source, queries=source.second, among=source.first)


PROTOCOLS = (
    Protocol(
        name="nyuv2-depth_estimation",
        task=DepthEstimation(),
        places=_places,
        scorer=score_nyuv2_depth,
        primary="abs_rel_lstsq",
        baselines=("input", "copy-context", "mean-context"),
        summary="Depth of the 654 test pictures, up to scale and shift.",
        num_queries=654,
        stretched=True,
        paper={"abs_rel_lstsq": 0.062, "delta1_lstsq": 0.961},
        source="Table 2",
    ),
)
