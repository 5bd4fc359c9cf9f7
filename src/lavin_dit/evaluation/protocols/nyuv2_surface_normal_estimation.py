"""The paper's surface normal estimation: the 654 test pictures of NYU Depth V2.

Its numbers are of published normals, which ``nyuv2/normals`` may hold; those computed from depth,
which are taken otherwise, are another truth, and scores on them cannot be compared with papers.
"""

from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.samples import InOrder, Joined, Places
from lavin_dit.evaluation.scorers import score_nyuv2_normals
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.task import AnyTask
from lavin_dit.vision.tasks.surface_normal_estimation import SurfaceNormalEstimation


def _places(library: Library, task: AnyTask) -> Places:
    """The test pictures in order; examples are of the training set."""
    del task
    source = Joined(
        library.nyuv2(split="train", kinds=(Normals,)),
        library.nyuv2(split="test", kinds=(Normals,)),
    )
    return InOrder(source=source, queries=source.second, among=source.first)


PROTOCOLS = (
    Protocol(
        name="nyuv2-surface_normal_estimation",
        task=SurfaceNormalEstimation(),
        places=_places,
        scorer=score_nyuv2_normals,
        primary="mean_deg",
        baselines=("input", "copy-context", "mean-context"),
        summary="Surface normals of the 654 test pictures.",
        num_queries=654,
        stretched=True,
        paper={"mean_deg": 15.901, "below_11.25": 0.58382},
        source="Table 2",
    ),
)
