"""Writing small files of the layouts that publishers ship."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_photo():
    """Write a photo without loss, whatever its name ends in, and return its pixels."""

    def write(path: Path, *, height: int, width: int, seed: int = 0, mode: str = "RGB"):
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).convert(mode)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, format="PNG")
        return np.array(picture.convert("RGB"))

    return write


@pytest.fixture
def write_labels():
    """Write a label picture: 8 bits, 16 bits, or three channels."""

    def write(path: Path, numbers):
        numbers = np.asarray(numbers)
        path.parent.mkdir(parents=True, exist_ok=True)
        wide = numbers.ndim == 2 and numbers.max() > 255
        Image.fromarray(numbers.astype(np.uint16 if wide else np.uint8)).save(path, format="PNG")

    return write


@pytest.fixture
def write_video():
    """Write a video whose frame number can be read from its brightness."""

    def write(path: Path, *, frames: int, height: int = 48, width: int = 80, rate: int = 25):
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuv420p"
            stream.bit_rate = 2_000_000
            for number in range(frames):
                pixels = np.full((height, width, 3), 10 + 5 * number, dtype=np.uint8)
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)

    return write


@pytest.fixture
def frame_numbers():
    """The numbers of a clip's frames, from their brightness."""

    def read(rgb):
        return [round((float(frame.mean()) - 10) / 5) for frame in rgb.pixels]

    return read
