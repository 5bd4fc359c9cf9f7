"""Measure what reading gives back of paintings that were blurred, disturbed and rounded.

Run ``python benchmarks/codec_errors.py``; docs/decisions/0010-codecs.md quotes what it prints.
"""

import argparse
from typing import Any

import numpy as np

from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes
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

Errors = dict[str, Any]


def depth_errors(truth: Depth, read: Depth) -> Errors:
    """Relative error where both are valid."""
    both = truth.valid & read.valid
    relative = np.abs(read.metres - truth.metres)[both] / truth.metres[both]
    return {
        "relative error": relative,
        "validity wrong": (truth.valid != read.valid).ravel(),
    }


def normal_errors(truth: Normals, read: Normals) -> Errors:
    """Angle between normals where both are valid."""
    both = truth.valid & read.valid
    cosine = np.sum(truth.vectors * read.vectors, axis=-1)[both]
    return {
        "angle, degrees": np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        "validity wrong": (truth.valid != read.valid).ravel(),
    }


def flow_errors(truth: Flow, read: Flow) -> Errors:
    """End-point error as a share of the longest motion."""
    both = truth.valid & read.valid
    longest = np.linalg.norm(truth.pixels[both], axis=-1).max()
    return {
        "end-point error / longest": np.linalg.norm(truth.pixels - read.pixels, axis=-1)[both]
        / longest,
        "validity wrong": (truth.valid != read.valid).ravel(),
    }


def mask_errors(truth: Mask, read: Mask) -> Errors:
    """How far the masks are from covering each other."""
    union = np.sum(truth.foreground | read.foreground)
    return {"1 - IoU": [1 - np.sum(truth.foreground & read.foreground) / union]}


def instance_errors(truth: Instances, read: Instances) -> Errors:
    """The same for each instance, and how many are missing or made up."""
    overlaps: list[float] = []
    for name in truth.names:
        one, two = truth.ids == name, read.ids == name
        overlaps.append(1 - np.sum(one & two) / np.sum(one | two))
    return {"1 - IoU": overlaps, "instances wrong": [len(set(read.names) ^ set(truth.names))]}


def panoptic_errors(truth: Panoptic, read: Panoptic) -> Errors:
    """The same for each segment, and whether its class is right."""
    overlaps, wrong = [], []
    for number in np.unique(truth.ids[truth.ids > 0]):
        one = truth.ids == number
        match = np.bincount(read.ids[one]).argmax()
        two = read.ids == match
        overlaps.append(1 - np.sum(one & two) / np.sum(one | two))
        wrong.append(match == 0 or read.classes[match - 1] != truth.classes[number - 1])
    extra = len(read.classes) - len(overlaps)
    return {"1 - IoU": overlaps, "class wrong": wrong, "segments too many": [extra]}


def box_errors(truth: Boxes, read: Boxes) -> Errors:
    """Overlap of each box, and how far its corners are off."""
    seen = truth.present
    one, two = truth.corners_px, read.corners_px
    low, high = np.maximum(one, two)[..., :2], np.minimum(one, two)[..., 2:]
    both = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = [np.prod(np.clip(box[..., 2:] - box[..., :2], 0, None), axis=-1) for box in (one, two)]
    return {
        "1 - IoU": 1 - (both / (areas[0] + areas[1] - both))[seen],
        "corner error, px": np.abs(one - two)[seen & read.present].ravel(),
        "presence wrong": (seen != read.present).ravel(),
    }


def keypoint_errors(truth: Keypoints, read: Keypoints) -> Errors:
    """How far joints are off, and which are missing, made up or misjudged."""
    both = (truth.visibility > 0) & (read.visibility > 0)
    return {
        "position error, px": np.linalg.norm(truth.positions_px - read.positions_px, axis=-1)[both],
        "not found": ((truth.visibility > 0) & (read.visibility == 0))[truth.visibility > 0],
        "made up": ((truth.visibility == 0) & (read.visibility > 0)).ravel(),
        "visibility wrong": (truth.visibility != read.visibility)[both],
    }


def edge_errors(truth: Edges, read: Edges) -> Errors:
    """1 - F without any tolerance in position."""
    one, two = truth.strength > 0.5, read.strength > 0.5
    hit = np.sum(one & two)
    return {"1 - F": [1 - 2 * hit / (one.sum() + two.sum())]}


def rgb_errors(truth: Rgb, read: Rgb) -> Errors:
    """What the autoencoder's stand-in does to a photo."""
    return {"mean difference, levels": np.abs(truth.pixels.astype(int) - read.pixels).ravel()}


CODECS = (
    ("depth", Depth, DepthCodec(), depth_errors),
    ("depth linear", Depth, DepthCodec(curve="linear", tail=0.0), depth_errors),
    ("normals", Normals, NormalCodec(), normal_errors),
    ("flow", Flow, FlowCodec(), flow_errors),
    ("flow, linear", Flow, FlowCodec(power=1.0), flow_errors),
    ("mask", Mask, MaskCodec(), mask_errors),
    ("instances", Instances, InstanceCodec(), instance_errors),
    ("panoptic", Panoptic, PanopticCodec(), panoptic_errors),
    ("boxes", Boxes, BoxCodec(), box_errors),
    ("keypoints", Keypoints, KeypointCodec(), keypoint_errors),
    ("edges", Edges, EdgeCodec(), edge_errors),
    ("rgb", Rgb, RgbCodec(), rgb_errors),
)


def measure(
    shape: ClipShape, *, num_things: int, num_scenes: int, seed: int, strength: float
) -> None:
    """Print one line per codec and error: mean, median, 99th percentile, worst."""
    generator = np.random.default_rng(seed)
    errors: dict[tuple[str, str], list[Any]] = {}
    for _ in range(num_scenes):
        scene = random_scene(shape, generator=generator, num_things=num_things)
        for name, kind, codec, compare in CODECS:
            picture, key = codec.paint(scene[kind])
            degraded = degrade(
                picture,
                generator=generator,
                noise_levels=6.0 * strength,
                blur_px=0.7 * strength,
            )
            read = codec.read(degraded, key=key)
            for what, values in compare(scene[kind], read).items():
                errors.setdefault((name, what), []).append(np.asarray(values, dtype=np.float64))
    print("| codec | error | mean | median | 99 % | worst |\n|---|---|---|---|---|---|")
    for (name, what), parts in errors.items():
        values = np.concatenate(parts)
        middle, high = np.quantile(values, [0.5, 0.99])
        print(
            f"| {name} | {what} | {values.mean():.4f} | {middle:.4f} | {high:.4f} "
            f"| {values.max():.4f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 320), metavar=("H", "W"))
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--things", type=int, default=24)
    parser.add_argument("--scenes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strength", type=float, default=1.0, help="of noise and blur")
    options = parser.parse_args()
    size = ClipShape(num_frames=options.frames, height=options.size[0], width=options.size[1])
    measure(
        size,
        num_things=options.things,
        num_scenes=options.scenes,
        seed=options.seed,
        strength=options.strength,
    )
