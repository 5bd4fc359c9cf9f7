"""Recipes for the next-token baseline, on the data of the J-DiT nano."""

from dataclasses import dataclass, replace

from lavin_dit.baselines.config import CodebookConfig, DecoderConfig, TokenSupervision
from lavin_dit.recipes.data import DataConfig
from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.training.config import DrawSettings, LoopConfig, OptimizerConfig, ScheduleConfig
from lavin_dit.weights.defaults import Posterior

NO_DRAWS = DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.0)
"""What a J-DiT would draw of an episode; nothing here depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTokenRecipe:
    """Everything about a run that trains the next-token baseline.

    Raises:
        ValueError: If numbers contradict each other.
    """

    st_vae: str
    """Folder of the trained ST-VAE whose latents become tokens, or of a pipeline that has one;
    nano for that which ships with the package."""
    model: DecoderConfig
    """Architecture."""
    codebook_episodes: int
    """Episodes of the training data that the codebooks are fitted to, before the first step."""
    data: DataConfig
    """Tasks and sources. With the seed of a J-DiT's run, the episodes are the same."""
    supervision: TokenSupervision
    """all tokens, or those of targets that have a pair before them."""
    batch_size: int
    """Episodes of a step, over all processes."""
    optimizer: OptimizerConfig
    """AdamW."""
    schedule: ScheduleConfig
    """Learning rate over the run."""
    loop: LoopConfig
    """Length of the run, precision, how often what is done."""
    num_context_pairs: int
    """Pairs of the episodes that it is validated on."""
    seed: int
    """Decides starting weights and data."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("codebook_episodes", "batch_size", "num_context_pairs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.supervision not in ("all", "targets"):
            raise ValueError(f"supervision must be 'all' or 'targets', got {self.supervision!r}")
        if self.data.clip_sources or self.data.validation_clip_sources:
            raise ValueError(
                "the next-token baseline is trained on images alone: leave out "
                "data.clip_sources and data.validation_clip_sources"
            )

    @property
    def draws(self) -> DrawSettings:
        """What a J-DiT would draw of an episode; nothing here depends on it."""
        return NO_DRAWS

    @property
    def posterior(self) -> Posterior:
        """Latents are the mode."""
        return "mode"

    def codebooks(self, *, latent_channels: int) -> CodebookConfig:
        """Shape of the codebooks.

        Args:
            latent_channels: Of the autoencoder.
        """
        return CodebookConfig(
            num_codes=self.model.num_codes,
            num_levels=self.model.num_levels,
            latent_channels=latent_channels,
        )


def next_token_recipe(*, side: int) -> NextTokenRecipe:
    """A decoder with the J-DiT nano's blocks.

    Args:
        side: Height and width of episodes in pixels.

    Source:
        Ours: ``docs/evaluation.md``.
    """
    nano = JDIT_RECIPES[f"jdit-nano-{side}"]
    return NextTokenRecipe(
        st_vae="",
        model=DecoderConfig(
            num_codes=4096,
            num_levels=1,
            hidden_size=nano.model.hidden_size,
            num_layers=nano.model.num_layers,
            num_heads=nano.model.num_heads,
            num_kv_heads=nano.model.num_kv_heads,
            mlp_hidden_size=nano.model.mlp_hidden_size,
        ),
        codebook_episodes=400,
        data=nano.data,
        supervision="targets",
        batch_size=nano.batch_size,
        optimizer=replace(nano.optimizer, lr=1e-3, betas=(0.9, 0.95)),
        schedule=nano.schedule,
        loop=nano.loop,
        num_context_pairs=nano.sampling.num_context_pairs,
        seed=nano.seed,
    )


NEXT_TOKEN_RECIPES: dict[str, NextTokenRecipe] = {
    "next-token-nano-64": next_token_recipe(side=64),
    "next-token-nano-128": next_token_recipe(side=128),
}
"""Recipes by name."""
