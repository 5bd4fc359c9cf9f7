"""The way out of the network: from target tokens to patches of velocity."""

from jaxtyping import Float
from torch import Tensor, nn

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.modulation import by_run, modulate
from lavin_dit.jdit.normalisation import rms_norm


class FinalLayer(nn.Module):
    """Last norm, a scale from the time vector, and the projection to patches.

    Source:
        Not stated in the paper; the released code's.
    """

    def __init__(self, config: JDiTConfig) -> None:
        """Create the projection and its modulation."""
        super().__init__()
        self.linear = nn.Linear(config.hidden_size, config.patch_dim)
        self.adaLN_modulation = nn.Sequential(
            nn.SiLU(), nn.Linear(config.hidden_size, config.hidden_size)
        )

    def forward(
        self, hidden: Float[Tensor, "b n d"], time_vector: Float[Tensor, "b *g d"]
    ) -> Float[Tensor, "b n patch_dim"]:
        """Turn target tokens into velocity patches."""
        scale = by_run(self.adaLN_modulation(time_vector))
        return self.linear(modulate(rms_norm(hidden), scale))
