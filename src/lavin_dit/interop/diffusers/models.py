"""Both networks as diffusers models.

A `JDiTModel` is a `JDiT` and an `STVAEModel` is an `STVAE`: same code, same names of weights, and
``config`` is the core's dataclass, so every function of the core takes them. What diffusers saves
as ``config.json`` are the fields of that dataclass.

diffusers and accelerate move weights by wrapping a model's ``forward``. The networks have other
entries (`JDiT.denoise`, `STVAE.encode`, ...), so here each entry goes through ``forward`` and no
offloading misses a call.
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, cast

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.loaders.peft import PeftAdapterMixin
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor, nn

from lavin_dit.jdit.config import ContextAttention, JDiTConfig
from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.model import JDiT
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.st_vae.posterior import DiagonalGaussian
from lavin_dit.weights.store import load_model, save_model


class CoreModelMixin(ModelMixin, ConfigMixin):
    """What both models share: conversion to and from the core, and what diffusers asks of a model.

    Stands before the core's class in the bases, which has to come before `ConfigMixin`: that one's
    ``__getattr__`` would hide the network's modules.
    """

    _supports_gradient_checkpointing = True
    _core_class: ClassVar[type[nn.Module]]
    _core_config_class: ClassVar[type[Any]]

    @classmethod
    def from_config(  # pyright: ignore[reportIncompatibleMethodOverride] - one more kind of config
        cls,
        config: object = None,
        return_unused_kwargs: bool = False,  # noqa: FBT001, FBT002 - diffusers' signature
        **settings: Any,  # noqa: ANN401 - diffusers' signature
    ) -> Any:  # noqa: ANN401 - diffusers' signature
        """Build a model with fresh weights.

        Args:
            config: The core's configuration, or the dictionary that diffusers saved.
            return_unused_kwargs: As in `ConfigMixin`.
            **settings: As in `ConfigMixin`.
        """
        if isinstance(config, cls._core_config_class):
            config = _fields(config)
        return super().from_config(cast("Any", config), return_unused_kwargs, **settings)

    @classmethod
    def from_core(cls, model: nn.Module) -> Self:
        """Give a core network diffusers' interface; both share their parameters from then on.

        Args:
            model: The core network.

        Raises:
            TypeError: If it is another network.
        """
        if not isinstance(model, cls._core_class):
            raise TypeError(
                f"{cls.__name__} is made from a {cls._core_class.__name__}, got {type(model)}"
            )
        with torch.device("meta"):
            converted = cls(**_fields(model.config))
        return _share(model, converted)

    def to_core(self) -> Any:  # noqa: ANN401 - each model narrows it
        """Return the core network that shares this one's parameters.

        Raises:
            ValueError: If an adapter is attached, for which the core has no place.
        """
        if getattr(self, "peft_config", None):
            raise ValueError(
                "an adapter is attached: remove it with unload_lora(), or keep its effect with "
                "fuse_lora() before that"
            )
        with torch.device("meta"):
            core = self._core_class(self.config)
        return _share(self, core)

    @classmethod
    def from_core_checkpoint(
        cls,
        directory: str | os.PathLike[str],
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Load a folder of the core's, such as ``jdit/`` in a saved `LavinDiTPipeline`.

        Args:
            directory: Folder with the core's ``config.json`` and weights.
            dtype: Precision; as saved if None.
            device: Where to load to.

        Raises:
            FileNotFoundError: If there is no such folder, or a file of it is missing.
            ValueError: If it is damaged or holds another network.
        """
        core = load_model(
            cls._core_class, cls._core_config_class, Path(directory), dtype=dtype, device=device
        )
        return cls.from_core(core)

    def save_core_checkpoint(self, directory: str | os.PathLike[str]) -> None:
        """Save a folder that the core loads.

        Args:
            directory: Where to; made if need be.

        Raises:
            OSError: If it can't be written.
            ValueError: If an adapter is attached.
        """
        save_model(self.to_core(), self.config, Path(directory))

    def enable_gradient_checkpointing(
        self, gradient_checkpointing_func: Callable[..., Any] | None = None
    ) -> None:
        """Recompute activations in the backward pass instead of storing them.

        Args:
            gradient_checkpointing_func: None; the networks recompute with torch's own function.

        Raises:
            ValueError: If a function is given.
        """
        if gradient_checkpointing_func is not None:
            raise ValueError("gradient_checkpointing_func is not supported: leave it out")
        super().enable_gradient_checkpointing()

    def enable_group_offload(  # pyright: ignore[reportIncompatibleMethodOverride] - fewer by name
        self,
        onload_device: torch.device,
        offload_device: torch.device = torch.device("cpu"),  # noqa: B008 - never changed
        offload_type: str = "block_level",
        **settings: Any,  # noqa: ANN401 - diffusers' signature
    ) -> None:
        """Keep groups of blocks away from the device until they work.

        Args:
            onload_device: Where to compute.
            offload_device: Where weights wait.
            offload_type: ``block_level``.
            **settings: As in `ModelMixin`; ``num_blocks_per_group`` is required.

        Raises:
            ValueError: If leaves are to be moved one by one. Some of the networks' layers read
                their children's weights without calling them, so their hooks would not run.
        """
        if offload_type != "block_level":
            raise ValueError(
                f"offload_type {offload_type!r} is not supported: use 'block_level' with "
                f"num_blocks_per_group=1"
            )
        super().enable_group_offload(onload_device, offload_device, offload_type, **settings)


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
            ),
        )

    @property
    def config(self) -> JDiTConfig:  # pyright: ignore[reportIncompatibleVariableOverride]
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
        """Tell apart which adapters act, and how strongly; empty if none was ever attached.

        Their weights are in the state dict, but whether they are switched on is not.
        """
        states = [
            (name, sorted(module.active_adapters), module.disable_adapters, module.scaling)
            for name, module in self.named_modules()
            if hasattr(module, "active_adapters") and hasattr(module, "scaling")
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
    def config(self) -> STVAEConfig:  # pyright: ignore[reportIncompatibleVariableOverride]
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


def _fields(config: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the dataclasses
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


def _share[Model: nn.Module](source: nn.Module, target: Model) -> Model:
    """Let a network without values use another one's parameters; modes are taken over."""
    trainable = {name: parameter.requires_grad for name, parameter in source.named_parameters()}
    for name, parameter in target.named_parameters():
        parameter.requires_grad_(trainable[name])
    target.load_state_dict(source.state_dict(keep_vars=True), strict=True, assign=True)
    target.gradient_checkpointing = source.gradient_checkpointing
    return target.train(source.training)
