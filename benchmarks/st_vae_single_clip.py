"""How much faster one clip goes through the ST-VAE as pictures side by side than in torch's 3-D.

Both ways run on the same weights and give the same numbers up to rounding, which is checked first.
The plain way is ``torch.nn.functional.conv3d``, put in the place of
`lavin_dit.st_vae.convolution.convolve_clip`. The two take turns, so that a slow moment of the
machine meets both.

    python benchmarks/st_vae_single_clip.py
"""

import argparse

import torch

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from record import record, time_side_by_side
from st_vae_image_path import (
    TOLERANCE,
    randomise,
    relative_difference,
    seconds_and_ratios,
    through_plain,
)


def measure(preset: str, *, size_px: int, num_frames: int, repeats: int) -> list[dict[str, object]]:
    """Time encoder and decoder of one preset on one clip.

    Args:
        preset: Name in ``ST_VAE_PRESETS``.
        size_px: Height and width.
        num_frames: Frames, 1 + 4k.
        repeats: Timed runs of each way, after one that is not timed.

    Returns:
        One row for the encoder and one for the decoder; times in seconds.
    """
    generator = torch.Generator().manual_seed(0)
    model = STVAE(ST_VAE_PRESETS[preset])
    randomise(model, generator)
    clip = torch.rand(1, 3, num_frames, size_px, size_px, generator=generator) * 2 - 1
    latent_px = size_px // STVAE.SPATIAL_COMPRESSION
    latent_frames = 1 + (num_frames - 1) // STVAE.TEMPORAL_COMPRESSION
    shape = 1, model.config.latent_channels, latent_frames, latent_px, latent_px
    latent = torch.randn(shape, generator=generator)
    rows: list[dict[str, object]] = []
    for operation, network, given in (
        ("encode", model.encoder, clip),
        ("decode", model.decoder, latent),
    ):
        difference = relative_difference(network(given), through_plain(network, given))
        if difference > TOLERANCE:
            raise RuntimeError(f"{preset} {operation}: the two ways differ by {difference:.1e}")
        times = time_side_by_side(
            {
                "side_by_side": lambda network=network, given=given: network(given),
                "plain_3d": lambda network=network, given=given: through_plain(network, given),
            },
            repeats=repeats,
        )
        row: dict[str, object] = {
            "preset": preset, "size_px": size_px, "frames": num_frames, "operation": operation
        }  # fmt: skip
        row |= seconds_and_ratios(times, way="side_by_side")
        rows.append(row | {"relative_difference": difference})
    return rows


def main() -> None:
    """Measure, print a table and write the results."""
    parser = argparse.ArgumentParser(description="single clips through the ST-VAE")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--num-frames", type=int, default=13)
    parser.add_argument(
        "--cases",
        nargs="+",
        default=["nano:64", "nano:128", "released:64", "released:128"],
        help="preset:size_px",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: list[dict[str, object]] = []
    with torch.inference_mode():
        for case in arguments.cases:
            preset, size_px = case.split(":")
            rows += measure(
                preset,
                size_px=int(size_px),
                num_frames=arguments.num_frames,
                repeats=arguments.repeats,
            )
    settings = {"repeats": arguments.repeats, "batch": 1}
    record("st_vae_single_clip", settings=settings, rows=rows)


if __name__ == "__main__":
    main()
