"""Draw a contact sheet of all codecs: painted, degraded, read back and painted again.

Run ``python examples/codec_sheet.py --out codecs.png``; rows are kinds of annotation.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes
from lavin_dit.vision.codecs.codec import Codec
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.depth import Depth, DepthCodec
from lavin_dit.vision.codecs.edges import EdgeCodec, Edges
from lavin_dit.vision.codecs.flow import Flow, FlowCodec
from lavin_dit.vision.codecs.instances import InstanceCodec, Instances
from lavin_dit.vision.codecs.keypoints import KeypointCodec, Keypoints
from lavin_dit.vision.codecs.masks import Mask, MaskCodec
from lavin_dit.vision.codecs.normals import NormalCodec, Normals
from lavin_dit.vision.codecs.panoptic import Panoptic, PanopticCodec
from lavin_dit.vision.codecs.rgb import Rgb, RgbCodec
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene

CODECS: dict[type, Codec[Any, Any]] = {
    Rgb: RgbCodec(),
    Depth: DepthCodec(),
    Normals: NormalCodec(),
    Flow: FlowCodec(),
    Mask: MaskCodec(),
    Instances: InstanceCodec(),
    Panoptic: PanopticCodec(),
    Boxes: BoxCodec(),
    Keypoints: KeypointCodec(),
    Edges: EdgeCodec(),
}
COLUMNS = ("painted", "degraded", "read and painted again", "difference x 4")
MARGIN, TITLE = 6, 14


def draw_row(
    kind: type, scene_seed: int, shape: ClipShape, num_things: int
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """The first frame of one kind: painted, degraded, painted again, and what changed."""
    generator = np.random.default_rng(scene_seed)
    scene = random_scene(shape, generator=generator, num_things=num_things)
    codec = CODECS[kind]
    picture, key = codec.paint(scene[kind])
    degraded = degrade(picture, generator=generator)
    again, _ = codec.paint(codec.read(degraded, key=key), key=key)
    change = np.clip(4 * np.abs(picture.astype(int) - again), 0, 255).astype(np.uint8)
    return [picture[0], degraded[0], again[0], change[0]]


def draw_sheet(shape: ClipShape, *, num_things: int, seed: int) -> Image.Image:
    """One row per kind, one column per step."""
    cell = np.array([shape.width + MARGIN, shape.height + MARGIN + TITLE])
    size = (int(cell[0]) * len(COLUMNS) + MARGIN, int(cell[1]) * len(CODECS) + MARGIN)
    sheet = Image.new("RGB", size, (40, 40, 40))
    pen = ImageDraw.Draw(sheet)
    for row, kind in enumerate(CODECS):
        for column, picture in enumerate(draw_row(kind, seed, shape, num_things)):
            x, y = (int(value) for value in cell * [column, row] + MARGIN)
            pen.text((x, y), f"{kind.__name__}: {COLUMNS[column]}", fill=(230, 230, 230))
            sheet.paste(Image.fromarray(picture), (x, y + TITLE))
    return sheet


def main() -> None:
    """Draw the sheet and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("codec_sheet.png"))
    parser.add_argument("--size", type=int, nargs=2, default=(192, 256), metavar=("H", "W"))
    parser.add_argument("--things", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shape = ClipShape(num_frames=1, height=options.size[0], width=options.size[1])
    draw_sheet(shape, num_things=options.things, seed=options.seed).save(options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
