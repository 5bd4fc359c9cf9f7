"""Dense supervision's attention in one masked kernel, for training on a GPU.

`JDiTBlock` else cuts attention clip by clip, which needs no mask and wastes nothing, but on a GPU
costs two dozen small kernels a block, and as many graph nodes when blocks are compiled. One kernel
over both streams, which skips the squares of the mask that are empty, does the same.
"""

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from lavin_dit.jdit.attention import KeyValue

_MASKS_KEPT = 16


class DenseMasks(NamedTuple):
    """Who sees whom among condition tokens and, behind them, the tokens of several targets."""

    all_queries: BlockMask
    """Rows for condition and targets."""
    target_queries: BlockMask
    """Rows for the targets alone, as the last block wants it."""


class _Sight(NamedTuple):
    """What each token sees: the condition tokens before a place, and its own target."""

    limit: Int[Tensor, " n"]
    """How many condition tokens it sees, counted from the first."""
    owner: Int[Tensor, " n"]
    """Number of the target that it belongs to; -1 for condition tokens."""


@lru_cache(maxsize=_MASKS_KEPT)
def dense_masks(
    *,
    clip_tokens: tuple[int, ...],
    target_views: tuple[int, ...],
    target_tokens: int,
    device: torch.device,
) -> DenseMasks:
    """Make the masks of dense supervision.

    Args:
        clip_tokens: Tokens of each condition clip, which sees itself and all before it.
        target_views: How many condition tokens each target sees besides itself.
        target_tokens: Tokens of each target.
        device: Where to put them.

    Source:
        Ours (decision 0015).
    """
    sight = _sight(clip_tokens, target_views, target_tokens)
    limit, owner = (part.to(device) for part in sight)
    num_condition, num_all = sum(clip_tokens), len(limit)

    sees = partial(_sees, limit, owner)
    # Lambdas, as torch counts a mask function's arguments, which type checkers' wrappers hide.
    return DenseMasks(
        create_block_mask(
            lambda _b, _h, query, key: sees(query, key), None, None, num_all, num_all, device.type
        ),
        create_block_mask(
            lambda _b, _h, query, key: sees(query + num_condition, key),
            None,
            None,
            num_all - num_condition,
            num_all,
            device.type,
        ),
    )


def _sees(limit: Tensor, owner: Tensor, query: Tensor, key: Tensor) -> Tensor:
    same_target = (owner[key] == owner[query]) & (owner[key] >= 0)
    return (key < limit[query]) | same_target


def _sight(
    clip_tokens: tuple[int, ...], target_views: tuple[int, ...], target_tokens: int
) -> _Sight:
    ends = torch.tensor(clip_tokens).cumsum(0)
    limit = torch.cat(
        [
            ends.repeat_interleave(torch.tensor(clip_tokens)),
            torch.tensor(target_views).repeat_interleave(target_tokens),
        ]
    )
    owner = torch.cat(
        [
            torch.full((sum(clip_tokens),), -1),
            torch.arange(len(target_views)).repeat_interleave(target_tokens),
        ]
    )
    return _Sight(limit, owner)


@cache
def _compiled_flex_attention() -> Callable[..., object]:
    return torch.compile(flex_attention, dynamic=False)


def dense_attention(
    queries: Float[Tensor, "b n heads head_dim"], context: KeyValue, mask: BlockMask
) -> Float[Tensor, "b n heads head_dim"]:
    """Let every query see the keys that the mask shows it; scores as in `attention`.

    Args:
        queries: Of the condition and the targets, or of the targets alone.
        context: Of the condition and the targets.
        mask: The one of `DenseMasks` that has a row for each query.
    """
    # By itself it would hold every score; inside a compiled block it is compiled with the block.
    alone = queries.is_cuda and not torch.compiler.is_compiling()
    attend = _compiled_flex_attention() if alone else flex_attention
    out = attend(
        queries.transpose(1, 2),
        context.keys.transpose(1, 2),
        context.values.transpose(1, 2),
        block_mask=mask,
        enable_gqa=context.keys.shape[2] != queries.shape[2],
    )
    assert isinstance(out, Tensor), "without auxiliary results it is a tensor alone"
    return out.transpose(1, 2)
