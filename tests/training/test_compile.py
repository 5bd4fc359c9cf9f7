"""Compiled blocks: numbers of pairs and dropped episodes don't compile without end."""

import pytest
import torch

from lavin_dit.recipes.jdit_run import compile_blocks
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.jdit_objective import JDiTObjective
from random_networks import random_jdit
from tiny_training import NumberBatches

pytestmark = [
    pytest.mark.compile,
    # What dynamo does to look at tensors that are no leaves.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor"),
]

DROPPED = ((False, False, False), (False, True, False))


class Counter:
    """A backend that compiles nothing, and counts how often it is asked to."""

    def __init__(self):
        self.count = 0

    def __call__(self, graph, example_inputs):
        self.count += 1
        return graph.forward


@pytest.mark.parametrize(
    ("context", "supervision", "graphs_of_more"),
    [("joint", "single", 0), pytest.param("causal", "dense", 2, marks=pytest.mark.slow)],
)
def test_graphs_of_numbers_of_pairs(context, supervision, graphs_of_more):
    torch.compiler.reset()
    config = JDiTLossConfig(supervision=supervision, l1_weight=0.0)
    plain = JDiTObjective(random_jdit(context), config)
    network, backend = random_jdit(context), Counter()
    compile_blocks(network, backend=backend)
    objective = JDiTObjective(network, config)
    counts = []
    for num_pairs in (2, 3, 4, 2, 3, 4):
        for dropped in DROPPED:
            batch = next(iter(NumberBatches(num_pairs=num_pairs, batch_size=3))).part(0, 3)
            batch = batch._replace(dropped=torch.tensor(dropped))
            expected = plain(batch, 0).total
            torch.testing.assert_close(objective(batch, 0).total, expected, atol=1e-5, rtol=1e-5)
        counts.append(backend.count)
    assert counts[0] > 0
    assert counts[2] - counts[1] <= graphs_of_more
    assert counts[5] == counts[2]
