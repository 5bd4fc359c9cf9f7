"""Recipes for the J-DiT: the paper's sizes at 256 and 512 pixels, and the nano."""

from dataclasses import dataclass, replace

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.recipes.data import DataConfig
from lavin_dit.training.config import (
    DrawSettings,
    JDiTLossConfig,
    LoopConfig,
    OptimizerConfig,
    ScheduleConfig,
    Strategy,
)
from lavin_dit.weights.defaults import PipelineDefaults, Posterior


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingDefaults:
    """How an exported model is meant to be used, and validation episodes are solved."""

    num_context_pairs: int
    """Pairs that are taken from a folder that has more."""
    num_steps: int
    """Steps of the sampling grid."""
    guidance_scale: float
    """Strength of guidance; 1 is none."""
    solver: str
    """euler, heun or adams_bashforth."""
    num_samples: int
    """Answers that are averaged where the task is one of ``AVERAGED_TASKS``, or none is named."""
    grid: str = "linear_quadratic"
    """linear_quadratic, the release's, or uniform, the paper's."""
    keep_detail: bool = True
    """Weigh predictions against queries, and give them the detail that the ST-VAE loses of them, as
    far as pairs share it."""
    restoration_guidance_scale: float | None = None
    """Strength of guidance for tasks that restore photos; that of the others if None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JDiTRecipe:
    """Everything about a run that trains a J-DiT.

    Raises:
        ValueError: If numbers contradict each other.
    """

    st_vae: str
    """Folder of the trained ST-VAE whose latents are learned, or of a pipeline that has one;
    nano for that which ships with the package."""
    weights: str | None
    """Folder of a J-DiT, or of a pipeline, to start from, or nano for what ships with the package;
    None for random weights. Optimizer and average begin anew."""
    model: JDiTConfig
    """Architecture."""
    data: DataConfig
    """Tasks and sources."""
    loss: JDiTLossConfig
    """What is supervised."""
    draws: DrawSettings
    """What chance decides."""
    posterior: Posterior
    """Whether latents are samples of the ST-VAE's posterior or its mode."""
    batch_size: int
    """Episodes of a step, over all processes."""
    optimizer: OptimizerConfig
    """AdamW, or Muon for the blocks' matrices."""
    schedule: ScheduleConfig
    """Learning rate over the run."""
    loop: LoopConfig
    """Length of the run, precision, how often what is done."""
    strategy: Strategy
    """How several processes share the work: ddp, fsdp, or zero2."""
    compile: bool
    """Compile the transformer blocks with torch.compile."""
    gradient_checkpointing: bool
    """Compute blocks again in the backward pass instead of keeping what they computed."""
    sampling: SamplingDefaults
    """How the result is meant to be used."""
    seed: int
    """Decides starting weights, data and noise."""

    def __post_init__(self) -> None:
        """Check what no part can check alone."""
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if self.loss.supervision == "dense" and self.model.context_attention != "causal":
            raise ValueError(
                "loss.supervision 'dense' needs model.context_attention 'causal', got "
                f"{self.model.context_attention!r}"
            )
        self.pipeline_defaults()  # not an hour later, when the first export is written

    def pipeline_defaults(self) -> PipelineDefaults:
        """How the trained pipeline is meant to be used.

        Raises:
            ValueError: If a value of ``sampling`` is out of range.
        """
        return PipelineDefaults(
            height=self.data.height,
            width=self.data.width,
            num_context_pairs=self.sampling.num_context_pairs,
            num_steps=self.sampling.num_steps,
            guidance_scale=self.sampling.guidance_scale,
            solver=self.sampling.solver,
            grid=self.sampling.grid,
            posterior="mode",
            num_samples=self.sampling.num_samples,
            keep_detail=self.sampling.keep_detail,
            restoration_guidance_scale=self.sampling.restoration_guidance_scale,
        )


def _data(side: int) -> DataConfig:
    """Data settings that all recipes share; the sources are the user's."""
    return DataConfig(
        sources=(),
        clip_sources=(),
        validation_sources=(),
        validation_clip_sources=(),
        tasks=(),
        weights=(),
        mixture=None,
        height=side,
        width=side,
        num_frames=13,
        min_pairs=1,
        max_pairs=8,
        min_area=0.4,
        max_stretch=1.25,
        workers=8,
        latents=None,
        latent_episodes=500,
    )


def paper_recipe(size: str, *, side: int) -> JDiTRecipe:
    """The paper's training of one size.

    Args:
        size: ``0.1b``, ``1.0b`` or ``3.4b``.
        side: 256 for the first 100,000 steps, 512 for the 20,000 that follow.

    Source:
        Paper, section 4.1 and table 3.
    """
    first = side == 256
    return JDiTRecipe(
        st_vae="",
        weights=None,
        model=JDIT_PRESETS[size],
        data=_data(side),
        loss=JDiTLossConfig(supervision="single", l1_weight=0.0),
        draws=DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.1),
        posterior="sample",
        batch_size=640,
        optimizer=OptimizerConfig(
            lr=1e-4 if first else 5e-5, betas=(0.9, 0.95), weight_decay=0.01, clip_norm=1.0
        ),
        schedule=ScheduleConfig(warmup_steps=0, decay="constant", final_share=1.0),
        loop=LoopConfig(
            num_steps=100_000 if first else 20_000,
            budget=None,
            micro_batch_size=None,
            precision="bfloat16",
            ema_decay=0.9999,
            log_every=20,
            checkpoint_every=1000,
            keep_checkpoints=3,
            validate_every=2000,
            max_skipped_in_a_row=10,
        ),
        strategy="zero2",
        compile=True,
        gradient_checkpointing=size == "3.4b",
        sampling=SamplingDefaults(
            num_context_pairs=4, num_steps=19, guidance_scale=1.5, solver="euler", num_samples=1
        ),
        seed=0,
    )


def nano_recipe(*, side: int) -> JDiTRecipe:
    """The nano, for one GPU or a CPU.

    Args:
        side: Height and width of episodes in pixels.

    Source:
        Ours: ``docs/experiments.md``.
    """
    recipe = paper_recipe("0.1b", side=256)
    return replace(
        recipe,
        model=JDIT_PRESETS["nano"],
        data=replace(recipe.data, height=side, width=side, workers=2, min_area=0.5),
        loss=JDiTLossConfig(supervision="dense", l1_weight=0.0),
        posterior="mode",
        batch_size=8,
        optimizer=replace(recipe.optimizer, lr=2e-3, betas=(0.9, 0.99)),
        schedule=ScheduleConfig(warmup_steps=100, decay="cosine", final_share=0.02),
        loop=replace(
            recipe.loop,
            num_steps=20_000,
            precision="float32",
            ema_decay=0.999,
            checkpoint_every=500,
            keep_checkpoints=2,
            validate_every=1000,
        ),
        strategy="ddp",
        compile=False,
        sampling=SamplingDefaults(
            num_context_pairs=4,
            num_steps=4,
            guidance_scale=2.0,
            solver="euler",
            num_samples=8,
            restoration_guidance_scale=1.5,
        ),
    )


JDIT_RECIPES: dict[str, JDiTRecipe] = {
    "jdit-nano-64": nano_recipe(side=64),
    "jdit-nano-128": nano_recipe(side=128),
    "jdit-0.1b-256": paper_recipe("0.1b", side=256),
    "jdit-0.1b-512": paper_recipe("0.1b", side=512),
    "jdit-1.0b-256": paper_recipe("1.0b", side=256),
    "jdit-1.0b-512": paper_recipe("1.0b", side=512),
    "jdit-3.4b-256": paper_recipe("3.4b", side=256),
    "jdit-3.4b-512": paper_recipe("3.4b", side=512),
}
"""Recipes by name. Those of 512 pixels continue a run at 256: name its export as ``weights``."""
