"""Draw a contact sheet of all tasks: input, target, and what is read back from it, for people.

Run ``python examples/task_sheet.py --out tasks.png``; one row per task. The target is degraded as
an autoencoder would before it is read. Of clips, the middle frame is shown.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.keypoints import KeypointCodec, Keypoints
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import AnyTask, discover_tasks

COLUMNS = ("input", "target", "read back")
TASKS_PER_ROW = 3
MARGIN, TITLE = 6, 14


def draw_scene(task: AnyTask, shape: ClipShape, generator: np.random.Generator) -> Sample:
    """A scene that suits a task: one object for single object detection, few people for poses."""
    alone = task.name == "single_object_detection"
    posed = Keypoints in task.needs
    crowded = Boxes in task.needs or Panoptic in task.needs
    number = 1 if alone else 7 if crowded else 12
    scene = random_scene(
        ClipShape(num_frames=task.num_frames, height=shape.height, width=shape.width),
        generator=generator,
        num_things=number,
        num_people=2,
    )
    if not posed:
        return scene
    # The figures of a random scene are not in its picture: draw them, so that the row makes sense.
    people, _ = KeypointCodec().paint(scene[Keypoints])
    pixels = np.where(people > 0, people // 2 + 96, scene.rgb.pixels // 2).astype(np.uint8)
    return replace(scene, rgb=Rgb(pixels=pixels))


def draw_cells(
    task: AnyTask, shape: ClipShape, generator: np.random.Generator
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Input, target and reading of one task."""
    scene = draw_scene(task, shape, generator)
    rule = task.draw_rule([scene], generator=generator)
    pair = task.render(scene, rule=rule, generator=generator)
    picture = degrade(pair.target, generator=generator)
    result = task.read(picture, rule=rule, key=pair.key)
    drawn = result.draw(scene.rgb if result.annotation.shape == scene.shape else None)
    return [clip[len(clip) // 2] for clip in (pair.input, pair.target, drawn)]


def draw_sheet(shape: ClipShape, *, seed: int) -> Image.Image:
    """All tasks, three to a row."""
    tasks = discover_tasks()
    cell_width, cell_height = shape.width + 2, shape.height + MARGIN + TITLE
    block_width = cell_width * len(COLUMNS) + MARGIN
    num_rows = -(-len(tasks) // TASKS_PER_ROW)
    size = (block_width * TASKS_PER_ROW + MARGIN, cell_height * num_rows + MARGIN)
    sheet = Image.new("RGB", size, (40, 40, 40))
    pen = ImageDraw.Draw(sheet)
    for index, (name, task) in enumerate(tasks.items()):
        row, column = divmod(index, TASKS_PER_ROW)
        x, y = MARGIN + column * block_width, MARGIN + row * cell_height
        held_out = " (held out)" if task.held_out else ""
        pen.text((x, y), f"{name}{held_out}: {', '.join(COLUMNS)}", fill=(230, 230, 230))
        for place, cell in enumerate(draw_cells(task, shape, np.random.default_rng(seed))):
            sheet.paste(Image.fromarray(cell), (x + place * cell_width, y + TITLE))
    return sheet


def main() -> None:
    """Draw the sheet and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("task_sheet.png"))
    parser.add_argument("--size", type=int, nargs=2, default=(144, 192), metavar=("H", "W"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    shape = ClipShape(num_frames=1, height=options.size[0], width=options.size[1])
    draw_sheet(shape, seed=options.seed).save(options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
