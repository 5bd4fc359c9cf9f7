"""What can be set about a run: plain numbers, which a command line can show without torch."""

from dataclasses import dataclass
from typing import Literal

from lavin_dit.training.stopping import parse_duration

Decay = Literal["constant", "cosine"]
Supervision = Literal["single", "dense"]
Strategy = Literal["ddp", "fsdp", "zero2"]
Precision = Literal["float32", "bfloat16"]
MatrixRule = Literal["adamw", "muon"]
_ST_VAE_WEIGHTS = ("squared_error", "l1", "perceptual", "adversarial", "kl")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """AdamW, or Muon for some of the weights, and gradient clipping.

    Raises:
        ValueError: If a value is out of range.

    Source:
        Paper table 3 and section 4.1: 1e-4, (0.9, 0.95), 0.01, 1.0.
    """

    lr: float
    """Full learning rate."""
    betas: tuple[float, float]
    """Decay of the averages of gradients and of their squares."""
    weight_decay: float
    """Decoupled weight decay, on all parameters."""
    clip_norm: float
    """Largest norm of a player's gradient; what is longer is scaled down."""
    matrices: MatrixRule = "adamw"
    """Who steps the matrices of a J-DiT's attention and feed-forward layers: adamw, or muon, whose
    steps are orthogonal matrices as long as AdamW's. AdamW steps everything else."""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.matrices not in ("adamw", "muon"):
            raise ValueError(f"matrices must be 'adamw' or 'muon', got {self.matrices!r}")
        for name in ("lr", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas must lie in [0, 1), got {self.betas}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate moves.

    Raises:
        ValueError: If a number is out of range.

    Source:
        Paper, section 4.1: constant, no warm-up. The rest is ours, for short runs.
    """

    warmup_steps: int
    """Steps over which the rate rises in a straight line to its full value; 0 for none."""
    decay: Decay
    """constant, or cosine: half a cosine over the run, down to the final share."""
    final_share: float
    """Share of the full rate at the end of a cosine."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.warmup_steps < 0:
            raise ValueError(f"warmup_steps must not be negative, got {self.warmup_steps}")
        if self.decay not in ("constant", "cosine"):
            raise ValueError(f"decay must be 'constant' or 'cosine', got {self.decay!r}")
        if not 0.0 <= self.final_share <= 1.0:
            raise ValueError(f"final_share must lie in [0, 1], got {self.final_share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSettings:
    """What the draws of an episode are distributed like.

    Raises:
        ValueError: If a number is out of range.

    Source:
        Paper algorithm 1, line 5, and table 3 ("uncond. ratio").
    """

    timestep_mean: float
    """Mean of the normal variable whose sigmoid is a timestep; above 0 leans toward the latent."""
    timestep_std: float
    """Its standard deviation."""
    condition_dropping: float
    """Chance that an episode loses its context pairs."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not self.timestep_std > 0:
            raise ValueError(f"timestep_std must be positive, got {self.timestep_std}")
        if not 0 <= self.condition_dropping <= 1:
            raise ValueError(
                f"condition_dropping must lie in [0, 1], got {self.condition_dropping}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class JDiTLossConfig:
    """How a J-DiT is supervised.

    Raises:
        ValueError: If a value is out of range.
    """

    supervision: Supervision
    """single: the query's target (the paper). dense: every target that has a pair before it, in
    one pass; needs causal context."""
    l1_weight: float
    """Weight of the absolute error added to the squared one; the release has 0.1, the paper 0."""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.supervision not in ("single", "dense"):
            raise ValueError(f"supervision must be 'single' or 'dense', got {self.supervision!r}")
        if self.l1_weight < 0:
            raise ValueError(f"l1_weight must not be negative, got {self.l1_weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How long a run is, how it steps, and how often it does what.

    Raises:
        ValueError: If a number is out of range.
    """

    num_steps: int
    """Optimizer steps of the whole run."""
    budget: str | None
    """Time after which the run ends, such as 9m or 2h, over all its sessions; the schedule then
    follows the time. None for no limit."""
    micro_batch_size: int | None
    """Samples that a process computes at once; gradients add up over a step. None for all."""
    precision: Precision
    """bfloat16 (autocast, on a GPU) or float32."""
    ema_decay: float
    """Final decay of the average of the weights."""
    log_every: int
    """Steps between two lines of metrics."""
    checkpoint_every: int
    """Steps between two checkpoints."""
    keep_checkpoints: int
    """Checkpoints that are kept."""
    validate_every: int
    """Steps between two validations; 0 for none but the last."""
    max_skipped_in_a_row: int
    """Steps in a row that may be skipped because something was not finite."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in ("num_steps", "log_every", "checkpoint_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.micro_batch_size is not None and self.micro_batch_size < 1:
            raise ValueError(f"micro_batch_size must be at least 1, got {self.micro_batch_size}")
        for name in ("validate_every", "max_skipped_in_a_row"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16, got {self.precision!r}")
        if self.budget is not None:
            parse_duration(self.budget)


@dataclass(frozen=True, slots=True, kw_only=True)
class STVAELossConfig:
    """How the terms of the loss are weighed.

    Raises:
        ValueError: If a number is out of its range.

    Source:
        Paper, section 3.1.1 names the terms (squared error, perceptual, adversarial, divergence)
        and states no weights.
    """

    squared_error: float
    """Weight of the mean squared error of pixels in [-1, 1]."""

    l1: float
    """Weight of the mean absolute error of pixels in [-1, 1]; not in the paper."""

    perceptual: float
    """Weight of the perceptual distance, over every frame; above 0 it needs a network."""

    adversarial: float
    """Weight of the adversarial term; above 0 it needs a discriminator."""

    kl: float
    """Weight of the divergence in nats for each value of the clip."""

    discriminator_start: int
    """Step from which both players play; before it the two terms count nothing."""

    adaptive_weight: bool
    """Whether the adversarial term is also scaled such that, at ``adversarial`` 1, it pulls at the
    decoder's last convolution as strongly as the terms of reconstruction do together."""

    def __post_init__(self) -> None:
        """Refuse weights with which nothing is learned."""
        for name in (*_ST_VAE_WEIGHTS, "discriminator_start"):
            value: float = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise ValueError(f"{name} {value} must be finite and at least 0")
        if self.squared_error + self.l1 + self.perceptual == 0:
            raise ValueError("squared_error, l1 and perceptual are all 0: nothing to reconstruct")
