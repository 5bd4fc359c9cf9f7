"""Running a network that gives a number or more for each pixel of a picture."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.data.sessions import Session, open_session
from lavin_dit.vision.geometry import Size, resize_linear

Numbers = tuple[float, float, float]
IMAGENET_MEAN: Numbers = (123.675, 116.28, 103.53)
IMAGENET_STD: Numbers = (58.395, 57.12, 57.375)


@dataclass(frozen=True, kw_only=True)
class OnnxNetwork:
    """A network that gives one or more numbers for each pixel of a picture.

    A frame is resized to the size that the network wants, ``(level - mean) / std`` is taken by
    channel, red first, and it enters as float32 of shape (1, 3, height, width). The first output,
    of shape (1, c, h, w) or (1, h, w), is resized back to the frame.

    Attributes:
        path: The ONNX file.
        input_size: Size that the network takes.
        mean: Level that becomes 0, by channel.
        std: Levels that become 1, by channel.
        fit: ``stretch`` changes the proportions of a frame to fill the input; ``pad`` keeps them
            and fills the rest with the mean.
        threads: Threads to compute with; as many as there are cores for 0.
    """

    path: Path
    input_size: Size
    mean: Numbers
    std: Numbers
    fit: Literal["stretch", "pad"] = "stretch"
    threads: int = 0

    @cached_property
    def _session(self) -> Session:
        """The network, opened when it is first used."""
        return open_session(self.path, threads=self.threads)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open network behind on the way into a worker process."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __call__(self, frame: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w c"]:
        """Run the network on one frame.

        Args:
            frame: Levels.

        Returns:
            The first output, at the frame's size.

        Raises:
            ValueError: If the output is not a picture.
        """
        height, width = frame.shape[:2]
        inner = self._inner_size(Size(height=height, width=width))
        levels = resize_linear(frame[None].astype(np.float32), inner)[0]
        normal = (levels - np.array(self.mean)) / np.array(self.std)
        top = (self.input_size.height - inner.height) // 2
        left = (self.input_size.width - inner.width) // 2
        rows, columns = slice(top, top + inner.height), slice(left, left + inner.width)
        entry = np.zeros((1, 3, self.input_size.height, self.input_size.width), dtype=np.float32)
        entry[0, :, rows, columns] = np.moveaxis(normal, -1, 0)
        output = self._session.run(None, {self._session.get_inputs()[0].name: entry})[0]
        channels_last = self._as_field(output)[:, rows, columns]
        return resize_linear(channels_last, Size(height=height, width=width))[0]

    def _inner_size(self, frame: Size) -> Size:
        """The size at which a frame enters."""
        if self.fit == "stretch":
            return self.input_size
        scale = min(self.input_size.height / frame.height, self.input_size.width / frame.width)
        return Size(
            height=max(1, round(frame.height * scale)), width=max(1, round(frame.width * scale))
        )

    def _as_field(self, output: np.ndarray) -> Float32[np.ndarray, "1 h w c"]:
        """The output as a picture of the input's size."""
        if output.ndim not in (3, 4) or output.shape[0] != 1:
            raise ValueError(
                f"{self.path} gives an output of shape {output.shape}; (1, c, h, w) or (1, h, w) "
                "is needed"
            )
        channels = output if output.ndim == 4 else output[:, None]
        last = np.moveaxis(channels, 1, -1).astype(np.float32)
        return resize_linear(last, self.input_size)
