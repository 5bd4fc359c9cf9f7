"""How much faster a picture goes through the ST-VAE in two dimensions than in three.

Both ways run on the same weights and give the same numbers up to rounding, which is checked first.
``Encoder`` and ``Decoder`` take the 2-D way for a 4-D picture and convolve a 5-D clip in three
dimensions, its first frame repeated in front, even if it has a single frame: the plain path needs
no code of its own. The two ways take turns, so that a slow moment of the machine meets both.

    python benchmarks/st_vae_image_path.py

Also measured: adding up the kernels over time, which the 2-D way does at every call.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import torch
from record import record
from torch import Tensor, nn

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS

TOLERANCE = 1e-4
"""Largest difference between the two ways, relative to the largest value of the output."""


def measure(preset: str, *, size_px: int, repeats: int) -> list[dict[str, object]]:
    """Time encoder and decoder of one preset on one square picture.

    Args:
        preset: Name in ``ST_VAE_PRESETS``.
        size_px: Height and width of the picture.
        repeats: Timed runs of each way, after one run that is not timed.

    Returns:
        One row for the encoder and one for the decoder; times in seconds.
    """
    generator = torch.Generator().manual_seed(0)
    model = STVAE(ST_VAE_PRESETS[preset])
    randomise(model, generator)
    pixels = torch.rand(1, 3, size_px, size_px, generator=generator) * 2 - 1
    latent_px = size_px // STVAE.SPATIAL_COMPRESSION
    channels = model.config.latent_channels
    latent = torch.randn(1, channels, latent_px, latent_px, generator=generator)
    cases = (("encode", model.encoder, pixels), ("decode", model.decoder, latent))
    rows: list[dict[str, object]] = []
    for operation, network, picture in cases:
        clip = picture.unsqueeze(2)
        difference = relative_difference(network(picture), network(clip).squeeze(2))
        if difference > TOLERANCE:
            raise RuntimeError(f"{preset} {operation}: the two ways differ by {difference:.1e}")
        ways = {
            "image_path": functools.partial(network, picture),
            "plain_3d": functools.partial(network, clip),
            "kernel_sums": functools.partial(sum_kernels, network),
        }
        times_s = take_turns(ways, repeats)
        row: dict[str, object] = {"preset": preset, "size_px": size_px, "operation": operation}
        for name, values in times_s.items():
            row[f"{name}_min_s"] = min(values)
            row[f"{name}_median_s"] = statistics.median(values)
        row["ratio_of_min"] = min(times_s["plain_3d"]) / min(times_s["image_path"])
        row["ratio_of_median"] = statistics.median(times_s["plain_3d"]) / statistics.median(
            times_s["image_path"]
        )
        row["relative_difference"] = difference
        rows.append(row)
    return rows


def randomise(model: STVAE, generator: torch.Generator) -> None:
    """Fill all weights: a fresh model has zeros, with which the two ways would agree too easily."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=parameter[0].numel() ** -0.5, generator=generator)


def relative_difference(one: Tensor, other: Tensor) -> float:
    """Return the largest difference, relative to the largest value."""
    return ((one - other).abs().max() / other.abs().max()).item()


def sum_kernels(network: nn.Module) -> None:
    """Add up every kernel over time, as the image path does."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and module.kernel_size[0] > 1:
            first, second, third = module.weight.unbind(2)
            _ = first + second + third


def take_turns(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time several functions in turn, ``repeats`` times each, in seconds."""
    times_s: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            if repeat > 0:
                times_s[name].append(time.perf_counter() - start)
    return times_s


def main() -> None:
    """Measure, print a table and write the results."""
    parser = argparse.ArgumentParser(description="2-D against 3-D convolution of pictures")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--cases",
        nargs="+",
        default=["released:128", "released:256", "nano:128", "nano:256"],
        help="preset:size_px",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: list[dict[str, object]] = []
    header = f"{'preset':10}{'px':>5}  {'operation':10}{'2-D s':>9}{'3-D s':>9}{'ratio':>7}"
    print(f"{header}{'(median)':>10}{'sums s':>9}{'difference':>12}")
    with torch.inference_mode():
        for case in arguments.cases:
            preset, size_px = case.split(":")
            for row in measure(preset, size_px=int(size_px), repeats=arguments.repeats):
                rows.append(row)
                print(
                    f"{preset:10}{size_px:>5}  {row['operation']:10}{row['image_path_min_s']:9.4f}"
                    f"{row['plain_3d_min_s']:9.4f}{row['ratio_of_min']:7.2f}"
                    f"{row['ratio_of_median']:10.2f}{row['kernel_sums_min_s']:9.4f}"
                    f"{row['relative_difference']:12.1e}",
                    flush=True,
                )
    settings = {"threads": arguments.threads, "repeats": arguments.repeats, "batch": 1}
    print(record("st_vae_image_path", settings=settings, rows=rows))


if __name__ == "__main__":
    main()
