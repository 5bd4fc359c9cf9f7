"""Samples as members of a tar file, and back.

``000000012.json`` says what the sample is; ``000000012.rgb.jpg`` (or ``.png``, ``.webp``) is an
image, ``000000012.rgb.0000.jpg`` and so on a clip's frames; ``000000012.depth.npz`` and the like
hold the arrays of an annotation under the names of its fields. Annotations are stored exactly;
pictures exactly or as high quality JPEG.
"""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lavin_dit.data.tar_members import members_of
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

PictureFormat = Literal["jpg", "png", "webp"]

# Smaller files and less colour error than Pillow's defaults; webp and png are lossless.
_SAVING: dict[PictureFormat, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    "png": {"format": "PNG", "compress_level": 6},
    "webp": {"format": "WEBP", "lossless": True},
}

_KINDS: tuple[type[Any], ...] = (
    Boxes, Depth, Edges, Flow, Instances, Keypoints, Mask, Normals, Panoptic,
)  # fmt: skip
KINDS: Mapping[str, type[Any]] = {kind.__name__.lower(): kind for kind in _KINDS}
"""The kinds of annotation that shards can hold, by the name that their members bear."""


class SampleFormatError(ValueError):
    """The members of a sample do not make a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureEncoding:
    """How pictures are stored.

    Attributes:
        format: ``jpg`` for quality 95 without colour subsampling, which suits photos; ``png`` or
            ``webp`` for the very pixels, which suit rendered pictures.
        max_short_side_px: Samples whose shorter side is longer are shrunk to it, annotations and
            all; None keeps them as they are.
    """

    format: PictureFormat = "jpg"
    max_short_side_px: int | None = None

    def __post_init__(self) -> None:
        """Check the side."""
        if self.max_short_side_px is not None and self.max_short_side_px < 16:
            raise ValueError(f"max_short_side_px must be at least 16, got {self.max_short_side_px}")


def kind_name(kind: type[object]) -> str:
    """What the members of a kind of annotation are called.

    Args:
        kind: Its class.

    Returns:
        Its name, such as ``depth``.

    Raises:
        ValueError: If shards cannot hold it.
    """
    name = kind.__name__.lower()
    if KINDS.get(name) is not kind:
        raise ValueError(f"shards cannot hold {kind.__name__}; they hold {', '.join(KINDS)}")
    return name


def sample_to_members(
    sample: Sample, *, key: str, encoding: PictureEncoding
) -> list[tuple[str, bytes]]:
    """A sample as tar members.

    Args:
        sample: Any sample.
        key: What their names begin with; without dots.
        encoding: How to store the pictures.

    Returns:
        Name and contents of each member.
    """
    sample = _shrunk(sample, encoding.max_short_side_px)
    kinds = {kind_name(type(annotation)): annotation for annotation in sample.annotations}
    facts = {
        "name": sample.name,
        "num_frames": sample.shape.num_frames,
        "height": sample.shape.height,
        "width": sample.shape.width,
        "kinds": list(kinds),
    }
    members = [(f"{key}.json", json.dumps(facts).encode())]
    for frame, pixels in enumerate(sample.rgb.pixels):
        name = _frame_name(frame, sample.shape.num_frames, encoding.format)
        members.append((f"{key}.{name}", _encode(pixels, encoding.format)))
    members += [
        (f"{key}.{name}.npz", _arrays_to_bytes(annotation)) for name, annotation in kinds.items()
    ]
    return members


def sample_from_members(
    block: bytes, *, kinds: Sequence[type[object]], format: PictureFormat
) -> Sample:
    """A sample from its tar members.

    Args:
        block: The members with their headers.
        kinds: The kinds of annotation to decode.
        format: How the pictures are stored.

    Returns:
        The sample.

    Raises:
        SampleFormatError: If members are missing or cannot be decoded.
    """
    try:
        members = members_of(block)
        facts = json.loads(bytes(members["json"]))
        frames = [
            _decode(members[_frame_name(frame, facts["num_frames"], format)])
            for frame in range(facts["num_frames"])
        ]
        annotations = tuple(_from_arrays(kind, members[f"{kind_name(kind)}.npz"]) for kind in kinds)
        pixels = frames[0][None] if len(frames) == 1 else np.stack(frames)
        return Sample(rgb=Rgb(pixels=pixels), annotations=annotations, name=facts["name"])
    except KeyError as error:
        raise SampleFormatError(f"member {error} is missing") from error
    except (OSError, EOFError, SyntaxError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise SampleFormatError(str(error)) from error


def _frame_name(frame: int, num_frames: int, format: PictureFormat) -> str:
    return f"rgb.{format}" if num_frames == 1 else f"rgb.{frame:04d}.{format}"


def _shrunk(sample: Sample, max_short_side: int | None) -> Sample:
    """The sample, with its shorter side at most that long."""
    height, width = sample.shape.height, sample.shape.width
    if max_short_side is None or min(height, width) <= max_short_side:
        return sample
    scale = max_short_side / min(height, width)
    return sample.resize(Size(height=round(height * scale), width=round(width * scale)))


def _encode(pixels: UInt8[np.ndarray, "h w 3"], format: PictureFormat) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, **_SAVING[format])
    return file.getvalue()


def _decode(data: memoryview) -> UInt8[np.ndarray, "h w 3"]:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB") if picture.mode != "RGB" else picture)


def _arrays_to_bytes(annotation: Annotation) -> bytes:
    """The arrays of a record as an npz file: what counts is deflated, what measures is not.

    Labels shrink to a few percent; the low bits of floats do not shrink, and inflating them would
    take most of the time of loading.
    """
    file = io.BytesIO()
    assert dataclasses.is_dataclass(annotation)
    with zipfile.ZipFile(file, "w") as archive:
        for field in dataclasses.fields(annotation):
            value = getattr(annotation, field.name)
            if isinstance(value, Size):
                value = np.array([value.height, value.width], dtype=np.int64)
            measured = np.issubdtype(value.dtype, np.floating)
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(value), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{field.name}.npy"),  # without a date: the same bytes every time
                buffer.getvalue(),
                zipfile.ZIP_STORED if measured else zipfile.ZIP_DEFLATED,
            )
    return file.getvalue()


def _from_arrays(kind: type[Any], data: memoryview) -> Annotation:
    """The record of a kind."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        fields: dict[str, Any] = {
            field.name: arrays[field.name] for field in dataclasses.fields(kind)
        }
    if "size" in fields:
        height, width = fields["size"].tolist()
        fields["size"] = Size(height=height, width=width)
    return kind(**fields)
