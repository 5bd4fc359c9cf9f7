import pytest
import torch

from lavin_dit.jdit.attention import KeyValue, attention


def oracle(queries: torch.Tensor, context: KeyValue) -> torch.Tensor:
    """Attention one score at a time, in float64."""
    keys, values = (part.double() for part in context)
    batch, num_queries, num_heads, head_dim = queries.shape
    share = num_heads // keys.shape[2]
    out = torch.zeros(queries.shape, dtype=torch.float64)
    for b in range(batch):
        for head in range(num_heads):
            for n in range(num_queries):
                scores = keys[b, :, head // share] @ queries[b, n, head].double() / head_dim**0.5
                weights = (scores - scores.max()).exp()
                out[b, n, head] = (weights / weights.sum()) @ values[b, :, head // share]
    return out


@pytest.mark.parametrize("num_kv_heads", [1, 2, 3, 6])
def test_grouped_attention_against_the_oracle(num_kv_heads: int) -> None:
    generator = torch.Generator().manual_seed(num_kv_heads)
    queries = torch.randn(2, 5, 6, 10, generator=generator)
    context = KeyValue(*torch.randn(2, 2, 7, num_kv_heads, 10, generator=generator))
    found = attention(queries, context)
    torch.testing.assert_close(found.double(), oracle(queries, context), atol=1e-6, rtol=0)


def test_a_context_of_one_sample_serves_the_whole_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(3, 5, 4, 10, generator=generator)
    context = KeyValue(*torch.randn(2, 1, 7, 2, 10, generator=generator))
    repeated = KeyValue(*(part.repeat(3, 1, 1, 1) for part in context))
    torch.testing.assert_close(attention(queries, context), attention(queries, repeated))


def test_a_context_of_two_samples_serves_twice_as_many_in_turn() -> None:
    own = KeyValue(*torch.randn(2, 4, 5, 1, 4))
    context = KeyValue(*torch.randn(2, 2, 3, 1, 4))
    joined = context.followed_by(own)
    assert joined.keys.shape == (4, 8, 1, 4)
    for place in range(4):
        assert torch.equal(joined.keys[place, :3], context.keys[place % 2])
        assert torch.equal(joined.values[place, 3:], own.values[place])


def test_runs_of_tokens_are_joined_in_order() -> None:
    first = KeyValue(*torch.randn(2, 1, 2, 1, 4))
    second = KeyValue(*torch.randn(2, 3, 5, 1, 4))
    joined = first.followed_by(second)
    assert joined.keys.shape == (3, 7, 1, 4)
    torch.testing.assert_close(joined.values[1, :2], first.values[0])
    torch.testing.assert_close(joined.keys[:, 2:], second.keys)
