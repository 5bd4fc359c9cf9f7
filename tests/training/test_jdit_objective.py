"""Laws of the J-DiT's loss."""

import pytest
import torch

from lavin_dit.flow.path import velocity
from lavin_dit.jdit.model import JDiT
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.jdit_objective import JDiTObjective, interleaved
from random_networks import random_jdit
from tiny_training import TASKS, NumberBatches

DENSE = JDiTLossConfig(supervision="dense", l1_weight=0.0)
SINGLE = JDiTLossConfig(supervision="single", l1_weight=0.0)


def batch(*dropped, num_pairs=3):
    part = NumberBatches(num_pairs=num_pairs, batch_size=len(dropped))
    whole = next(iter(part)).part(0, len(dropped))
    return whole._replace(dropped=torch.tensor(dropped))


@pytest.mark.parametrize(("config", "first"), [(DENSE, 1), (SINGLE, 2)])
def test_a_silent_network_loses_the_velocitys_square(config, first):
    network = JDiT(random_jdit("causal").config)
    network.reset_parameters(torch.Generator().manual_seed(0))
    episodes = batch(False, False)
    losses = JDiTObjective(network, config)(episodes, 0)
    expected = velocity(episodes.targets[:, first:], noise=episodes.noise[:, first:])
    torch.testing.assert_close(losses.total, expected.square().mean())
    assert losses.logged.keys() == {"loss", f"loss/{TASKS[0]}", f"loss/{TASKS[1]}"}


@pytest.mark.parametrize("context", ["causal", "joint"])
def test_an_episode_that_loses_its_pairs_depends_on_its_query_alone(context):
    objective = JDiTObjective(random_jdit(context), SINGLE)
    episodes = batch(True, True)
    expected = objective(episodes, 0)
    changed = episodes._replace(inputs=episodes.inputs.clone(), targets=episodes.targets.clone())
    changed.inputs[:, :-1] += 1.0
    changed.targets[:, :-1] += 1.0
    assert torch.equal(objective(changed, 0).total, expected.total)
    assert expected.logged.keys() == {"loss", "loss_without_pairs"}


@pytest.mark.parametrize("dropped", [(False, False), (True, True), (True, False)])
def test_lockstep_calls_equally_often_and_changes_no_gradient(dropped):
    episodes, gradients, calls = batch(*dropped), [], []
    for lockstep in (False, True):
        network = random_jdit("causal")
        count = []
        network.blocks[0].register_forward_hook(lambda *_, count=count: count.append(1))
        objective = JDiTObjective(network, DENSE, lockstep=lockstep)
        objective(episodes, 0).total.backward()
        gradients.append([p.grad for p in objective.parameter_groups()["jdit"]])
        calls.append(len(count))
    assert calls[1] == 2
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=1e-5)


def test_every_trained_parameter_has_a_gradient():
    for dropped in ((False, False), (True, True)):
        objective = JDiTObjective(random_jdit("causal"), DENSE)
        objective(batch(*dropped), 0).total.backward()
        assert all(p.grad is not None for p in objective.parameter_groups()["jdit"])
        frozen = [p for p in objective.parameters() if not p.requires_grad]
        assert len(frozen) == len(list(objective.trained.idle_parameters())) > 0


def test_drop_path_belongs_to_the_episode():
    network = random_jdit("causal", drop_path=0.5).train()
    generators = [torch.Generator().manual_seed(seed) for seed in range(4)]
    scales = network._drop_path_scales(4, torch.device("cpu"), generators)
    again = [torch.Generator().manual_seed(seed) for seed in range(4)]
    alone = network._drop_path_scales(2, torch.device("cpu"), again[2:])
    assert torch.equal(scales[..., 2:], alone)
    with pytest.raises(ValueError, match="2 generators are given for 3 samples"):
        network._drop_path_scales(3, torch.device("cpu"), again[2:])


def test_dense_supervision_needs_causal_context():
    with pytest.raises(ValueError, match="dense supervision needs context_attention 'causal'"):
        JDiTObjective(random_jdit("joint"), DENSE)


def test_clips_are_interleaved_in_their_order():
    inputs = torch.arange(3.0).reshape(1, 3, 1, 1, 1, 1).expand(1, 3, 1, 2, 1, 1)
    targets = 10 + torch.arange(3.0).reshape(1, 3, 1, 1, 1, 1)
    condition, frames = interleaved(inputs, targets)
    assert condition.flatten().tolist() == [0, 0, 10, 1, 1, 11, 2, 2]
    assert frames == (2, 1, 2, 1, 2)
