"""A perceptual network as the judge of likeness, whose scores bear its name only if it is it."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from lavin_dit.evaluation.question import Clip
from lavin_dit.perceptual.inception import FIDInception
from lavin_dit.perceptual.loading import load_fid_network, load_perceptual
from lavin_dit.perceptual.network import PerceptualNetwork, perceptual_distance


class PerceptualEye:
    """Judges likeness by networks that were trained on photos.

    Attributes:
        network: Tells how different two pictures look.
        set_network: Gives the vectors by which sets of pictures are compared: the FID's own network
            where its weights are there, else the same one.
    """

    def __init__(self, path: Path) -> None:
        """Load the network.

        Args:
            path: A file or folder of weights, see ``load_perceptual`` and ``load_fid_network``.

        Raises:
            FileNotFoundError: If there are no weights.
            ValueError: If they are of no network that is known.
        """
        self.network: PerceptualNetwork = load_perceptual(path)
        self.set_network: PerceptualNetwork = load_fid_network(path) or self.network

    @property
    def name(self) -> str:
        """What the networks are, such as ``lpips-vgg16, fid-inception``."""
        return ", ".join(dict.fromkeys((self.network.name, self.set_network.name)))

    @property
    def distance_name(self) -> str:
        """``lpips`` where the network carries that score's own weights, else ``lpips_like``."""
        return "lpips" if self.network.channel_weights is not None else "lpips_like"

    @property
    def set_distance_name(self) -> str:
        """``fid`` where the vectors are those of its own network, else ``fid_like``."""
        return "fid" if isinstance(self.set_network, FIDInception) else "fid_like"

    def distance(self, predicted: Clip, truth: Clip) -> float:
        """How different two clips look, the mean over frames."""
        with torch.no_grad():
            distances = perceptual_distance(self.network, _pixels(predicted), _pixels(truth))
        return float(distances.mean())

    def features(self, clip: Clip) -> Float[np.ndarray, "t d"]:
        """A vector for each frame."""
        with torch.no_grad():
            return self.set_network.pooled(_pixels(clip)).float().numpy()


def _pixels(clip: Clip) -> Float[Tensor, "t 3 h w"]:
    """Pixels as the network takes them, in [-1, 1]."""
    frames = torch.from_numpy(np.require(clip, requirements=["C", "W"]))
    return rearrange(frames, "t h w c -> t c h w").float() / 127.5 - 1.0
