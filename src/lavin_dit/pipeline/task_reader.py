"""Doing a task by name: cutting queries as it takes them, and reading what was painted.

A task of single images is done for each frame of a clip by itself. A task of clips takes pieces of
its own length, which share a frame with the next piece: the answer for that frame is the next
piece's, which knows what comes after it; of depth, all are brought to one range first. A clip
shorter than a piece repeats its last frame, and the answer is cut to its length. A task that
continues a clip takes its end.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lavin_dit.pipeline.borders import moved_borders
from lavin_dit.pipeline.clips import IMAGE_SUFFIXES, Clip
from lavin_dit.pipeline.depth_pieces import in_one_range
from lavin_dit.pipeline.fitting import resized, to_bytes
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.vision.codecs.boxes import BoxCodec
from lavin_dit.vision.codecs.depth import Depth, resize_along_curve
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import KeypointCodec
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.results.boxes import BoxesResult
from lavin_dit.vision.results.by_kind import with_class_names
from lavin_dit.vision.results.depth import DepthResult
from lavin_dit.vision.results.instances import InstancesResult
from lavin_dit.vision.results.keypoints import KeypointsResult
from lavin_dit.vision.results.panoptic import PanopticResult
from lavin_dit.vision.results.pictures import PictureResult
from lavin_dit.vision.results.result import Result
from lavin_dit.vision.task import AnyTask, PictureTarget, discover_tasks

Predict = Callable[[Iterable[Clip]], Iterator[Prediction]]
"""Predicts targets of clips, one for each and in their order."""


_MOST_VALUES_READ = 1 << 26
"""What a reading may take at once, in bytes of the picture; several times that in memory."""


def _no_names() -> Mapping[int, str]:
    """No class has a name."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReader:
    """A task with what its context says of it.

    Attributes:
        task: The task.
        rule: What the context's pairs share; None where it is not known, which reads less.
        class_names: Names of the classes in the rule, where known.
        enlarged: Working pixels for each pixel of what the context's targets were painted at: of
            boxes and joints, lines and discs are as much wider.
    """

    task: AnyTask
    rule: object = None
    class_names: Mapping[int, str] = field(default_factory=_no_names)
    enlarged: float = 1.0

    def check(self, clip: Clip) -> None:
        """Check that the task can be done on a clip.

        Args:
            clip: A query.

        Raises:
            ValueError: If it is a single image, and the task is about motion.
        """
        if clip.num_frames < 2 <= self.task.num_input_frames:
            others = ", ".join(
                name for name, task in discover_tasks().items() if task.num_input_frames == 1
            )
            raise ValueError(
                f"{clip.name}: {self.task.name} takes clips of several frames, but this is a "
                f"single image; tasks for images are {others}"
            )

    def pieces(self, clip: Clip) -> list[Clip]:
        """Cut a query into clips of the length that the task takes.

        Args:
            clip: A query.

        Returns:
            One or more clips of ``task.num_input_frames`` frames.

        Raises:
            ValueError: If the task can't be done on it.
        """
        self.check(clip)
        length, frames = self.task.num_input_frames, clip.frames
        if self._continues:
            return [replace(clip, frames=_lengthened(frames[-length:], length))]
        step = max(length - 1, 1)
        starts = range(0, max(len(frames) - (length - step), 1), step)
        return [
            replace(clip, frames=_lengthened(frames[start : start + length], length))
            for start in starts
        ]

    def answer(self, clip: Clip, parts: Sequence[Prediction]) -> Prediction:
        """Put a query's pieces together again, and read them.

        Args:
            clip: The query.
            parts: The predictions for its `pieces`.

        Returns:
            One prediction, with its reading at the query's own size.
        """
        joined = parts[0] if len(parts) == 1 else self._joined(parts)
        if not self._continues:
            joined = _shortened(joined, clip.num_frames)
        if joined.working_pixels is None:
            return joined
        height, width = clip.size
        result = self.read(joined, size=Size(height=height, width=width))
        match result:
            case PictureResult() if clip.frames_per_second is not None:
                result = replace(result, frames_per_second=clip.frames_per_second)
            case BoxesResult() | InstancesResult() | KeypointsResult() | PanopticResult():
                is_file = Path(clip.name).suffix.lower() in IMAGE_SUFFIXES
                result = replace(result, photo_name=clip.name if is_file else None)
            case _:
                pass
        return replace(joined, result=result, drawn_pixels=None)

    def read(self, prediction: Prediction, *, size: Size) -> Result:
        """Read a prediction where it was painted, and bring what was read to another size.

        Photos are taken as they are. Of what was drawn after the outlines of a larger query, depth,
        normals and masks are read there, and borders of instances and segments moved to where they
        are there; edges and flow, whose lines and lengths are those of the working size, are read
        at that, and boxes and joints at the size at which the context's were painted.

        Args:
            prediction: One with pixels.
            size: The query's own size.

        Returns:
            The reading; ids are resized to the nearest, lengths in pixels are scaled.
        """
        assert prediction.pixels is not None
        assert prediction.working_pixels is not None
        if isinstance(self.task, PictureTarget):
            return self.task.read(to_bytes(prediction.pixels), rule=self.rule)
        working = prediction.working_pixels
        if self.enlarged != 1 and self._paints_lines:
            height, width = (max(1, round(side / self.enlarged)) for side in working.shape[2:])
            working = resized(working, (height, width))
        result: Any = self.task.read(to_bytes(working), rule=self.rule)
        if prediction.drawn_pixels is not None:
            drawn = to_bytes(prediction.drawn_pixels)
            match result.annotation:
                case Depth() | Normals() | Mask() if drawn.size <= _MOST_VALUES_READ:
                    result = self.task.read(drawn, rule=self.rule)
                case Instances(ids=ids) | Panoptic(ids=ids):
                    moved = replace(result.annotation, ids=moved_borders(ids, drawn))
                    result = replace(result, annotation=moved)
                case _:
                    pass
        if result.annotation.shape.size != size:
            result = replace(result, annotation=_resized(result, size))
        return with_class_names(result, self.class_names)

    def stream(self, clips: Iterable[Clip], *, predict: Predict) -> Iterator[Prediction]:
        """Predict and read queries, each as soon as its last piece is done.

        Args:
            clips: The queries.
            predict: Predicts the targets of their pieces.

        Raises:
            ValueError: If the task can't be done on one of them.
        """
        waiting: deque[tuple[Clip, int]] = deque()

        def pieces() -> Iterator[Clip]:
            for clip in clips:
                own = self.pieces(clip)
                waiting.append((clip, len(own)))
                yield from own

        parts: list[Prediction] = []
        for prediction in predict(pieces()):
            parts.append(prediction)
            clip, num_pieces = waiting[0]
            if len(parts) == num_pieces:
                waiting.popleft()
                yield self.answer(clip, parts)
                parts = []

    @property
    def _continues(self) -> bool:
        """Whether targets go on where inputs end."""
        return self.task.num_frames > self.task.num_input_frames

    @property
    def _paints_lines(self) -> bool:
        """Whether things are told by lines and discs of so many pixels."""
        codec = getattr(self.task, "codec", None)
        return isinstance(codec, BoxCodec | KeypointCodec)

    @property
    def _paints_depth(self) -> bool:
        return Depth in self.task.needs and not isinstance(self.task, PictureTarget)

    def _joined(self, parts: Sequence[Prediction]) -> Prediction:
        """Pieces one after another; of a frame that two share, the later one's."""
        shared = 0 if self.task.num_frames == 1 else 1
        if shared and self._paints_depth and parts[0].working_pixels is not None:
            parts = in_one_range(parts)

        def join(name: str) -> torch.Tensor | None:
            tensors = [getattr(part, name) for part in parts]
            if tensors[0] is None:
                return None
            ends = [tensor[: len(tensor) - shared] for tensor in tensors[:-1]]
            return torch.cat([*ends, tensors[-1]])

        return replace(
            parts[0],
            pixels=join("pixels"),
            working_pixels=join("working_pixels"),
            drawn_pixels=join("drawn_pixels"),
            latent=torch.cat([part.latent for part in parts], dim=1),
        )


def _lengthened(frames: np.ndarray, length: int) -> np.ndarray:
    """Frames, the last one repeated until there are enough."""
    missing = length - len(frames)
    return np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)]) if missing else frames


def _shortened(prediction: Prediction, num_frames: int) -> Prediction:
    """A prediction without the frames that answer repeated ones."""
    names = "pixels", "working_pixels", "drawn_pixels"
    found = {name: getattr(prediction, name) for name in names}
    return replace(
        prediction,
        **{name: frames[:num_frames] for name, frames in found.items() if frames is not None},
    )


def _resized(result: Any, size: Size) -> Any:  # noqa: ANN401 - any of the results
    """A result's annotation at another size; relative depth in the quantity that was painted."""
    if isinstance(result, DepthResult) and not result.metric:
        return resize_along_curve(result.annotation, size, result.curve)
    return result.annotation.resize(size)
