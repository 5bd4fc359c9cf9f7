"""Small random scenes in which everything is known: for tests, measurements and pictures.

Not a source of training data: shapes float before a wall, each at its own depth, and move by whole
pixels, so that every annotation is exact.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import NUM_JOINTS, Keypoints
from lavin_dit.vision.codecs.labelling import label_boxes
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape, to_levels
from lavin_dit.vision.sample import Sample

# A standing figure 1 unit high, arms half raised: (x, y) of the 17 joints.
_FIGURE = np.array(
    [
        [0.0, 0.10], [0.07, 0.03], [-0.07, 0.03], [0.15, 0.08], [-0.15, 0.08],
        [0.16, 0.25], [-0.16, 0.25], [0.30, 0.38], [-0.30, 0.38], [0.38, 0.22], [-0.38, 0.22],
        [0.10, 0.57], [-0.10, 0.57], [0.13, 0.78], [-0.13, 0.78], [0.15, 1.0], [-0.15, 1.0],
    ],
    dtype=np.float32,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """One floating shape: an ellipse or a rectangle that bulges toward the camera."""

    centre: Float[np.ndarray, "2"]
    radius: Float[np.ndarray, "2"]
    velocity: Int[np.ndarray, "2"]
    depth_m: float
    round: bool

    def local(self, shape: ClipShape, frame: int) -> Float[np.ndarray, "h w 2"]:
        """(x, y) of each pixel centre from the shape's centre, in its radii."""
        y, x = np.mgrid[: shape.height, : shape.width] + 0.5
        return (np.stack([x, y], axis=-1) - self.centre - frame * self.velocity) / self.radius

    def covers(self, local: Float[np.ndarray, "h w 2"]) -> Bool[np.ndarray, "h w"]:
        """Which pixels it covers."""
        if self.round:
            return np.linalg.norm(local, axis=-1) < 1
        return np.abs(local).max(axis=-1) < 1


def _draw_shapes(shape: ClipShape, num_things: int, generator: np.random.Generator) -> list[_Shape]:
    """One shape per cell of a grid, so that all stay in sight; the farthest first."""
    columns = int(np.ceil(np.sqrt(num_things * shape.width / shape.height)))
    rows = -(-num_things // columns)
    cell = np.array([shape.width / columns, shape.height / rows])
    shapes: list[_Shape] = []
    for place in generator.permutation(rows * columns)[:num_things]:
        corner = np.array([place % columns, place // columns])
        shapes.append(
            _Shape(
                centre=(corner + generator.uniform(0.35, 0.65, 2)) * cell,
                radius=np.maximum(cell * generator.uniform(0.35, 0.6, 2), 3.0),
                velocity=generator.integers(-2, 3, 2),
                depth_m=float(generator.uniform(1.5, 6.0)),
                round=bool(generator.integers(2)),
            )
        )
    return sorted(shapes, key=lambda thing: -thing.depth_m)


def _draw_people(
    shape: ClipShape, num_people: int, generator: np.random.Generator
) -> tuple[Float32[np.ndarray, "t n 17 2"], np.ndarray]:
    """Figures side by side, some joints hidden and some not labelled."""
    height = np.float32(0.8 * min(shape.height, 1.4 * shape.width / max(num_people, 1)))
    figures = np.empty((num_people, NUM_JOINTS, 2), dtype=np.float32)
    for person in range(num_people):
        middle = (person + 0.5) * shape.width / num_people
        origin = np.array([middle, (shape.height - height) / 2], dtype=np.float32)
        figures[person] = _FIGURE * height * np.float32(generator.uniform(0.85, 1.0)) + origin
        figures[person] += generator.normal(0, 0.01 * height, (NUM_JOINTS, 2))
    steps = generator.uniform(-1, 1, (shape.num_frames, num_people, 1, 2)).cumsum(axis=0)
    visibility = generator.choice(
        np.array([0, 1, 2], dtype=np.uint8), (num_people, NUM_JOINTS), p=[0.1, 0.3, 0.6]
    )
    return (
        (figures[None] + steps).astype(np.float32),
        np.repeat(visibility[None], shape.num_frames, axis=0),
    )


def _outline(ids: Int32[np.ndarray, "t h w"]) -> Float32[np.ndarray, "t h w"]:
    """1 where the right or lower neighbour belongs to something else."""
    edge = np.zeros(ids.shape, dtype=np.float32)
    edge[:, :, :-1] += ids[:, :, :-1] != ids[:, :, 1:]
    edge[:, :-1] += ids[:, :-1] != ids[:, 1:]
    return np.minimum(edge, 1)


def _boxes(ids: Int32[np.ndarray, "t h w"], classes: Int32[np.ndarray, " n"]) -> Boxes:
    """The smallest box around what is in sight of each thing."""
    corners = np.stack([label_boxes(frame[None], num_labels=len(classes)) for frame in ids])
    height, width = ids.shape[1:]
    return Boxes(
        corners_px=corners.astype(np.float32),
        present=corners[..., 2] > 0,
        classes=classes,
        size=ClipShape(num_frames=len(ids), height=height, width=width).size,
    )


def random_scene(
    shape: ClipShape,
    *,
    generator: np.random.Generator,
    num_things: int = 20,
    num_classes: int = 6,
    num_people: int = 2,
) -> Sample:
    """Draw a scene with an annotation of every kind.

    Args:
        shape: Frames, height and width of the clip.
        generator: Source of all randomness.
        num_things: Number of floating shapes.
        num_classes: Number of classes that they are drawn from, apart from the wall's class 0.
        num_people: Number of stick figures; they appear in the keypoints only.

    Returns:
        The sample. The upper left corner of the wall is a hole: without depth, normal and flow.
    """
    things = _draw_shapes(shape, num_things, generator)
    dims = (shape.num_frames, shape.height, shape.width)
    ids = np.zeros(dims, dtype=np.int32)
    metres = np.broadcast_to(np.linspace(7, 9, shape.width, dtype=np.float32), dims).copy()
    vectors = np.zeros((*dims, 3), dtype=np.float32)
    vectors[..., 2] = 1
    pixels = np.zeros((*dims, 2), dtype=np.float32)
    pixels[..., 0] = 0.5
    for number, thing in enumerate(things, start=1):
        for frame in range(shape.num_frames):
            local = thing.local(shape, frame)
            inside = thing.covers(local)
            bulge = 0.6 * local[inside] * [1, -1]
            rise = np.sqrt(np.maximum(1 - np.sum(bulge**2, axis=-1), 0.05))
            normal = np.concatenate([bulge, rise[:, None]], axis=-1)
            ids[frame][inside] = number
            metres[frame][inside] = thing.depth_m - 0.2 * rise
            vectors[frame][inside] = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
            pixels[frame][inside] = thing.velocity
    valid = np.ones(dims, dtype=np.bool_)
    valid[:, : shape.height // 8, : shape.width // 8] = False
    classes = generator.integers(1, num_classes + 1, num_things).astype(np.int32)
    colours = generator.integers(40, 216, (num_things + 1, 3))
    texture = generator.normal(0, 12, (*dims, 1))
    positions, visibility = _draw_people(shape, num_people, generator)
    return Sample(
        rgb=Rgb(pixels=to_levels((colours[ids] * vectors[..., 2:] + texture).astype(np.float32))),
        annotations=(
            Depth(metres=metres, valid=valid),
            Normals(vectors=vectors, valid=valid),
            Flow(pixels=pixels, valid=valid),
            Mask(foreground=ids > 0),
            Instances(ids=ids),
            Panoptic(ids=ids + 1, classes=np.concatenate([[np.int32(0)], classes])),
            _boxes(ids, classes),
            Keypoints(positions_px=positions, visibility=visibility, size=shape.size),
            Edges(strength=_outline(ids)),
        ),
        name="random scene",
    )
