"""What the pipeline answers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lavin_dit.pipeline.clips import Clip, save_clip
from lavin_dit.pipeline.fitting import to_bytes
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.results.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The target that the model predicts for one query."""

    name: str
    """The query's name."""
    pixels: Float[Tensor, "t 3 h w"] | None
    """Frames in [0, 1] at the query's own size, float32, with what was kept of the query
    (decisions 0021 to 0023); None if only the latent was asked for."""
    working_pixels: Float[Tensor, "t 3 y2 x2"] | None = None
    """The same at the working size without margins; around [0, 1]."""
    drawn_pixels: Float[Tensor, "t 3 y3 x3"] | None = None
    """The same at up to four times the working size, where it is drawn after the outlines of a
    larger query (decision 0023) and has not been read yet; otherwise None."""
    latent: Float[Tensor, "c s y x"]
    """Normalised latent, as sampled: without the query's detail."""
    frames_per_second: float | None
    """The query's speed, where it is known."""
    seed: int
    """What the noise was drawn from."""
    pair_names: tuple[str, ...]
    """The context pairs used."""
    result: Result | None = None
    """What was read from the picture, at the query's own size; None if no task was named."""

    @property
    def annotation(self) -> Annotation:
        """What was read from the picture, in the annotation's own units.

        Depth is right up to a scale and a shift, flow up to a scale: see the task.

        Raises:
            ValueError: If no task was named, or only the latent was asked for.
        """
        if self.result is None:
            raise ValueError(
                "the prediction was not read: name its task, as in "
                "pipe(query, task='depth_estimation')"
            )
        return self.result.annotation

    @property
    def clip(self) -> Clip:
        """The prediction as 8-bit frames.

        Raises:
            ValueError: If only the latent was asked for.
        """
        return Clip(
            frames=to_bytes(self._pixels()),
            frames_per_second=self.frames_per_second,
            name=self.name,
        )

    @property
    def image(self) -> Image.Image:
        """The prediction as an image.

        Raises:
            ValueError: If it is a longer clip, or only the latent was asked for.
        """
        images = self.images
        if len(images) > 1:
            raise ValueError(f"the prediction is a clip of {len(images)} frames: use .images")
        return images[0]

    @property
    def images(self) -> list[Image.Image]:
        """The prediction as one image per frame.

        Raises:
            ValueError: If only the latent was asked for.
        """
        return [Image.fromarray(frame) for frame in self.clip.frames]

    @property
    def array(self) -> Float[np.ndarray, "t h w 3"]:
        """The prediction as float32 values in [0, 1], not rounded to 8 bits.

        Raises:
            ValueError: If only the latent was asked for.
        """
        return self._pixels().permute(0, 2, 3, 1).cpu().numpy()

    def save(self, path: Path | str) -> Path:
        """Save as an image, a video or a folder of frames; see `save_clip`.

        Raises:
            OSError: If it can't be written.
            ValueError: If the file's ending does not suit it, or only the latent was asked for.
        """
        return save_clip(self.clip, path)

    def _pixels(self) -> Float[Tensor, "t 3 h w"]:
        if self.pixels is None:
            raise ValueError("only the latent was asked for (output='latent'): there is no picture")
        return self.pixels
