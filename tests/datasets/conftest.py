"""Writing small files of the layouts that publishers ship."""

import struct
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from lavin_dit.datasets.tfrecord import masked_checksum


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


def varint(value):
    """An integer as protobuf writes it."""
    value %= 1 << 64
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*octets, value])


def field(number, data):
    """A protobuf field of known length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def feature(values):
    """A ``tf.train.Feature``, from the definition of the message."""
    if isinstance(values, list):
        return field(1, b"".join(field(1, value) for value in values))
    if values.dtype.kind == "f":
        return field(2, field(1, values.astype("<f4").tobytes()))
    return field(3, field(1, b"".join(map(varint, values.ravel().tolist()))))


def example(features):
    """A ``tf.train.Example``."""
    entries = (
        field(1, field(1, name.encode()) + field(2, feature(values)))
        for name, values in features.items()
    )
    return field(1, b"".join(entries))


@pytest.fixture
def protobuf():
    """How messages are written: ``varint``, ``field`` and ``example``."""
    return SimpleNamespace(varint=varint, field=field, example=example)


@pytest.fixture
def write_tfrecord():
    """Write examples, or raw records, into a TFRecord file."""

    def write(path, records):
        with path.open("wb") as file:
            for record in records:
                data = record if isinstance(record, bytes) else example(record)
                header = struct.pack("<Q", len(data))
                file.write(header + struct.pack("<I", masked_checksum(header)))
                file.write(data + struct.pack("<I", masked_checksum(data)))

    return write
