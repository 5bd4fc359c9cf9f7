"""Recipes for the ST-VAE, released size and nano: pictures first, then pictures and clips."""

from dataclasses import dataclass, replace

from lavin_dit.recipes.data import DataConfig
from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from lavin_dit.training.config import (
    LoopConfig,
    OptimizerConfig,
    ScheduleConfig,
    Strategy,
    STVAELossConfig,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class STVAERecipe:
    """Everything about a run that trains an ST-VAE.

    Raises:
        ValueError: If numbers contradict each other.
    """

    weights: str | None
    """Folder of an ST-VAE, or of a pipeline, to start from, such as the export of the image stage,
    or nano for what ships with the package; None for random weights. Optimizer and average begin
    anew."""
    freeze_encoder: bool
    """Train the decoder alone: latents and their statistics stay as they are in ``weights``, and so
    do J-DiTs that learned them."""
    model: STVAEConfig
    """Architecture; mean and scale of the latents are measured at each export."""
    data: DataConfig
    """Tasks and sources: inputs and targets of their pairs are what is encoded."""
    loss: STVAELossConfig
    """Weights of the terms."""
    perceptual: str | None
    """File or folder of the network of the perceptual term, as lavin prepare perceptual fetches
    it; needed if and only if the term has a weight."""
    discriminator_widths: tuple[int, ...]
    """Channels of the discriminator after each halving."""
    batch_size: int
    """Clips of a step, over all processes; a multiple of 4, as pairs of pairs are drawn."""
    optimizer: OptimizerConfig
    """AdamW, for both players."""
    schedule: ScheduleConfig
    """Learning rate over the run."""
    loop: LoopConfig
    """Length of the run, precision, how often what is done."""
    strategy: Strategy
    """How several processes share the work: ddp, fsdp, or zero2."""
    compile: bool
    """Compile encoder and decoder with torch.compile."""
    gradient_checkpointing: bool
    """Compute residual blocks again in the backward pass instead of keeping their insides."""
    seed: int
    """Decides starting weights, data and noise."""

    def __post_init__(self) -> None:
        """Check what no part can check alone."""
        if self.batch_size < 4 or self.batch_size % 4:
            raise ValueError(f"batch_size must be a multiple of 4, got {self.batch_size}")
        if self.perceptual is not None and self.loss.perceptual == 0:
            raise ValueError(
                f"perceptual {self.perceptual} is given, but loss.perceptual is 0: give it a weight"
            )
        if self.freeze_encoder and self.weights is None:
            raise ValueError("freeze_encoder is set, but there are no weights to start from")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


def released_recipe(*, joint: bool) -> STVAERecipe:
    """The size of the released ST-VAE.

    Args:
        joint: Pictures and clips, from the weights of the image stage; pictures alone if False.

    Source:
        Paper, section 3.1.1: two stages, four terms. It states no other number: weights of the
        terms, batch and schedule are ours.
    """
    like = JDIT_RECIPES["jdit-0.1b-256"]
    return STVAERecipe(
        weights=None,
        freeze_encoder=False,
        model=replace(
            ST_VAE_PRESETS["released"],
            norm_statistics="frame",
            latent_mean=(0.0,),
            latent_scale=(1.0,),
        ),
        data=like.data,
        loss=STVAELossConfig(
            squared_error=1.0,
            l1=0.0,
            perceptual=0.1,
            adversarial=0.1,
            kl=1e-6,
            discriminator_start=20_000,
            adaptive_weight=True,
        ),
        perceptual=None,
        discriminator_widths=(64, 128, 256),
        batch_size=64 if joint else 256,
        optimizer=OptimizerConfig(lr=1e-4, betas=(0.9, 0.95), weight_decay=0.0, clip_norm=1.0),
        schedule=ScheduleConfig(warmup_steps=1000, decay="constant", final_share=1.0),
        loop=replace(like.loop, num_steps=100_000, ema_decay=0.999),
        strategy="ddp",
        compile=False,
        gradient_checkpointing=joint,
        seed=0,
    )


def nano_recipe(*, joint: bool) -> STVAERecipe:
    """The nano, for one GPU or a CPU.

    Args:
        joint: As in `released_recipe`.

    Source:
        Ours: ``docs/experiments.md``.
    """
    recipe = released_recipe(joint=joint)
    nano = JDIT_RECIPES["jdit-nano-64"]
    return replace(
        recipe,
        model=ST_VAE_PRESETS["nano"],
        data=nano.data,
        loss=replace(recipe.loss, perceptual=0.0, adversarial=0.0),
        batch_size=8,
        optimizer=replace(recipe.optimizer, lr=1.5e-3, betas=(0.9, 0.99)),
        schedule=nano.schedule,
        loop=replace(nano.loop, num_steps=20_000),
        gradient_checkpointing=False,
    )


ST_VAE_RECIPES: dict[str, STVAERecipe] = {
    "st-vae-nano-images": nano_recipe(joint=False),
    "st-vae-nano-joint": nano_recipe(joint=True),
    "st-vae-images": released_recipe(joint=False),
    "st-vae-joint": released_recipe(joint=True),
}
"""Recipes by name. A joint stage starts from an image stage: name its export as ``weights``."""
