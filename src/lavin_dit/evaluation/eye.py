"""A perceptual network as the judge of likeness, whose scores bear its name only if it is it."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from lavin_dit.evaluation.question import Clip
from lavin_dit.perceptual.loading import load_perceptual
from lavin_dit.perceptual.network import PerceptualNetwork, perceptual_distance


class PerceptualEye:
    """Judges likeness by a network that was trained on photos.

    Attributes:
        network: The network.
    """

    def __init__(self, path: Path) -> None:
        """Load the network.

        Args:
            path: A file or folder of weights, see ``load_perceptual``.

        Raises:
            FileNotFoundError: If there are no weights.
            ValueError: If they are of no network that is known.
        """
        self.network: PerceptualNetwork = load_perceptual(path)

    @property
    def name(self) -> str:
        """What the network is, such as ``efficientnet-lite0``."""
        return self.network.name

    @property
    def distance_name(self) -> str:
        """``lpips`` where the network carries that score's own weights, else ``lpips_like``."""
        return "lpips" if self.network.channel_weights is not None else "lpips_like"

    def distance(self, predicted: Clip, truth: Clip) -> float:
        """How different two clips look, the mean over frames."""
        with torch.no_grad():
            distances = perceptual_distance(self.network, _pixels(predicted), _pixels(truth))
        return float(distances.mean())

    def features(self, clip: Clip) -> Float[np.ndarray, "t d"]:
        """A vector for each frame."""
        with torch.no_grad():
            return self.network.pooled(_pixels(clip)).float().numpy()


def _pixels(clip: Clip) -> Float[Tensor, "t 3 h w"]:
    """Pixels as the network takes them, in [-1, 1]."""
    frames = torch.from_numpy(np.require(clip, requirements=["C", "W"]))
    return rearrange(frames, "t h w c -> t c h w").float() / 127.5 - 1.0
