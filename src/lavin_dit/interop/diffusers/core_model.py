"""What both networks share as diffusers models: conversion to and from the core, and offloading."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import torch
from diffusers.configuration_utils import ConfigMixin
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from lavin_dit.weights.store import load_model, save_model

_Network = TypeVar("_Network", bound=nn.Module)
# Self would be shorter, but the shape checks in the tests don't know it.
_Model = TypeVar("_Model", bound="CoreModelMixin")


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
    def from_core(cls: type[_Model], model: nn.Module) -> _Model:
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
        cls: type[_Model],
        directory: str | os.PathLike[str],
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
    ) -> _Model:
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


def _fields(config: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the dataclasses
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


def _share(source: nn.Module, target: _Network) -> _Network:
    """Let a network without values use another one's parameters; modes are taken over."""
    trainable = {name: parameter.requires_grad for name, parameter in source.named_parameters()}
    for name, parameter in target.named_parameters():
        parameter.requires_grad_(trainable[name])
    target.load_state_dict(source.state_dict(keep_vars=True), strict=True, assign=True)
    target.gradient_checkpointing = source.gradient_checkpointing
    return target.train(source.training)
