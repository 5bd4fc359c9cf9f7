"""What the tests of two processes start twice for the ST-VAE: every strategy, saved and resumed.

torchrun --standalone --nproc-per-node 2 tests/two_st_vae_processes.py FOLDER STRATEGY ...
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from lavin_dit.data.loader import EpisodeLoader
from lavin_dit.perceptual.efficientnet_lite import EfficientNetLite0
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.discriminator import DiscriminatorConfig, PatchDiscriminator
from lavin_dit.training.clip_batches import ClipBatches
from lavin_dit.training.config import STVAELossConfig
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import Processes, joined_processes, spread
from lavin_dit.training.st_vae_objective import STVAEObjective
from perceptual_weights import lite0_weights
from tiny_mixture import mixture
from tiny_training import ALONE, CONSTANT, LOOP, OPTIMIZER, share_of
from two_processes import Validation

FIRST, LAST = 2, 4
TINY = STVAEConfig(
    block_out_channels=(16, 16, 16, 16),
    layers_per_block=1,
    latent_channels=6,
    encoder_norm_groups=4,
    decoder_norm_groups=4,
    norm_statistics="frame",
    latent_mean=(0.0,),
    latent_scale=(1.0,),
)
LOSS = STVAELossConfig(
    squared_error=1.0,
    l1=0.0,
    perceptual=0.2,
    adversarial=0.5,
    kl=1e-3,
    discriminator_start=1,
    adaptive_weight=False,
)


def clip_batches(processes: Processes, *, seed: int = 4) -> ClipBatches:
    """Eight pictures a step, over all processes."""
    source = mixture(batch_size=2, min_pairs=1, max_pairs=1, seed=seed)
    loader = EpisodeLoader(source, rank=processes.rank, world_size=processes.world_size)
    return ClipBatches(loader, TINY, share=share_of(processes))


def st_vae_training(
    folder: Path, strategy: str, processes: Processes, *, adaptive_weight: bool, num_steps: int
) -> Training:
    """A run with both players and a perceptual network, as freshly built as after a restart."""
    st_vae = STVAE(TINY)
    st_vae.reset_parameters(torch.Generator().manual_seed(0))
    discriminator = PatchDiscriminator(DiscriminatorConfig(widths=(8, 16), norm_groups=4))
    discriminator.reset_parameters(torch.Generator().manual_seed(1))
    objective = STVAEObjective(
        st_vae,
        replace(LOSS, adaptive_weight=adaptive_weight),
        discriminator=discriminator,
        perceptual=EfficientNetLite0(lite0_weights()),
    )
    call = spread(objective, None, processes=processes, strategy=strategy, precision="float32")
    training = Training(
        objective=objective,
        call=call,
        batches=clip_batches(processes),
        processes=processes,
        config=replace(LOOP, num_steps=num_steps, micro_batch_size=2),
        optimizer_config=replace(OPTIMIZER, lr=1e-4),
        schedule=CONSTANT,
        folder=folder,
    )
    batch = next(iter(clip_batches(ALONE, seed=5)))
    training.validate = Validation(training, processes, batch)
    return training


def train(
    folder: Path,
    strategy: str,
    num_steps: int,
    processes: Processes = ALONE,
    *,
    adaptive_weight: bool = False,
) -> None:
    """Go on with a run, by fresh networks."""
    training = st_vae_training(
        folder, strategy, processes, adaptive_weight=adaptive_weight, num_steps=num_steps
    )
    training.resume()
    assert training.run() == "steps"


def main() -> None:
    """Run all strategies, with a fixed weight of the adversarial term and with an adaptive one."""
    torch.set_num_threads(1)
    folder, strategies = Path(sys.argv[1]), sys.argv[2:]
    with joined_processes("cpu") as processes:
        for strategy in strategies:
            for num_steps in (FIRST, LAST):
                train(folder / strategy, strategy, num_steps, processes)
            adaptive = folder / f"adaptive-{strategy}"
            train(adaptive, strategy, FIRST, processes, adaptive_weight=True)


if __name__ == "__main__":
    main()
