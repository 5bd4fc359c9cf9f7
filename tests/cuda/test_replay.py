"""What benchmarks replay as CUDA graphs is what they would compute without."""

from functools import partial
from pathlib import Path

import pytest
import torch

from lavin_dit.flow.solvers import SOLVERS
from lavin_dit.flow.timesteps import linear_quadratic_grid
from random_networks import latents, random_jdit

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    with torch.no_grad():
        yield


def test_a_sampled_latent(gpu, assert_near):
    from replay import Replayed

    model = random_jdit("causal").to(gpu)
    context, query, noise = (
        latents(1, 16, frames, 6, 10, seed=frames).to(gpu) for frames in (4, 1, 1)
    )
    task = model.extend_context(None, context)
    grid = linear_quadratic_grid(7)
    see = Replayed(partial(model.extend_context, task), torch.ones_like(query))
    step = Replayed(partial(model.denoise, cache=see.result), noise, noise.new_zeros(1))
    for seed in (1, 2):
        query = latents(1, 16, 1, 6, 10, seed=seed).to(gpu)
        cache = model.extend_context(task, query)
        expected = SOLVERS["euler"](partial(model.denoise, cache=cache), noise=noise, grid=grid)
        see(query)
        found = SOLVERS["euler"](step, noise=noise, grid=grid)
        assert_near(found, expected.cpu(), 1e-5)


def test_written_tokens(gpu):
    from autoregressive import Decoder, DecoderShapes

    torch.manual_seed(3)
    shapes = DecoderShapes(vocabulary=61, hidden=64, layers=3, heads=4, inner=70)
    decoder = Decoder(shapes).to(gpu)
    prompt = torch.randint(61, (1, 37), generator=torch.Generator().manual_seed(1)).to(gpu)
    decoder.make_room(37 + 9)
    expected = decoder.write(prompt, 9)
    step = decoder.recorded()
    assert step is not None
    assert torch.equal(decoder.write(prompt, 9, step=step), expected)
