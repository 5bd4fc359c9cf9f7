"""Grouped-query attention: torch's own grouped kernel against repeating the key-value heads.

Usage: ``python benchmarks/attention.py``
"""

import torch
from torch.nn.functional import scaled_dot_product_attention

from lavin_dit.jdit.attention import KeyValue, attention
from lavin_dit.jdit.presets import JDIT_PRESETS
from record import record, time_side_by_side


def repeated(queries: torch.Tensor, context: KeyValue) -> torch.Tensor:
    """What `attention` does, with every key-value head copied for each of its query heads."""
    share = queries.shape[2] // context.keys.shape[2]
    keys, values = (part.repeat_interleave(share, dim=2).transpose(1, 2) for part in context)
    return scaled_dot_product_attention(queries.transpose(1, 2), keys, values).transpose(1, 2)


def main() -> None:
    """Time one block's attention at the sizes of one frame against a context of 8 pairs."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    rows = []
    for preset in ("nano", "3.4b"):
        config = JDIT_PRESETS[preset]
        for case, num_queries, num_keys in (
            ("target of 1 frame, 8 pairs cached", 256, 18 * 256),
            ("joint, 4 pairs", 10 * 256, 10 * 256),
        ):
            queries = torch.randn(
                1, num_queries, config.num_heads, config.head_dim, device=device, dtype=dtype
            )
            shape = (1, num_keys, config.num_kv_heads, config.head_dim)
            context = KeyValue(
                torch.randn(shape, device=device, dtype=dtype),
                torch.randn(shape, device=device, dtype=dtype),
            )
            with torch.no_grad():
                difference = (attention(queries, context) - repeated(queries, context)).abs().max()
                times = time_side_by_side(
                    {
                        "grouped": lambda q=queries, c=context: attention(q, c),
                        "repeated": lambda q=queries, c=context: repeated(q, c),
                    },
                    repeats=9,
                )
            rows.append(
                {
                    "preset": preset,
                    "case": case,
                    "grouped_median_s": times["grouped"]["median_s"],
                    "repeated_median_s": times["repeated"]["median_s"],
                    "repeated_over_grouped": times["repeated"]["median_s"]
                    / times["grouped"]["median_s"],
                    "max_difference": float(difference),
                }
            )
    record("attention", settings={"dtype": str(dtype)}, rows=rows)


if __name__ == "__main__":
    main()
