"""The decoder that latencies are compared with computes what Transformers' does."""

from pathlib import Path

import pytest
import torch

transformers = pytest.importorskip("transformers")

LENGTH, COUNT = 37, 9


@pytest.fixture
def decoders(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    from autoregressive import Decoder, DecoderShapes

    config = transformers.LlamaConfig(
        vocab_size=61,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=70,
        initializer_range=0.2,
    )
    torch.manual_seed(3)
    theirs = transformers.LlamaForCausalLM(config).eval()
    ours = Decoder(DecoderShapes(vocabulary=61, hidden=48, layers=3, heads=4, inner=70))
    ours.load_state_dict(theirs.state_dict())
    ours.make_room(LENGTH + COUNT)
    return ours, theirs


@torch.no_grad()
def test_it_writes_what_transformers_writes(decoders):
    ours, theirs = decoders
    prompt = torch.randint(61, (1, LENGTH), generator=torch.Generator().manual_seed(1))
    tokens = prompt
    for _ in range(COUNT):
        tokens = torch.cat([tokens, theirs(tokens).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(ours.write(prompt, COUNT), tokens[:, LENGTH:])
    # As it is recorded: who sees whom depends on the place alone.
    assert torch.equal(ours.write(prompt, COUNT, step=ours), tokens[:, LENGTH:])


@torch.no_grad()
def test_logits_are_those_of_transformers(decoders):
    ours, theirs = decoders
    tokens = torch.randint(61, (1, LENGTH), generator=torch.Generator().manual_seed(2))
    expected = theirs(tokens).logits[0]
    places = torch.arange(LENGTH)
    torch.testing.assert_close(ours.logits(tokens, places)[0], expected[-1], atol=1e-5, rtol=0)
    ours.logits(tokens[:, :-1], places[:-1])
    last = tokens[:, -1:], places[-1:]
    torch.testing.assert_close(ours.logits(*last)[0], expected[-1], atol=1e-5, rtol=0)
    seen = ours.logits(*last, seen=LENGTH)
    torch.testing.assert_close(seen[0], expected[-1], atol=1e-5, rtol=0)
