"""What can be set about learning a new task from few pairs."""

from dataclasses import dataclass

from lavin_dit.training.config import DrawSettings, LoopConfig, OptimizerConfig, ScheduleConfig

MIN_PAIRS = 4
"""Fewest pairs that an adapter is trained on: one is held out, and a query needs context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneRecipe:
    """Everything about a run that trains an adapter.

    Raises:
        ValueError: If numbers contradict each other.
    """

    pairs: str
    """Folder of pairs, <id>_input.png and <id>_target.png; clips too."""
    model: str
    """Folder of the pipeline that learns the task, or its name on the hub."""
    rank: int
    """Rank of the change of each layer: more learns more, and overfits sooner."""
    height: int | None
    """Working height in pixels; the model's own if None."""
    width: int | None
    """Working width in pixels; the model's own if None."""
    held_out: float
    """Share of the pairs that is not trained on; the adapter that does best on it is kept."""
    min_pairs: int
    """Fewest context pairs."""
    max_pairs: int | None
    """Most context pairs; what the model takes at inference if None."""
    num_views: int
    """Views of each pair that are encoded: one as at inference, the others random windows."""
    min_area: float
    """Smallest share of a picture that a random window keeps."""
    flip: bool
    """Mirror half of the windows; not for a task that tells left from right."""
    draws: DrawSettings
    """What chance decides."""
    batch_size: int
    """Episodes of a step, over all processes."""
    optimizer: OptimizerConfig
    """AdamW."""
    schedule: ScheduleConfig
    """Learning rate over the run."""
    loop: LoopConfig
    """Length of the run, precision, how often what is done."""
    gradient_checkpointing: bool
    """Compute blocks again in the backward pass instead of keeping what they computed."""
    seed: int
    """Decides which pairs are held out, starting values, views and noise."""

    def __post_init__(self) -> None:
        """Check what no part can check alone."""
        for name in ("rank", "batch_size", "min_pairs", "num_views"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.max_pairs is not None and self.max_pairs < self.min_pairs:
            raise ValueError(
                f"max_pairs {self.max_pairs} must be at least min_pairs {self.min_pairs}"
            )
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out must lie between 0 and 1, got {self.held_out}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")


def finetune_recipe(*, pairs: str, model: str) -> FinetuneRecipe:
    """The usual settings, for 10 to 100 pairs.

    Args:
        pairs: Folder of pairs.
        model: Folder of a pipeline, or its name on the hub.

    Source:
        Ours; the paper trains nothing of the kind.
    """
    return FinetuneRecipe(
        pairs=pairs,
        model=model,
        rank=16,
        height=None,
        width=None,
        held_out=0.2,
        min_pairs=1,
        max_pairs=None,
        num_views=8,
        min_area=0.5,
        flip=True,
        draws=DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.1),
        batch_size=4,
        optimizer=OptimizerConfig(lr=5e-4, betas=(0.9, 0.99), weight_decay=0.01, clip_norm=1.0),
        schedule=ScheduleConfig(warmup_steps=20, decay="cosine", final_share=0.05),
        loop=LoopConfig(
            num_steps=500,
            budget=None,
            micro_batch_size=None,
            precision="float32",
            ema_decay=0.99,
            log_every=10,
            checkpoint_every=100,
            keep_checkpoints=1,
            validate_every=50,
            max_skipped_in_a_row=10,
        ),
        gradient_checkpointing=False,
        seed=0,
    )
