"""Making the files of a prepared folder out of pictures: photos, and cut-outs with their alpha."""

import io
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from lavin_dit.datasets.real.manifest import Entry
from lavin_dit.datasets.real.preparation import Member, UnusableFileError
from lavin_dit.vision.upright import turned_upright

_log = logging.getLogger(__name__)

_KEPT_FORMATS = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_JPEG_QUALITY = 95
_SAME_BITS = 6  # fingerprints of one photo at two sizes differ in at most 6 of 64 bits
_OPAQUE, _TRANSPARENT = 243, 12
STAMP_ROOT = "/stamps/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoEntry(Entry):
    """A photo.

    Attributes:
        fingerprint: 64 bits in hexadecimal digits that hardly change when a photo is resized.
    """

    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoutEntry(Entry):
    """A picture of one thing, with alpha.

    Attributes:
        label: What it shows, in English, as the package says; empty if it does not.
        category: The folder that the package sorts it into, such as ``animals/birds``.
    """

    label: str
    category: str


@dataclass(slots=True, kw_only=True)
class PhotoConverter:
    """Keeps photos as they are, or shrinks them and writes them as JPEG once.

    Attributes:
        max_side: Longest side in pixels; larger photos are shrunk.
        min_side: Shortest side in pixels; smaller photos are not used.
    """

    max_side: int = 1024
    min_side: int = 160
    _fingerprints: list[int] = field(default_factory=list[int], init=False)

    def __post_init__(self) -> None:
        """Refuse sizes that no photo can have."""
        if not 1 <= self.min_side <= self.max_side:
            raise ValueError(f"sides must fulfil 1 <= min <= max, got {self}")

    @property
    def kind(self) -> type[PhotoEntry]:
        """Photos."""
        return PhotoEntry

    @property
    def settings(self) -> Mapping[str, int]:
        """The two sizes."""
        return {"max_side": self.max_side, "min_side": self.min_side}

    def remember(self, entry: PhotoEntry) -> None:
        """Do not take this photo a second time."""
        self._fingerprints.append(int(entry.fingerprint, 16))

    def convert(self, member: Member, output: Path) -> list[PhotoEntry]:
        """Write one photo.

        Args:
            member: The photo in its package.
            output: The prepared folder.

        Returns:
            Its entry.

        Raises:
            UnusableFileError: If it is corrupt, grey, transparent, too small, or there already.
        """
        picture = _load(member.content)
        upright = turned_upright(picture)
        if _is_transparent(upright) or _is_grey(upright):
            raise UnusableFileError("grey or transparent")
        if min(upright.size) < self.min_side:
            raise UnusableFileError(f"shorter side below {self.min_side} pixels")
        fingerprint = fingerprint_of(upright)
        if any((fingerprint ^ other).bit_count() <= _SAME_BITS for other in self._fingerprints):
            raise UnusableFileError("shows the same as another photo")
        kept = upright.size == picture.size and max(upright.size) <= self.max_side
        if kept and picture.mode == "RGB" and picture.format in _KEPT_FORMATS:
            path = member.path(_KEPT_FORMATS[picture.format])
            content, size = member.content, picture.size
        else:
            path = member.path(".jpg")
            content, size = self._shrunk(upright)
        self._fingerprints.append(fingerprint)
        checksum = member.save(content, output, path)
        return [
            PhotoEntry(
                **provenance(member),
                path=path,
                split=member.split,
                height=size[1],
                width=size[0],
                sha256=checksum,
                fingerprint=f"{fingerprint:016x}",
            )
        ]

    def _shrunk(self, picture: Image.Image) -> tuple[bytes, tuple[int, int]]:
        """The photo as JPEG, no side longer than allowed, and its size."""
        colour = picture.convert("RGB")
        colour.thumbnail((self.max_side, self.max_side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        colour.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return buffer.getvalue(), colour.size


@dataclass(slots=True, kw_only=True)
class CutoutConverter:
    """Keeps photographic cut-outs as they are; drawings are told by how few colours they have.

    Attributes:
        min_colours: Number of different colours below which a picture counts as drawn.
        min_colour_share: Different colours per opaque pixel below which it does.
        max_soft_share: Share of half transparent pixels above which its outline is not clear.
        max_cover: Share of opaque pixels above which it has no outline.
        min_side: Shortest side in pixels.
    """

    min_colours: int = 1500
    min_colour_share: float = 0.25
    max_soft_share: float = 0.35
    max_cover: float = 0.97
    min_side: int = 40
    _taken: Counter[str] = field(default_factory=Counter[str], init=False)

    @property
    def kind(self) -> type[CutoutEntry]:
        """Cut-outs."""
        return CutoutEntry

    @property
    def settings(self) -> Mapping[str, int | float]:
        """What decides which pictures are used."""
        return {
            "min_colours": self.min_colours,
            "min_colour_share": self.min_colour_share,
            "max_soft_share": self.max_soft_share,
            "max_cover": self.max_cover,
            "min_side": self.min_side,
        }

    def remember(self, entry: CutoutEntry) -> None:
        """Do not take this picture a second time."""
        self._taken[entry.sha256] += 1

    def convert(self, member: Member, output: Path) -> list[CutoutEntry]:
        """Write one cut-out.

        Args:
            member: The picture in its package.
            output: The prepared folder.

        Returns:
            Its entry.

        Raises:
            UnusableFileError: If it is corrupt, without outline, drawn, too small, or there
                already.
        """
        picture = _load(member.content)
        if not _is_transparent(picture):
            raise UnusableFileError("no transparent pixel")
        pixels = np.asarray(picture.convert("RGBA"))
        self._check(pixels)
        path = member.path(".png")
        # The alpha is the annotation, so it is written again without any loss.
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        checksum = member.save(buffer.getvalue(), output, path)
        self._taken[checksum] += 1
        if self._taken[checksum] > 1:
            (output / path).unlink()
            raise UnusableFileError("shows the same as another cut-out")
        folder = str(PurePosixPath(member.name.partition(STAMP_ROOT)[2]).parent)
        return [
            CutoutEntry(
                **provenance(member),
                path=path,
                split=member.split,
                height=pixels.shape[0],
                width=pixels.shape[1],
                sha256=checksum,
                label=_label(member),
                category=folder,
            )
        ]

    def _check(self, pixels: UInt8[np.ndarray, "h w 4"]) -> None:
        """Refuse what is no photograph of one thing with a clear outline."""
        alpha = pixels[..., 3]
        if min(pixels.shape[:2]) < self.min_side:
            raise UnusableFileError(f"shorter side below {self.min_side} pixels")
        opaque: Bool[np.ndarray, "h w"] = alpha > _OPAQUE
        touched = int((alpha > _TRANSPARENT).sum())
        if not opaque.any() or 1 - opaque.sum() / touched > self.max_soft_share:
            raise UnusableFileError("outline not clear")
        if (alpha >= 128).mean() > self.max_cover:
            raise UnusableFileError("no outline")
        colours = len(np.unique(pixels[opaque][:, :3], axis=0))
        if colours < max(self.min_colours, self.min_colour_share * int(opaque.sum())):
            raise UnusableFileError("drawn, by its number of colours")


def provenance(member: Member) -> dict[str, str]:
    """Those fields of an entry that say where a file comes from."""
    return {
        "identity": member.identity,
        "client": member.fetched.package.client,
        "package": member.fetched.package.name,
        "version": member.fetched.version,
        "member": member.name,
        "licence": member.licence.name,
        "attribution": member.licence.attribution,
        "licence_stated_in": member.licence.stated_in,
    }


def fingerprint_of(picture: Image.Image) -> int:
    """64 bits: whether each of 8 x 8 fields of a photo is darker than its right neighbour.

    Args:
        picture: Any picture.

    Returns:
        The bits; those of one photo at two sizes, or saved twice, hardly differ.
    """
    grey = picture.convert("L").resize((9, 8), Image.Resampling.BOX)
    values = np.asarray(grey, dtype=np.int16)
    bits = (values[:, 1:] > values[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _load(content: bytes) -> Image.Image:
    """A picture, decoded to its last pixel."""
    try:
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnusableFileError("corrupt") from error
    return picture


def _is_transparent(picture: Image.Image) -> bool:
    """Whether any pixel lets something through."""
    if not picture.has_transparency_data:
        return False
    low, _ = picture.convert("RGBA").getchannel("A").getextrema()
    return float(np.min(low)) < 255


def _is_grey(picture: Image.Image) -> bool:
    """Whether a photo has no colour worth the name."""
    small = picture.convert("RGB").resize((64, 64), Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.int16)
    return bool(np.ptp(values, axis=-1).mean() < 2)


def _label(member: Member) -> str:
    """The first line of the text file beside a stamp."""
    text = member.beside.get(member.name.rpartition(".")[0] + ".txt", b"")
    return text.decode("utf-8", errors="replace").strip().partition("\n")[0].strip().rstrip(".")
