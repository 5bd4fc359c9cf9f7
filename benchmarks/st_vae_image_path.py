"""How much faster a picture goes through the ST-VAE in two dimensions than in three.

Both ways run on the same weights and give the same numbers up to rounding, which is checked first.
``Encoder`` and ``Decoder`` take the 2-D way for a 4-D picture. The plain way is that of a 5-D clip
of one frame, which is repeated in front and convolved by torch in three dimensions. The two take
turns, so that a slow moment of the machine meets both.

    python benchmarks/st_vae_image_path.py

Also measured: adding up the kernels over time, which the 2-D way does at every call.
"""

import argparse
import functools
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from record import record, time_side_by_side

TOLERANCE = 1e-4
"""Largest difference between the two ways, relative to the largest value of the output."""

_PLACES = (
    "lavin_dit.st_vae.convolution.convolve_clip",
    "lavin_dit.st_vae.residual.convolve_clip",
)
"""Where the ST-VAE looks up how clips are convolved."""


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
    rows: list[dict[str, object]] = []
    for operation, network, picture in (
        ("encode", model.encoder, pixels),
        ("decode", model.decoder, latent),
    ):
        clip = picture.unsqueeze(2)
        difference = relative_difference(network(picture), through_plain(network, clip).squeeze(2))
        if difference > TOLERANCE:
            raise RuntimeError(f"{preset} {operation}: the two ways differ by {difference:.1e}")
        times = time_side_by_side(
            {
                "image_path": functools.partial(network, picture),
                "plain_3d": functools.partial(through_plain, network, clip),
                "kernel_sums": functools.partial(sum_kernels, network),
            },
            repeats=repeats,
        )
        row: dict[str, object] = {"preset": preset, "size_px": size_px, "operation": operation}
        row |= seconds_and_ratios(times, way="image_path")
        rows.append(row | {"relative_difference": difference})
    return rows


def plain(features: Tensor, weight: Tensor, bias: Tensor | None, *, border: int) -> Tensor:
    """What torch does with a clip."""
    return functional.conv3d(features, weight, bias, padding=(0, border, border))


def through_plain(network: nn.Module, clip: Tensor) -> Tensor:
    """Run a network whose clips are convolved by torch."""
    with mock.patch(_PLACES[0], plain), mock.patch(_PLACES[1], plain):
        return network(clip)


def seconds_and_ratios(times: dict[str, dict[str, float]], *, way: str) -> dict[str, object]:
    """Minimum and median of each contestant, and how many times as long the plain way takes."""
    found: dict[str, object] = {}
    for statistic in ("min_s", "median_s"):
        found |= {f"{name}_{statistic}": values[statistic] for name, values in times.items()}
        ratio = times["plain_3d"][statistic] / times[way][statistic]
        found[f"ratio_of_{statistic.removesuffix('_s')}s"] = ratio
    return found


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
    with torch.inference_mode():
        for case in arguments.cases:
            preset, size_px = case.split(":")
            rows += measure(preset, size_px=int(size_px), repeats=arguments.repeats)
    record("st_vae_image_path", settings={"repeats": arguments.repeats, "batch": 1}, rows=rows)


if __name__ == "__main__":
    main()
