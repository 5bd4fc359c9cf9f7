"""How well depth survives as grey, by curve and tail, on validation scenes of the synthetic world.

    python benchmarks/depth_curves.py

Two disturbances: independent noise of 6 levels in each channel, and an error that is smooth over
4 pixels with a deviation of 12 levels in all channels, more like that of a network. For each, the
mean relative error of depth (AbsRel) when read with the key, and when read without it and aligned:
scale and shift fitted by least squares in the curve's quantity and clipped to the range of the
truth. ``grey >= 240`` counts scenes whose median grey is nearly white; ``entropy`` is that of the
grey levels of a scene, in bits.
"""

import argparse

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from lavin_dit.datasets.world.world import World
from lavin_dit.vision.codecs.depth import Depth, DepthCodec, DepthCurve, along_curve, off_curve
from lavin_dit.vision.geometry import to_levels

CURVES: tuple[DepthCurve, ...] = ("linear", "log", "inverse_root", "inverse")
TAILS = (0.0, 0.01, 0.02)


def noisy(
    picture: UInt8[np.ndarray, "t h w 3"], generator: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """Independent noise of 6 levels."""
    return to_levels(picture + generator.normal(0.0, 6.0, picture.shape).astype(np.float32))


def mistaken(
    picture: UInt8[np.ndarray, "t h w 3"], generator: np.random.Generator
) -> UInt8[np.ndarray, "t h w 3"]:
    """A smooth error of 12 levels."""
    error = cv2.GaussianBlur(generator.normal(size=picture.shape[1:3]), (0, 0), 4.0)
    error *= 12.0 / error.std()
    return to_levels((picture + error[None, ..., None]).astype(np.float32))


def aligned(
    read: Float64[np.ndarray, " n"], truth: Float64[np.ndarray, " n"], curve: DepthCurve
) -> Float64[np.ndarray, " n"]:
    """Metres by the scale and shift that fit best in the curve's quantity."""
    quantity = along_curve(truth, curve)
    design = np.stack([along_curve(read, curve), np.ones(len(read))], axis=1)
    fitted = design @ np.linalg.lstsq(design, quantity, rcond=None)[0]
    return off_curve(np.clip(fitted, quantity.min(), quantity.max()), curve)


def grey_entropy(grey: UInt8[np.ndarray, " n"]) -> float:
    """Entropy of the levels in bits."""
    shares = np.bincount(grey) / grey.size
    shares = shares[shares > 0]
    return float(-np.sum(shares * np.log2(shares)))


def measure(depths: list[Depth], codec: DepthCodec) -> list[float]:
    """The columns of one row of the table."""
    generator = np.random.default_rng(0)
    errors: list[list[float]] = []
    medians, entropies = [], []
    for depth in depths:
        picture, key = codec.paint(depth)
        truth = depth.metres[depth.valid].astype(np.float64)
        row: list[float] = []
        for disturb in (noisy, mistaken):
            disturbed = disturb(picture, generator)
            keyed, bare = codec.read(disturbed, key=key), codec.read(disturbed)
            both = (
                keyed.metres[depth.valid].astype(np.float64),
                aligned(bare.metres[depth.valid].astype(np.float64), truth, codec.curve),
            )
            row.extend(float(np.mean(np.abs(metres - truth) / truth)) for metres in both)
        errors.append(row)
        grey = picture[..., 1][depth.valid]
        medians.append(np.median(grey))
        entropies.append(grey_entropy(grey))
    means = [float(value) for value in np.mean(errors, axis=0)]
    return [*means, float(np.sum(np.array(medians) >= 240)), float(np.mean(entropies))]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="errors of depth by curve")
    parser.add_argument("--scenes", type=int, default=60)
    world = World(split="validation")
    depths = [world[index][Depth] for index in range(parser.parse_args().scenes)]
    print("| curve | tail | noise, key | noise, aligned | smooth, key | smooth, aligned |", end="")
    print(" grey >= 240 | entropy |\n|---|---|---|---|---|---|---|---|")
    for curve in CURVES:
        for tail in TAILS:
            *errors, white, entropy = measure(depths, DepthCodec(curve=curve, tail=tail))
            cells = " | ".join(f"{error:.4f}" for error in errors)
            print(f"| {curve} | {tail:g} | {cells} | {white:.0f} | {entropy:.2f} |")


if __name__ == "__main__":
    main()
