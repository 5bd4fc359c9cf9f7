"""Next-token loss on the episodes that a J-DiT is trained on.

An episode is one sequence: input, target, input, target, ..., query, its target. There are no marks
between pictures, as all are equally long.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from lavin_dit.baselines.codebooks import Codebooks
from lavin_dit.baselines.config import TokenSupervision
from lavin_dit.baselines.decoder import NextTokenDecoder
from lavin_dit.training.jdit_objective import LatentEpisodes
from lavin_dit.training.objective import Losses


class NextTokenObjective(nn.Module):
    """Cross entropy of the next token.

    Of an episode it takes the latents alone: noise, timesteps and dropped pairs are not its own.

    Attributes:
        decoder: The network.
        codebooks: What turns latents into tokens.
        supervision: Which tokens are learned.

    Source:
        Bai et al. 2023, section 3.2: all tokens. Learning targets alone is ours.
    """

    def __init__(
        self, decoder: NextTokenDecoder, codebooks: Codebooks, *, supervision: TokenSupervision
    ) -> None:
        """Take a network, which is then trained.

        Args:
            decoder: The network.
            codebooks: What turns latents into tokens, on the network's device.
            supervision: ``all`` tokens, or those of ``targets`` that have a pair before them.
        """
        super().__init__()
        self.decoder = decoder
        self.codebooks = codebooks
        self.supervision: TokenSupervision = supervision

    @property
    def trained(self) -> nn.Module:
        """The decoder."""
        return self.decoder

    def parameter_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """One player."""
        return {"decoder": list(self.decoder.parameters())}

    def forward(self, batch: LatentEpisodes, step: int) -> Losses:
        """Mean over tokens in nats; logged too for the query's target, alone and task by task."""
        del step
        given, learned = (self._tokens(clips) for clips in (batch.inputs, batch.targets))
        pairs = torch.cat([given, learned], dim=2)
        num_pairs, num_given = given.shape[1:]
        states = self.decoder(pairs.flatten(1))
        # Beside each token stands what was known before it.
        before = functional.pad(states[:, :-1], (0, 0, 1, 0)).unflatten(1, (num_pairs, -1))
        if self.supervision == "all":
            losses = self._losses(before.flatten(1, 2)[:, 1:], pairs.flatten(1)[:, 1:])
            query = self._losses(before[:, -1, num_given:], learned[:, -1]).detach()
        else:
            first = min(1, num_pairs - 1)
            losses = self._losses(before[:, first:, num_given:], learned[:, first:])
            query = losses.detach()[:, -1]
        of_query = query.mean(dim=1)
        logged = {"loss": losses.detach().mean(), "loss_query": of_query.mean()}
        return Losses(total=losses.mean(), logged=logged | _by_task(batch.tasks, of_query))

    def _tokens(self, clips: Float[Tensor, "b n c s h w"]) -> Int64[Tensor, "b n tokens"]:
        """Tokens of all clips of a kind."""
        return self.codebooks.encode(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])

    def _losses(
        self, states: Float[Tensor, "*places d"], tokens: Int64[Tensor, "*places"]
    ) -> Float[Tensor, "*places"]:
        """Loss of each token."""
        logits = self.decoder.logits(states).float()
        losses = functional.cross_entropy(logits.flatten(0, -2), tokens.flatten(), reduction="none")
        return losses.reshape(tokens.shape)


def _by_task(tasks: tuple[str, ...], losses: Float[Tensor, " b"]) -> dict[str, Tensor]:
    """Mean loss of each task."""
    values: dict[str, list[Tensor]] = {}
    for task, loss in zip(tasks, losses, strict=True):
        values.setdefault(task, []).append(loss)
    return {f"loss_query/{task}": torch.stack(of_task).mean() for task, of_task in values.items()}
