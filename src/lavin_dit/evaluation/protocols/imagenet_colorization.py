"""The paper's colorization: 1,000 photos of ImageNet's validation set."""

from lavin_dit.evaluation.places import imagenet_places
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.scorers import score_picture
from lavin_dit.vision.tasks.colorization import Colorization

PROTOCOLS = (
    Protocol(
        name="imagenet-colorization",
        task=Colorization(),
        places=imagenet_places,
        scorer=score_picture,
        primary="mse_imagenet",
        baselines=("input", "copy-context", "mean-context"),
        summary="Colours of 1,000 grey photos.",
        num_queries=1000,
        paper={"mse_imagenet": 0.24, "lpips": 0.26},
        source="Table 1",
    ),
)
