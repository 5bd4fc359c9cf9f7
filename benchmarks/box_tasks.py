"""Measure how well boxes are read back: of object detection under both rules, of single objects.

Run ``python benchmarks/box_tasks.py``; docs/decisions/0013-tasks.md quotes what it prints. The
targets are degraded as an autoencoder would, and read with the episode's rule but without a key.
"""

import argparse
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.geometry import ClipShape
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.task import AnyTask
from lavin_dit.vision.tasks.object_detection import ObjectDetection
from lavin_dit.vision.tasks.single_object_detection import SingleObjectDetection

NUM_CLASSES = 8
TASKS: dict[str, AnyTask] = {
    "object detection, colours by place": ObjectDetection(by_class=0.0),
    "object detection, colours by class": ObjectDetection(by_class=1.0),
    "single object detection": SingleObjectDetection(),
}


def best_overlaps(truth: Boxes, read: Boxes) -> Float[np.ndarray, " n"]:
    """Of each true box, the intersection over union with the box read that covers it best."""
    one = truth.corners_px[0][truth.present[0]][:, None]
    two = read.corners_px[0][read.present[0]][None]
    low, high = np.maximum(one[..., :2], two[..., :2]), np.minimum(one[..., 2:], two[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(axis=-1) for boxes in (one, two)]
    return (shared / (areas[0] + areas[1] - shared)).max(axis=1, initial=0)


def overlaps_of(
    task: AnyTask, *, side: int, num_things: int, num_scenes: int
) -> Float[np.ndarray, " n"]:
    """The overlaps of all boxes of some random scenes."""
    shape = ClipShape(num_frames=1, height=side, width=side)
    found: list[Float[np.ndarray, " n"]] = []
    for seed in range(num_scenes):
        generator = np.random.default_rng(seed)
        scene = random_scene(
            shape, generator=generator, num_things=num_things, num_classes=NUM_CLASSES
        )
        scene = replace(scene, annotations=(scene[Boxes],))
        rule = task.draw_rule([scene], generator=generator)
        pair = task.render(scene, rule=rule, generator=generator)
        result = task.read(degrade(pair.target, generator=generator), rule=rule)
        assert isinstance(result.annotation, Boxes)
        found.append(best_overlaps(scene[Boxes], result.annotation))
    return np.concatenate(found)


def main() -> None:
    """Print one row per task and number of boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--things", type=int, nargs="+", default=(5, 12, 20))
    options = parser.parse_args()
    print("| task | boxes | mean IoU | IoU above 0.9 |")
    print("|---|---|---|---|")
    for name, task in TASKS.items():
        for number in (1,) if task.held_out else options.things:
            overlaps = overlaps_of(
                task, side=options.side, num_things=number, num_scenes=options.scenes
            )
            print(f"| {name} | {number} | {overlaps.mean():.3f} | {np.mean(overlaps > 0.9):.3f} |")


if __name__ == "__main__":
    main()
