"""Making the files of a prepared folder out of films: one short file for each shot.

Shots are written once more, in H.264 with a picture of its own every few frames, so that a training
run finds any frame at once; a film as it is shipped must be decoded from far before.
"""

import io
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path, PurePosixPath

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8

from lavin_dit.datasets.real.catalogue import FILM_SECONDS
from lavin_dit.datasets.real.manifest import Entry, Split
from lavin_dit.datasets.real.photo_files import provenance
from lavin_dit.datasets.real.preparation import Member, UnusableFileError
from lavin_dit.datasets.real.shots import (
    THUMBNAIL_HEIGHT,
    THUMBNAIL_WIDTH,
    ShotRule,
    find_shots,
)

_log = logging.getLogger(__name__)

_KEY_FRAME_EVERY = 12
_QUALITY = "18"  # H.264's constant rate factor: 0 is lossless, 23 usual
_PART_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotEntry(Entry):
    """One shot of a film.

    Attributes:
        first_frame: Its first frame in the film.
        num_frames: Number of frames.
        frames_per_second: How fast it was shot.
    """

    first_frame: int
    num_frames: int
    frames_per_second: float


def split_of_part(part: int) -> Split:
    """The split of a part of a long film: of ten, the fifth validates and the tenth tests."""
    match part % 10:
        case 4:
            return "validation"
        case 9:
            return "test"
        case _:
            return "train"


@dataclass(slots=True, kw_only=True)
class ClipConverter:
    """Cuts films into shots.

    Attributes:
        max_side: Longest side in pixels; larger films are shrunk.
        rule: When a change is a cut.
    """

    max_side: int = 640
    rule: ShotRule = field(default_factory=ShotRule)

    def __post_init__(self) -> None:
        """Refuse sizes that the codec does not know."""
        if self.max_side < 16:
            raise ValueError(f"max_side must be at least 16, got {self.max_side}")

    @property
    def kind(self) -> type[ShotEntry]:
        """Shots."""
        return ShotEntry

    @property
    def settings(self) -> Mapping[str, int | float]:
        """The size, and when a change is a cut."""
        return {
            "max_side": self.max_side,
            **asdict(self.rule),
        }

    def remember(self, entry: ShotEntry) -> None:
        """Nothing to remember: shots are told apart by film and frame."""

    def convert(self, member: Member, output: Path) -> list[ShotEntry]:
        """Write one film's shots.

        Args:
            member: The film in its package.
            output: The prepared folder.

        Returns:
            One entry for each shot.

        Raises:
            UnusableFileError: If the film is corrupt, or has no shot long enough.
        """
        film = PurePosixPath(member.name).stem
        try:
            rate, thumbnails = _thumbnails(member.content)
        except (FFmpegError, OSError, IndexError) as error:
            raise UnusableFileError("corrupt") from error
        start_s, stop_s = FILM_SECONDS.get(film, (0.0, float("inf")))
        first = round(start_s * rate)
        shown = thumbnails[first : round(min(stop_s * rate, len(thumbnails)))]
        shots = [(first + low, first + high) for low, high in find_shots(shown, rule=self.rule)]
        if not shots:
            raise UnusableFileError("no shot long enough")
        return self._write(member, output, shots, rate=rate)

    def _write(
        self, member: Member, output: Path, shots: list[tuple[int, int]], *, rate: Fraction
    ) -> list[ShotEntry]:
        """Decode the film once, and write each shot."""
        entries: list[ShotEntry] = []
        frames = enumerate(_decode(member.content))
        for low, high in shots:
            wanted = (frame for number, frame in frames if number >= low)
            content, height, width = _encode(wanted, high - low, rate=rate, max_side=self.max_side)
            path = member.path(".mp4", part=f"-{low:06d}")
            part = int(low / float(rate) / _PART_S)
            entries.append(
                ShotEntry(
                    **{**provenance(member), "identity": f"{member.identity}#{part}"},
                    path=path,
                    split="test" if member.evaluation_only else split_of_part(part),
                    height=height,
                    width=width,
                    sha256=member.save(content, output, path),
                    first_frame=low,
                    num_frames=high - low,
                    frames_per_second=float(rate),
                )
            )
        return entries


def _decode(content: bytes) -> Iterator[av.VideoFrame]:
    """The frames of a film."""
    with av.open(io.BytesIO(content), "r") as container:
        yield from container.decode(container.streams.video[0])


def _thumbnails(content: bytes) -> tuple[Fraction, UInt8[np.ndarray, "t h w 3"]]:
    """Frames per second, and all frames small."""
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or Fraction(25)
        frames = [
            frame.reformat(
                width=THUMBNAIL_WIDTH, height=THUMBNAIL_HEIGHT, format="rgb24"
            ).to_ndarray()
            for frame in container.decode(stream)
        ]
    empty = np.zeros((0, THUMBNAIL_HEIGHT, THUMBNAIL_WIDTH, 3), dtype=np.uint8)
    return rate, np.stack(frames) if frames else empty


def _encode(
    frames: Iterator[av.VideoFrame], count: int, *, rate: Fraction, max_side: int
) -> tuple[bytes, int, int]:
    """The next so many frames as a film of their own; content, height and width."""
    frame = next(frames)
    scale = min(1.0, max_side / max(frame.width, frame.height))
    # The colour planes have half the size, so both sides must be even.
    width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shot.mp4"
        with av.open(path, "w") as container:
            stream = container.add_stream(
                "libx264",
                rate=rate,
                options={"crf": _QUALITY, "g": str(_KEY_FRAME_EVERY), "bf": "0"},
            )
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(count):
                if number:
                    frame = next(frames)
                small = frame.reformat(
                    width=width, height=height, format="yuv420p", interpolation="AREA"
                )
                # Times start anew in every shot.
                small.pts, small.time_base = number, 1 / rate
                container.mux(stream.encode(small))
            container.mux(stream.encode())
        return path.read_bytes(), height, width
