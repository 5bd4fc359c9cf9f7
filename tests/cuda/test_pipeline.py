"""The whole way from pictures to a picture on a CUDA device, against a CPU."""

import pytest
import torch

from pictures import picture
from random_networks import random_pipeline

pytestmark = pytest.mark.gpu
QUIET = {"progress": False}


@pytest.mark.parametrize("setting", ["joint", "causal"])
def test_a_prediction_is_that_of_a_cpu(gpu, setting):
    pairs = [(picture(37, 50, seed=2 * i), picture(37, 50, seed=2 * i + 1)) for i in range(3)]
    query = picture(40, 56, seed=9)
    expected = random_pipeline(setting)(query, context=pairs, **QUIET)
    pipe = random_pipeline(setting).to(gpu, torch.float32)
    found = pipe(query, context=pairs, **QUIET)
    # An autoencoder with random weights magnifies: levels are of 0 to 1.
    torch.testing.assert_close(found.pixels.cpu(), expected.pixels, atol=5e-3, rtol=0)
    task = pipe.compile_context(pairs)
    again = pipe(query, context=task, **QUIET)
    torch.testing.assert_close(again.pixels, found.pixels, atol=5e-3, rtol=0)
