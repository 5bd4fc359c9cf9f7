"""What comes out of the pipeline, as users of diffusers know it."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from diffusers.utils.outputs import BaseOutput
from PIL import Image
from torch import Tensor

from lavin_dit.pipeline.prediction import Prediction

OutputType = Literal["pil", "np", "pt", "latent"]


@dataclass
class LavinDiTPipelineOutput(BaseOutput):
    """What the pipeline answers."""

    frames: Any
    """A list with one entry for each query. Of the query's own size are those of ``pil``, a list of
    images, a single one for a picture; of ``np``, an array ``t h w 3`` of values in [0, 1]; and of
    ``pt``, a tensor ``t 3 h w`` of the same. Those of ``latent`` are normalised latents ``c s y x``
    as they were sampled."""


def check_output_type(output_type: str) -> None:
    """Check what a user asks for.

    Raises:
        ValueError: If it is unknown.
    """
    if output_type not in get_args(OutputType):
        raise ValueError(
            f"output_type must be one of {', '.join(get_args(OutputType))}, got {output_type!r}"
        )


def convert(
    prediction: Prediction, output_type: OutputType
) -> list[Image.Image] | np.ndarray | Tensor | None:
    """Turn a prediction into what was asked for.

    Args:
        prediction: The core's answer.
        output_type: See `LavinDiTPipelineOutput`.
    """
    match output_type:
        case "pil":
            return prediction.images
        case "np":
            return prediction.array
        case "pt":
            return prediction.pixels
        case "latent":
            return prediction.latent
