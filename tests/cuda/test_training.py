"""Training on a CUDA device: the losses of a CPU, falling, and resumed runs that go on the same."""

from dataclasses import replace

import pytest
import torch

from lavin_dit.training.config import DrawSettings
from lavin_dit.training.run_folder import read_metrics
from tiny_training import ALONE, NumberBatches, share_of, tiny_training, weights_of

pytestmark = pytest.mark.gpu
BOTH = pytest.mark.parametrize("context", ["causal", "joint"])


def losses(folder):
    return [line["total"] for line in read_metrics(folder)]


@BOTH
def test_losses_are_those_of_a_cpu(gpu, tmp_path, context):
    processes = replace(ALONE, device=gpu)
    tiny_training(tmp_path / "cpu", context=context).run()
    tiny_training(tmp_path / "gpu", context=context, processes=processes).run()
    assert losses(tmp_path / "gpu") == pytest.approx(losses(tmp_path / "cpu"), rel=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls(gpu, tmp_path, precision):
    processes = replace(ALONE, device=gpu)
    draws = DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.0)
    batches = NumberBatches(share=share_of(processes), batch_size=8, num_episodes=8, draws=draws)
    training = tiny_training(
        tmp_path,
        processes=processes,
        batches=batches,
        drop_path=0.0,
        num_steps=40,
        checkpoint_every=10**6,
        precision=precision,
    )
    assert training.run() == "steps"
    assert training.num_skipped == 0
    curve = losses(tmp_path)
    assert all(torch.isfinite(torch.tensor(curve)))
    assert sum(curve[-5:]) < 0.8 * sum(curve[:5])


def test_a_resumed_run_goes_on_like_one_that_was_not_stopped(gpu, tmp_path):
    processes = replace(ALONE, device=gpu)
    whole = tiny_training(tmp_path / "whole", processes=processes)
    whole.run()
    tiny_training(tmp_path / "parts", processes=processes, num_steps=4).run()
    rest = tiny_training(tmp_path / "parts", processes=processes)
    assert rest.resume()
    assert rest.step == 4
    rest.run()
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)
    expected = weights_of(whole)
    for name, tensor in weights_of(rest).items():
        # Adam turns the noise of a gradient that is nearly zero into a step of some weights.
        assert (tensor.float() - expected[name].float()).abs().mean() < 1e-4, name
