"""Flow matching loss of a J-DiT on episodes of latents: Algorithm 1 of the paper, and dense causal.

An episode is ``n`` pairs of latents; the last is the query and its target. With single supervision
the last target alone is learned. With dense supervision, which causal context allows, every target
that has a pair before it is, in one pass.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lavin_dit.flow.guidance import null_condition
from lavin_dit.flow.loss import flow_matching_loss
from lavin_dit.flow.path import interpolate, velocity
from lavin_dit.jdit.model import JDiT
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.objective import Losses


class LatentEpisodes(NamedTuple):
    """Episodes of one shape, as the objective takes them."""

    inputs: Float[Tensor, "b n c s h w"]
    """Normalised latents of the inputs; the query's is the last."""
    targets: Float[Tensor, "b n c t h w"]
    """Normalised latents of the targets."""
    noise: Float[Tensor, "b n c t h w"]
    """Starts of the path."""
    timesteps: Float[Tensor, "b n"]
    """Places on the path."""
    dropped: Bool[Tensor, " b"]
    """Which episodes lose their pairs."""
    tasks: tuple[str, ...]
    """Name of each episode's task, for the log."""
    generators: tuple[torch.Generator, ...]
    """Source of drop path's randomness, for each episode."""

    def slice_episodes(self, start: int, stop: int) -> "LatentEpisodes":
        """Some of the episodes."""
        return LatentEpisodes(
            inputs=self.inputs[start:stop],
            targets=self.targets[start:stop],
            noise=self.noise[start:stop],
            timesteps=self.timesteps[start:stop],
            dropped=self.dropped[start:stop],
            tasks=self.tasks[start:stop],
            generators=self.generators[start:stop],
        )


class JDiTObjective(nn.Module):
    """Flow matching loss of a J-DiT.

    Attributes:
        jdit: The network.
        config: How it is supervised.
        lockstep: Whether the network is called equally often for every batch.

    Source:
        Paper algorithm 1 and equation 1; dense supervision is ours (decision 0015).
    """

    def __init__(self, jdit: JDiT, config: JDiTLossConfig, *, lockstep: bool = False) -> None:
        """Take a network, which is then trained.

        Args:
            jdit: The network. Parameters that no prediction depends on are frozen.
            config: How it is supervised.
            lockstep: Call the network equally often for every batch, whatever chance drops. Where
                weights are sharded, each call gathers them from all processes, so none may call
                more often than another.

        Raises:
            ValueError: If dense supervision is asked of a network with joint context.
        """
        super().__init__()
        if config.supervision == "dense" and jdit.config.context_attention != "causal":
            raise ValueError(
                "dense supervision needs context_attention 'causal', got "
                f"{jdit.config.context_attention!r}: with joint context the condition sees the "
                "noisy target, so each target needs a condition of its own"
            )
        self.jdit = jdit
        self.config = config
        self.lockstep = lockstep
        for _, parameter in jdit.idle_parameters():
            parameter.requires_grad = False

    @property
    def trained(self) -> nn.Module:
        """The J-DiT."""
        return self.jdit

    def parameter_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """One player."""
        return {"jdit": [p for p in self.jdit.parameters() if p.requires_grad]}

    def forward(self, batch: LatentEpisodes, step: int) -> Losses:
        """Mean over episodes of each one's loss, and the mean of each task."""
        del step
        kept, lost = (~batch.dropped).nonzero()[:, 0], batch.dropped.nonzero()[:, 0]
        parts: list[Tensor] = []
        unused: list[Tensor] = []
        for places, loss_of in ((kept, self._with_pairs), (lost, self._without_pairs)):
            if len(places):
                parts.append(loss_of(batch, places))
            elif self.lockstep:
                unused.append(loss_of(batch, places.new_zeros(1)))
        losses = torch.cat(parts)
        logged = {"loss": losses.detach().mean()}
        if len(kept):
            logged |= self._by_task(batch.tasks, kept, parts[0])
        if len(lost):
            logged["loss_without_pairs"] = parts[-1].detach().mean()
        assert len(losses) == len(batch.tasks), "every episode is either kept or dropped"
        total = losses.mean() + sum(0.0 * loss.sum() for loss in unused)
        return Losses(total=total, logged=logged)

    def _with_pairs(self, batch: LatentEpisodes, places: Tensor) -> Float[Tensor, " k"]:
        """Loss of the episodes that keep their pairs."""
        inputs, targets = batch.inputs[places], batch.targets[places]
        noise, timesteps = batch.noise[places], batch.timesteps[places]
        generators = [batch.generators[place] for place in places.tolist()]
        num_pairs = inputs.shape[1]
        first = 1 if self.config.supervision == "dense" and num_pairs > 1 else num_pairs - 1
        condition, clip_frames = interleaved(inputs, targets)
        learned, start, time = targets[:, first:], noise[:, first:], timesteps[:, first:]
        states = interpolate(learned, noise=start, timestep=time)
        if self.jdit.config.context_attention == "causal":
            predicted = self.jdit.supervise(
                states,
                time,
                condition,
                clip_frames=clip_frames,
                views=[2 * pair + 1 for pair in range(first, num_pairs)],
                generator=generators,
            )
        else:
            predicted = self.jdit(
                states[:, 0], time[:, 0], condition, generator=generators
            ).unsqueeze(1)
        return self._loss(predicted, velocity(learned, noise=start))

    def _without_pairs(self, batch: LatentEpisodes, places: Tensor) -> Float[Tensor, " k"]:
        """Loss of the episodes that keep the query alone."""
        query, target = batch.inputs[places, -1], batch.targets[places, -1]
        noise, time = batch.noise[places, -1], batch.timesteps[places, -1]
        predicted = self.jdit(
            interpolate(target, noise=noise, timestep=time),
            time,
            null_condition(query),
            clip_frames=(1, query.shape[2]),
            generator=[batch.generators[place] for place in places.tolist()],
        )
        return self._loss(predicted, velocity(target, noise=noise))

    def _loss(self, predicted: Tensor, target: Tensor) -> Float[Tensor, " k"]:
        return flow_matching_loss(predicted, target=target, l1_weight=self.config.l1_weight)

    @staticmethod
    def _by_task(tasks: tuple[str, ...], places: Tensor, losses: Tensor) -> dict[str, Tensor]:
        """Mean loss of each task, of the episodes that keep their pairs."""
        of_episodes = [tasks[place] for place in places.tolist()]
        names = sorted(set(of_episodes))
        members = torch.tensor([[name == one for one in of_episodes] for name in names])
        shares = members / members.sum(dim=1, keepdim=True)
        means = shares.to(losses) @ losses.detach()  # one product, not a sum for each task
        return {f"loss/{name}": mean for name, mean in zip(names, means.unbind(), strict=True)}


def interleaved(
    inputs: Float[Tensor, "b n c s h w"], targets: Float[Tensor, "b n c t h w"]
) -> tuple[Float[Tensor, "b c frames h w"], tuple[int, ...]]:
    """Input, target, input, ..., query: the condition of an episode, and frames of each clip."""
    num_pairs, input_frames, target_frames = inputs.shape[1], inputs.shape[3], targets.shape[3]
    pairs = torch.cat([inputs[:, :-1], targets[:, :-1]], dim=3)
    context = rearrange(pairs, "b n c t h w -> b c (n t) h w")
    condition = torch.cat([context, inputs[:, -1]], dim=2)
    return condition, (input_frames, target_frames) * (num_pairs - 1) + (input_frames,)
