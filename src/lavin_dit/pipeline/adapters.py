"""Adapters on a pipeline's J-DiT: a task learned from few pairs, beside the weights or in them."""

from pathlib import Path

from lavin_dit.jdit.low_rank import attach_low_rank, detach_low_rank, low_rank_layers
from lavin_dit.pipeline.networks import Networks
from lavin_dit.weights.adapter import load_adapter


def apply_adapter(networks: Networks, folder: Path) -> None:
    """Attach an adapter.

    Args:
        networks: What it is to change.
        folder: The adapter's.

    Raises:
        FileNotFoundError: If there is no adapter.
        ValueError: If it is damaged, was trained on another model, or one is attached already.
    """
    check_no_adapter(networks)
    adapter = load_adapter(folder)
    own = networks.fingerprint()
    if adapter.config.base != own:
        raise ValueError(
            f"the adapter in {folder} was trained on {adapter.config.model} "
            f"({adapter.config.base}), this model is {own}: load it onto that one, or finetune this"
        )
    attach_low_rank(networks.jdit, adapter.factors)


def remove_adapter(networks: Networks, *, merged: bool) -> None:
    """Take an adapter off.

    Args:
        networks: What carries it.
        merged: Whether its change is added to the weights, or dropped.

    Raises:
        ValueError: If none is attached.
    """
    if not any(True for _ in low_rank_layers(networks.jdit)):
        raise ValueError("no adapter is attached; load_adapter attaches one")
    detach_low_rank(networks.jdit, merged=merged)


def check_no_adapter(networks: Networks) -> None:
    """Check that no adapter is attached.

    Raises:
        ValueError: If one is.
    """
    if any(True for _ in low_rank_layers(networks.jdit)):
        raise ValueError(
            "an adapter is attached: keep its effect with merge_adapter(), or take it off with "
            "unload_adapter(), before that"
        )
