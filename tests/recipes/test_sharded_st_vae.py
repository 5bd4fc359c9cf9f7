"""An ST-VAE whose weights are shards, with 16 bits, from the command line to its export."""

from pathlib import Path

import pytest

from lavin_dit.cli import main
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.run_folder import read_metrics
from lavin_dit.weights.store import load_model
from two_processes import launch_two

PROGRAM = Path(__file__).parents[1] / "tiny_mixture.py"


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["fsdp", "zero2"])
def test_it_is_validated_and_exported(tmp_path, strategy):
    run = tmp_path / "run"
    words = (
        *("train", "st-vae-nano-images", "--run", run, "--device", "cpu", "--strategy", strategy),
        *("--data.mixture", f"{PROGRAM}:mixture", "--data.height", 32, "--data.width", 48),
        *("--data.workers", 0, "--batch-size", 8, "--loop.num-steps", 2),
        *("--loop.micro-batch-size", 2, "--loop.precision", "bfloat16"),
        *("--model.block-out-channels", 32, 32, 32, 32, "--model.layers-per-block", 1),
        *("--model.encoder-norm-groups", 8, "--model.decoder-norm-groups", 8),
    )
    launch_two(Path(main.__file__), *map(str, words))
    assert read_metrics(run)[-1]["validation/psnr_db/images_inputs"] > 0
    assert load_model(STVAE, STVAEConfig, run / "export").config.latent_channels == 16
