"""Latent clips to token sequences and back.

Tokens run over (frame, row, column), column fastest; inside a token the values run over (row in
the patch, column in the patch, channel), channel fastest.
"""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def patchify(
    latent: Float[Tensor, "b c t h w"], *, patch_size: int
) -> Float[Tensor, "b n patch_dim"]:
    """Cut every latent frame into square patches, one token each.

    Raises:
        ValueError: If height or width is not a multiple of the patch size.

    Source:
        Paper section 3.1.2 (patch 2x2); the order of values is the released code's.
    """
    height, width = latent.shape[-2:]
    if height % patch_size or width % patch_size:
        raise ValueError(
            f"latent height and width {height}x{width} must be multiples of patch_size {patch_size}"
        )
    return rearrange(latent, "b c t (h p) (w q) -> b (t h w) (p q c)", p=patch_size, q=patch_size)


def unpatchify(
    tokens: Float[Tensor, "b n patch_dim"], *, grid: tuple[int, int, int], patch_size: int
) -> Float[Tensor, "b c t h w"]:
    """Put tokens back into latent frames.

    Args:
        tokens: One token per patch.
        grid: Number of frames, patch rows and patch columns.
        patch_size: Side of a patch in latent cells.
    """
    frames, rows, cols = grid
    return rearrange(
        tokens,
        "b (t h w) (p q c) -> b c t (h p) (w q)",
        t=frames,
        h=rows,
        w=cols,
        p=patch_size,
        q=patch_size,
    )
