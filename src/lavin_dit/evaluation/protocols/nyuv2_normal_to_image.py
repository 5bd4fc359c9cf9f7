"""The paper's normal-to-image: all 1,449 pictures of NYU Depth V2.

The paper paints pseudo labels of other networks; here normals of the data set are painted.
"""

from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.samples import InOrder, Places
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.task import AnyTask
from lavin_dit.vision.tasks.normal_to_image import NormalToImage


def _places(library: Library, task: AnyTask) -> Places:
    """All pictures in order; examples are any others."""
    del task
    return InOrder(source=library.nyuv2(split="all", kinds=(Normals,)))


PROTOCOLS = (
    Protocol(
        name="nyuv2-normal_to_image",
        task=NormalToImage(),
        places=_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("copy-context", "mean-context"),
        summary="Pictures that have the surface normals of 1,449 rooms.",
        num_queries=1449,
        stretched=True,
    ),
)
