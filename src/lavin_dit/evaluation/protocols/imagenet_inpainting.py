"""The paper's inpainting: a square of half the side, in 1,000 photos of ImageNet's validation set.

The paper's main text says 2,500 photos, its section B.2 says 1,000: ``--num-queries 2500``.
"""

from lavin_dit.evaluation.places import imagenet_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.inpainting import Inpainting

PROTOCOLS = (
    Protocol(
        name="imagenet-inpainting",
        task=Inpainting(kinds=("square",), levels=(0,)),
        places=imagenet_places,
        scorer=score_picture,
        primary="psnr_db",
        baselines=("input", "copy-context", "mean-context"),
        summary="A black square of half the side, 128 of 256 pixels, filled in 1,000 photos.",
        num_queries=1000,
        paper={"fid": 1.65},
        source="Table 2",
    ),
)
