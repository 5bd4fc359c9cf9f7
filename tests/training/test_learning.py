"""A J-DiT learns: it fits a few episodes, and twenty steps lose what they always lost.

The golden curve is made anew by ``python tests/training/test_learning.py``. On one CPU it repeats
bit for bit; another kernel of the same product moves it by some 1e-6 of its value, and 1e-4 is
allowed.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config
from lavin_dit.training.config import DrawSettings, JDiTLossConfig, ScheduleConfig
from lavin_dit.training.jdit_objective import JDiTObjective
from lavin_dit.training.loop import Training
from lavin_dit.training.run_folder import read_metrics
from tiny_training import ALONE, LOOP, OPTIMIZER, NumberBatches, tiny_training

GOLDEN = Path(__file__).parent / "golden" / "loss_curve.json"
NUM_GOLDEN_STEPS = 20


def curve(folder, context):
    training = tiny_training(folder, context=context, num_steps=NUM_GOLDEN_STEPS)
    training.run()
    return [line["total"] for line in read_metrics(folder)]


@pytest.mark.parametrize("context", ["causal", "joint"])
def test_twenty_steps_lose_what_they_always_lost(tmp_path, context):
    golden = json.loads(GOLDEN.read_text())[context]
    assert curve(tmp_path, context) == pytest.approx(golden, rel=1e-4)


def fitting(folder, num_steps):
    """Eight episodes of four tasks, each shown with new noise at every step."""
    jdit = JDiT(
        jdit_config(
            hidden_size=64,
            num_layers=3,
            num_heads=4,
            num_kv_heads=2,
            drop_path=0.0,
            context_attention="causal",
        )
    )
    jdit.reset_parameters(torch.Generator().manual_seed(0))
    objective = JDiTObjective(jdit, JDiTLossConfig(supervision="dense", l1_weight=0.0))
    draws = DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.0)
    return Training(
        objective=objective,
        call=objective,
        batches=NumberBatches(batch_size=8, num_episodes=8, draws=draws),
        processes=ALONE,
        config=replace(
            LOOP, num_steps=num_steps, log_every=10, checkpoint_every=10**6, ema_decay=0.0
        ),
        optimizer_config=replace(OPTIMIZER, lr=3e-3, weight_decay=0.0),
        schedule=ScheduleConfig(warmup_steps=20, decay="cosine", final_share=0.02),
        folder=folder,
    )


@pytest.mark.parametrize(
    ("num_steps", "fitted"), [(150, 1.2), pytest.param(500, 0.4, marks=pytest.mark.slow)]
)
def test_it_fits_eight_episodes_of_four_tasks(tmp_path, num_steps, fitted):
    fitting(tmp_path, num_steps).run()
    losses = [line["total"] for line in read_metrics(tmp_path)]
    assert losses[0] > 1.8
    assert sum(losses[-3:]) / 3 < fitted


def remake():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        curves = {name: curve(Path(folder) / name, name) for name in ("causal", "joint")}
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(curves, indent=1) + "\n")


if __name__ == "__main__":
    remake()
