"""The randomness of training, as a pure function of (seed, step, place in the batch).

Nothing is stateful, so a resumed run needs no random states, and how a batch is spread over
processes and micro batches changes nothing. Starts of the path are drawn on the training device,
as a CPU can't draw them as fast as a GPU uses them: CPU and GPU have different ones.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lavin_dit.data.order import derived_seed
from lavin_dit.flow.guidance import draw_dropped_conditions
from lavin_dit.flow.timesteps import logit_normal_timesteps
from lavin_dit.training.config import DrawSettings

_SAMPLE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeDraws:
    """What chance decides about one episode.

    Attributes:
        timesteps: Place on the path for each of its targets.
        dropped: Whether it loses its context pairs.
        noise: Start of the path for each of its targets.
    """

    timesteps: Float[Tensor, " n"]
    dropped: Bool[Tensor, ""]
    noise: Float[Tensor, "n c t h w"]


def sample_generator(seed: int, *, step: int, slot: int) -> torch.Generator:
    """Source of what belongs to one sample of one step.

    Args:
        seed: The run's.
        step: Which step.
        slot: Place in the global batch.
    """
    return torch.Generator().manual_seed(derived_seed(seed, _SAMPLE, step, slot) >> 1)


def draw_episode(
    settings: DrawSettings,
    *,
    target_shape: torch.Size,
    generator: torch.Generator,
    device: torch.device,
) -> EpisodeDraws:
    """Draw what chance decides about one episode.

    Args:
        settings: Distributions.
        target_shape: Shape of the episode's target latents, ``n c t h w``.
        generator: From `sample_generator`.
        device: Where noise is drawn and lies; the rest stays on the CPU.
    """
    of_noise = generator
    if device.type != "cpu":
        seed = int(torch.randint(2**62, (), generator=generator))
        of_noise = torch.Generator(device).manual_seed(seed)
    return EpisodeDraws(
        timesteps=logit_normal_timesteps(
            target_shape[0],
            generator=generator,
            mean=settings.timestep_mean,
            std=settings.timestep_std,
        ),
        dropped=draw_dropped_conditions(
            1, generator=generator, probability=settings.condition_dropping
        )[0],
        noise=torch.randn(target_shape, generator=of_noise, device=device),
    )
