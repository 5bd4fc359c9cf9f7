"""Latents of a folder of example pairs, in several views each: what a new task is learned from.

The first view of a pair is how the pipeline fits it at inference; the others are random windows,
the same for input and target, some of them mirrored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lavin_dit.data.augment import RandomFraming
from lavin_dit.pipeline.context import ContextPair, PairPaths, read_pairs
from lavin_dit.pipeline.fitting import Canvas, fit_frames, pad_to_whole_groups, place
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.training.batches import encode_pixels
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSettings:
    """How views of a pair are drawn.

    Raises:
        ValueError: If a number is out of range.
    """

    num_views: int
    """Views of each pair, the fitted one included."""
    min_area: float
    """Smallest share of a picture that a random window keeps."""
    flip: bool
    """Whether half of the windows are mirrored; wrong for a task that tells left from right."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.num_views < 1:
            raise ValueError(f"num_views must be at least 1, got {self.num_views}")
        if not 0 < self.min_area <= 1:
            raise ValueError(f"min_area must lie in (0, 1], got {self.min_area}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairLatents:
    """Normalised latents of pairs.

    Attributes:
        names: Name of each pair.
        inputs: Latents of the inputs, by pair and view.
        targets: Latents of the targets.
    """

    names: tuple[str, ...]
    inputs: Float[Tensor, "p v c s h w"]
    targets: Float[Tensor, "p v c t h w"]

    def fitted(self) -> "PairLatents":
        """The first view of each pair alone."""
        return replace(self, inputs=self.inputs[:, :1], targets=self.targets[:, :1])


def encode_pairs(
    paths: Sequence[PairPaths],
    st_vae: STVAE,
    *,
    canvas: Canvas,
    settings: ViewSettings,
    seed: int,
    on_pair: Callable[[], object] | None = None,
) -> PairLatents:
    """Read pairs one by one, draw their views, and encode those.

    Args:
        paths: Where the pairs are.
        st_vae: The autoencoder, on the device that is to compute.
        canvas: Working size.
        settings: How views are drawn.
        seed: What they are drawn from.
        on_pair: Called after each pair.

    Returns:
        Modes of the posteriors, on the CPU.

    Raises:
        ValueError: If a pair can't be read, or pairs differ in their numbers of frames.
    """
    latents: dict[str, list[Tensor]] = {"input": [], "target": []}
    for number, path in enumerate(paths):
        pair = read_pairs([path])[0]
        for half, views in _views(pair, canvas, settings, seed=[seed, number]).items():
            latents[half].append(encode_pixels(st_vae, views).cpu())
        for half, of_half in latents.items():
            if of_half[-1].shape != of_half[0].shape:
                raise ValueError(
                    f"all pairs must have as many frames: the {half} of {path.name} makes "
                    f"{of_half[-1].shape[2]} latent frames, that of {paths[0].name} "
                    f"{of_half[0].shape[2]}; cut the clips to one length"
                )
        if on_pair is not None:
            on_pair()
    return PairLatents(
        names=tuple(path.name for path in paths),
        inputs=torch.stack(latents["input"]),
        targets=torch.stack(latents["target"]),
    )


def _views(
    pair: ContextPair, canvas: Canvas, settings: ViewSettings, *, seed: list[int]
) -> dict[str, UInt8[np.ndarray, "v t h w 3"]]:
    """Views of both halves of a pair."""
    size = Size(height=pair.input.size[0], width=pair.input.size[1])
    framing = RandomFraming(
        size=Size(height=canvas.height, width=canvas.width),
        min_area=settings.min_area,
        max_stretch=1.0,
        flip=settings.flip,
    )
    views: dict[str, UInt8[np.ndarray, "v t h w 3"]] = {}
    for half, clip in (("input", pair.input), ("target", pair.target)):
        frames = pad_to_whole_groups(clip.frames, group=STVAE.TEMPORAL_COMPRESSION)
        # Windows are drawn in the input's pixels, so that both halves are cut alike.
        sample = Sample(rgb=Rgb(pixels=frames).resize(size), name=pair.name)
        drawn = [fit_frames(frames, place(clip.size, canvas=canvas, fit="pad"))]
        for view in range(1, settings.num_views):
            framed = framing(sample, generator=np.random.default_rng([*seed, view]))
            drawn.append(framed.rgb.pixels)
        views[half] = np.stack(drawn)
    return views
