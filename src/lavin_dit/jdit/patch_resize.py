"""A trained J-DiT with patches of another size, to be trained further.

All that depends on the size of a patch is the first and the last layer, and how far neighbouring
tokens lie apart; the blocks keep their weights.
"""

from dataclasses import replace

import torch
from einops import einsum, rearrange
from jaxtyping import Float
from torch import Tensor, nn

from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.model import JDiT

_EMBEDDERS = ("cond_embedder.0.weight", "x_embedder.0.weight")
_OUTPUTS = ("final_layer.linear.weight", "final_layer.linear.bias")


def with_patch_size(model: JDiT, patch_size: int) -> JDiT:
    """Return a network that cuts latents into patches of another side.

    Where neighbouring latent cells are equal, a new token is embedded as an old one over the same
    cells would be. Velocities are those of the old patch, resized. Rotary positions keep their
    distances in latent cells. What is smaller than an old patch has to be learned.

    Args:
        model: The network; it's left as it is.
        patch_size: Side of a new patch in latent cells.

    Raises:
        ValueError: If the side is below 1.

    Source:
        Beyer et al., FlexiViT (2023), section 3.4: the pseudoinverse of a patch's resizing; the way
        out and the positions are ours (decision 0026).
    """
    old = model.config
    config = replace(
        old,
        patch_size=patch_size,
        rope_patch_step=old.rope_patch_step * patch_size / old.patch_size,
    )
    with torch.device("meta"):
        resized = JDiT(config)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    to_old = _resizing(patch_size, old.patch_size)
    for name in _EMBEDDERS:
        weight = _by_cell(state[name].T, old)
        state[name] = _resized(weight, to_old.T).T.to(state[name]).contiguous()
    for name in _OUTPUTS:
        weight = _by_cell(state[name], old)
        state[name] = _resized(weight, torch.linalg.pinv(to_old)).to(state[name])
    resized.load_state_dict(state, assign=True)
    return resized.train(model.training)


def _resizing(side: int, new_side: int) -> Float[Tensor, "new_cells cells"]:
    """The matrix that resizes a patch by areas."""
    patches = torch.eye(side**2, dtype=torch.float64).reshape(-1, 1, side, side)
    return nn.functional.adaptive_avg_pool2d(patches, new_side).flatten(1).T


def _by_cell(values: Tensor, config: JDiTConfig) -> Float[Tensor, "cells channels rest"]:
    return rearrange(
        values.double().reshape(config.patch_dim, -1),
        "(cells channels) rest -> cells channels rest",
        channels=config.latent_channels,
    )


def _resized(
    values: Float[Tensor, "cells channels rest"], matrix: Float[Tensor, "new_cells cells"]
) -> Tensor:
    """Values of the new cells, as `patchify` orders them; a vector stays one."""
    new = einsum(matrix, values, "new old, old channels rest -> new channels rest").flatten(0, 1)
    return new.squeeze(1)
