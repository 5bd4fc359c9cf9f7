"""A Llama-shaped decoder over picture tokens; the network itself is that of transformers."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lavin_dit.baselines.config import DecoderConfig
from lavin_dit.extras import how_to_install

_INITIAL_STD = 0.02


class NextTokenDecoder(nn.Module):
    """Reads tokens and tells the next one.

    Attributes:
        config: Shape.
        llama: The network.
    """

    llama: Any

    def __init__(self, config: DecoderConfig) -> None:
        """Build a decoder; `reset_parameters` or loading gives it weights.

        Args:
            config: Shape.

        Raises:
            ImportError: If transformers is missing.
        """
        super().__init__()
        try:
            from transformers import LlamaConfig, LlamaForCausalLM  # large
        except ImportError as error:
            raise ImportError(
                f"the next-token baseline needs transformers: {how_to_install('train')}"
            ) from error
        self.config = config
        shape = LlamaConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_kv_heads,
            intermediate_size=config.mlp_hidden_size,
            bos_token_id=None,
            eos_token_id=None,
        )
        with torch.random.fork_rng(devices=[]):  # it draws weights that are not kept
            self.llama = LlamaForCausalLM(shape)

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw fresh weights, as Llama does: normal with a deviation of 0.02, and norms of one.

        Args:
            generator: Source of the numbers, on the weights' device.
        """
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.ndim == 1:
                    parameter.fill_(1.0)
                else:
                    parameter.normal_(0.0, _INITIAL_STD, generator=generator)

    def forward(self, tokens: Int64[Tensor, "b n"]) -> Float[Tensor, "b n d"]:
        """What the network knows at each token, of it and those before it.

        Args:
            tokens: Sequences of one length.
        """
        return self.llama.model(input_ids=tokens, use_cache=False).last_hidden_state

    def logits(self, states: Float[Tensor, "*places d"]) -> Float[Tensor, "*places v"]:
        """Logarithms of how likely each token comes next, up to a constant.

        Args:
            states: From `forward`, at the places of interest.
        """
        return self.llama.lm_head(states)

    @torch.no_grad()
    def write(self, prompt: Int64[Tensor, "b n"], *, count: int) -> Int64[Tensor, "b count"]:
        """Write tokens one after another, the likeliest each time, with cached keys and values.

        Args:
            prompt: Sequences that end where a picture ends.
            count: How many to write; levels take turns, beginning with the first.

        Returns:
            What was written.
        """
        num_codes = self.config.num_codes
        answer = self.llama(input_ids=prompt, use_cache=True, logits_to_keep=1)
        written: list[Tensor] = []
        while True:
            first = (len(written) % self.config.num_levels) * num_codes
            own = answer.logits[:, -1, first : first + num_codes]
            written.append(own.argmax(dim=-1, keepdim=True) + first)
            if len(written) == count:
                return torch.cat(written, dim=1)
            answer = self.llama(
                input_ids=written[-1], past_key_values=answer.past_key_values, use_cache=True
            )


def decoder_flops(config: DecoderConfig, *, num_tokens: int, num_learned: int) -> int:
    """Operations of one forward pass over a sequence, a multiply-add being two.

    Args:
        config: Shape.
        num_tokens: Tokens that are read.
        num_learned: Tokens whose successor is told.

    Source:
        Ours; scores are counted for what a token may see, as in `lavin_dit.jdit.cost`.
    """
    width = config.hidden_size
    keys_values = 2 * width * (width // config.num_heads) * config.num_kv_heads
    layer = 2 * width * width + keys_values + 3 * width * config.mlp_hidden_size
    scores = 2 * width * num_tokens * (num_tokens + 1) // 2
    head = num_learned * width * config.vocabulary
    return 2 * (config.num_layers * (num_tokens * layer + scores) + head)
