"""Cutting clips out of video files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import UInt8

from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.video_frames import decoded_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipCut:
    """Which clips are cut out of a video.

    Attributes:
        num_frames: Number of frames of a clip.
        frame_step: Every how many frames of the video one is taken.
        clips_per_video: Number of clips, spread evenly from the first that fits to the last; a
            single one lies in the middle.
    """

    num_frames: int = 13
    frame_step: int = 1
    clips_per_video: int = 1

    def __post_init__(self) -> None:
        """Refuse clips without frames."""
        if min(self.num_frames, self.frame_step, self.clips_per_video) < 1:
            raise ValueError(f"all numbers of a clip must be at least 1, got {self}")

    @property
    def span(self) -> int:
        """Number of frames of the video from a clip's first to its last."""
        return (self.num_frames - 1) * self.frame_step + 1

    def start(self, clip: int, *, video_frames: int) -> int:
        """First frame of a clip.

        Args:
            clip: Which of the clips per video.
            video_frames: Number of frames of the video.

        Returns:
            A frame from which the clip fits, or a negative number if the video is too short.
        """
        slack = video_frames - self.span
        if slack < 0:
            return slack
        if self.clips_per_video == 1:
            return slack // 2
        return round(clip * slack / (self.clips_per_video - 1))


def read_clip(path: Path, cut: ClipCut, *, clip: int, name: str) -> Rgb:
    """Cut one clip out of a video.

    Frames are counted by decoding from the first on: seeking by time is not exact in the formats
    that data sets come in. The number of frames is taken from the file's header, and counted where
    the header is wrong.

    Args:
        path: A video file.
        cut: How clips are cut.
        clip: Which of the clips per video.
        name: Name of the sample, for the error.

    Returns:
        The clip.

    Raises:
        UnusableSampleError: If the file is missing or corrupt, or shorter than the clip.
    """
    try:
        start = cut.start(clip, video_frames=_frames_in_header(path))
        frames, counted = _cut(path, cut, start=start) if start >= 0 else ([], _count(path))
        if len(frames) < cut.num_frames:
            start = cut.start(clip, video_frames=counted)
            if start < 0:
                raise UnusableSampleError(name, f"video has fewer than {cut.span} frames")
            frames, _ = _cut(path, cut, start=start)
    except FileNotFoundError as error:
        raise UnusableSampleError(name, "video is missing") from error
    except (FFmpegError, IndexError) as error:
        raise UnusableSampleError(name, "video cannot be decoded") from error
    if len({frame.shape for frame in frames}) != 1:
        raise UnusableSampleError(name, "frames of the video differ in size")
    return Rgb(pixels=np.stack(frames))


def _frames(path: Path) -> Iterator[av.VideoFrame]:
    """The frames of a file's first video stream."""
    with av.open(str(path)) as container:
        yield from container.decode(container.streams.video[0])


def _count(path: Path) -> int:
    """Number of frames that can be decoded."""
    return sum(1 for _ in _frames(path))


def _frames_in_header(path: Path) -> int:
    """Number of frames that a file claims to have; 0 where it says nothing."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.frames:
            return stream.frames
        if stream.duration is None or stream.time_base is None or stream.average_rate is None:
            return 0
        return int(stream.duration * stream.time_base * stream.average_rate)


def _cut(path: Path, cut: ClipCut, *, start: int) -> tuple[list[UInt8[np.ndarray, "h w 3"]], int]:
    """Frames of a clip as far as the video reaches, and how many frames were decoded."""
    frames: list[UInt8[np.ndarray, "h w 3"]] = []
    decoded = 0
    for decoded, frame in enumerate(_frames(path), start=1):
        place = decoded - 1 - start
        if place >= 0 and place % cut.frame_step == 0:
            frames.append(decoded_frame(frame))
        if len(frames) == cut.num_frames:
            break
    return frames, decoded
