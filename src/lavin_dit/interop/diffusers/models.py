"""Both networks as diffusers models.

A `JDiTModel` is a `JDiT` and an `STVAEModel` is an `STVAE`: same code, same names of weights, and
``config`` is the core's dataclass, so every function of the core takes them. What diffusers saves
as ``config.json`` are the fields of that dataclass.

diffusers and accelerate move weights by wrapping a model's ``forward``. The networks have other
entries (`JDiT.denoise`, `STVAE.encode`, ...), so here each entry goes through ``forward`` and no
offloading misses a call.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, cast

from diffusers.configuration_utils import register_to_config
from diffusers.loaders.peft import PeftAdapterMixin
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor

from lavin_dit.interop.diffusers.core_model import CoreModelMixin
from lavin_dit.jdit.config import ContextAttention, JDiTConfig
from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.posterior import DiagonalGaussian

# diffusers finds out how to load a class by looking for ModelMixin in the class's module.
__all__ = ["JDiTModel", "ModelMixin", "STVAEModel"]


class JDiTModel(CoreModelMixin, JDiT, PeftAdapterMixin):  # pyright: ignore[reportIncompatibleVariableOverride, reportIncompatibleMethodOverride]
    """The velocity network as a diffusers model.

    Every linear layer can carry a LoRA adapter: ``cond_q``, ``x_q`` and so on in the attention,
    ``gate_proj``, ``up_proj`` and ``down_proj`` in the feed-forward layers.

    Source:
        As `JDiT`.
    """

    _core_class = JDiT
    _core_config_class = JDiTConfig
    _no_split_modules: ClassVar[list[str]] = ["JDiTBlock"]
    _repeated_blocks: ClassVar[list[str]] = ["JDiTBlock"]
    # Layers at the ends are small and what they compute reaches everything.
    _skip_layerwise_casting_patterns: ClassVar[list[str]] = [
        "t_embedder",
        "cond_embedder",
        "x_embedder",
        "final_layer",
        "norm",
    ]

    @register_to_config
    def __init__(  # noqa: PLR0913 - diffusers saves a model's configuration by parameter
        self,
        *,
        latent_channels: int,
        patch_size: int,
        hidden_size: int,
        num_layers: int,
        num_heads: int,
        num_kv_heads: int,
        mlp_hidden_size: int,
        rope_axes_dim: Sequence[int],
        sandwich_norm: bool,
        drop_path: float,
        context_attention: ContextAttention,
        rope_patch_step: float = 1.0,
    ) -> None:
        """Build the network with fresh weights; the parameters are the fields of `JDiTConfig`.

        Raises:
            ValueError: As `JDiTConfig`.
        """
        JDiT.__init__(
            self,
            JDiTConfig(
                latent_channels=latent_channels,
                patch_size=patch_size,
                hidden_size=hidden_size,
                num_layers=num_layers,
                num_heads=num_heads,
                num_kv_heads=num_kv_heads,
                mlp_hidden_size=mlp_hidden_size,
                rope_axes_dim=cast("tuple[int, int, int]", tuple(rope_axes_dim)),
                sandwich_norm=sandwich_norm,
                drop_path=drop_path,
                context_attention=context_attention,
                rope_patch_step=rope_patch_step,
            ),
        )

    @property
    def config(self) -> JDiTConfig:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The architecture, as in the core; ``dataclasses.asdict`` makes a dictionary of it."""
        return self._core_config

    @config.setter
    def config(self, config: JDiTConfig) -> None:
        self._core_config = config

    def to_core(self) -> JDiT:
        """Return the core network that shares this one's parameters.

        Raises:
            ValueError: If an adapter is attached, for which the core has no place.
        """
        return super().to_core()

    def forward(
        self,
        *inputs: Any,  # noqa: ANN401 - those of the entries
        entry: Literal["forward", "extend_context", "denoise"] = "forward",
        **settings: Any,  # noqa: ANN401 - those of the entries
    ) -> Any:  # noqa: ANN401 - that of the entry
        """Run one of the network's entries; `JDiT` describes each.

        Args:
            *inputs: Those of the entry.
            entry: Which one; the whole network by default.
            **settings: Those of the entry.
        """
        return _JDIT_ENTRIES[entry](self, *inputs, **settings)

    def extend_context(
        self,
        cache: ContextCache | None,
        condition: Float[Tensor, "b c s h w"],
        *,
        clip_frames: Sequence[int] | None = None,
    ) -> ContextCache:
        """Append condition clips to a causal model's context, as `JDiT.extend_context`."""
        return self(cache, condition, clip_frames=clip_frames, entry="extend_context")

    def denoise(
        self,
        noisy_target: Float[Tensor, "b c t h w"],
        timestep: Float[Tensor, " b"],
        cache: ContextCache,
    ) -> Float[Tensor, "b c t h w"]:
        """Predict the velocity from a cached condition, as `JDiT.denoise`."""
        return self(noisy_target, timestep, cache, entry="denoise")

    def adapter_fingerprint(self) -> str:
        """Tell apart which adapters act, and how strongly; empty if none is attached.

        Their weights are in the state dict, but whether they are switched on is not.
        """
        if not self._hf_peft_config_loaded:
            return ""
        from peft.tuners.tuners_utils import BaseTunerLayer  # loads transformers, which is large

        states = [
            (name, module.active_adapters, module.disable_adapters, getattr(module, "scaling", {}))
            for name, module in self.named_modules()
            if isinstance(module, BaseTunerLayer)
        ]
        return hashlib.sha256(repr(states).encode()).hexdigest()[:8] if states else ""


class STVAEModel(CoreModelMixin, STVAE):  # pyright: ignore[reportIncompatibleVariableOverride]
    """The autoencoder as a diffusers model.

    Source:
        As `STVAE`.
    """

    _core_class = STVAE
    _core_config_class = STVAEConfig

    @register_to_config
    def __init__(  # noqa: PLR0913 - diffusers saves a model's configuration by parameter
        self,
        *,
        block_out_channels: Sequence[int],
        layers_per_block: int,
        latent_channels: int,
        encoder_norm_groups: int,
        decoder_norm_groups: int,
        norm_statistics: Literal["clip", "frame"],
        latent_mean: Sequence[float],
        latent_scale: Sequence[float],
    ) -> None:
        """Build the network with fresh weights; the parameters are the fields of `STVAEConfig`.

        Raises:
            ValueError: As `STVAEConfig`.
        """
        STVAE.__init__(
            self,
            STVAEConfig(
                block_out_channels=tuple(block_out_channels),
                layers_per_block=layers_per_block,
                latent_channels=latent_channels,
                encoder_norm_groups=encoder_norm_groups,
                decoder_norm_groups=decoder_norm_groups,
                norm_statistics=norm_statistics,
                latent_mean=tuple(latent_mean),
                latent_scale=tuple(latent_scale),
            ),
        )

    @property
    def config(self) -> STVAEConfig:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The architecture, as in the core; ``dataclasses.asdict`` makes a dictionary of it."""
        return self._core_config

    @config.setter
    def config(self, config: STVAEConfig) -> None:
        self._core_config = config

    def to_core(self) -> STVAE:
        """Return the core network that shares this one's parameters."""
        return super().to_core()

    def forward(self, tensor: Tensor, *, entry: Literal["encode", "decode"]) -> Any:  # noqa: ANN401
        """Run one of the network's entries; `STVAE` describes each.

        Args:
            tensor: Pixels to encode, or a latent to decode.
            entry: Which one.
        """
        return _ST_VAE_ENTRIES[entry](self, tensor)

    def encode(self, clip: Float[Tensor, "b 3 t h w"]) -> DiagonalGaussian:
        """Encode clips or pictures, as `STVAE.encode`."""
        return self(clip, entry="encode")

    def decode(self, latent: Float[Tensor, "b c s y x"]) -> Float[Tensor, "b 3 t h w"]:
        """Decode latents, as `STVAE.decode`."""
        return self(latent, entry="decode")


_JDIT_ENTRIES: Mapping[str, Callable[..., Any]] = {
    "forward": JDiT.forward,
    "extend_context": JDiT.extend_context,
    "denoise": JDiT.denoise,
}
_ST_VAE_ENTRIES: Mapping[str, Callable[..., Any]] = {
    "encode": STVAE.encode,
    "decode": STVAE.decode,
}
