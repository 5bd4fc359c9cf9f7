"""Laws of the loop: what resuming, adding up, skipping and stopping must not change."""

import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest
import torch

from lavin_dit.training.loop import NonFiniteLossError, Training
from lavin_dit.training.progress_line import progress_line
from lavin_dit.training.run_folder import EVENTS_FILE, read_metrics
from tiny_training import (
    CONSTANT,
    LOOP,
    MUON,
    OPTIMIZER,
    NumberBatches,
    assert_equal_bits,
    tiny_training,
    weights_of,
)


def events(folder, kind):
    lines = (folder / EVENTS_FILE).read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == kind]


def stop_after(training, num_steps):
    """Ask the process itself to end when the run has come so far."""

    def look(line):
        if training.step >= num_steps:
            os.kill(os.getpid(), signal.SIGTERM)

    training.on_line = look
    return training


@pytest.mark.parametrize("optimizer", [OPTIMIZER, MUON], ids=["adamw", "muon"])
def test_a_stopped_run_goes_on_to_the_bits_of_one_that_was_not(tmp_path, optimizer):
    whole = tiny_training(tmp_path / "whole", optimizer=optimizer)
    assert whole.run() == "steps"
    for stop in (1, 3):
        training = stop_after(tiny_training(tmp_path / "parts", optimizer=optimizer), stop)
        assert training.resume() == (stop > 1)
        assert training.run() == "SIGTERM"
        assert training.step == stop + 1  # the step that was under way is finished
    rest = tiny_training(tmp_path / "parts", optimizer=optimizer)
    assert rest.resume()
    assert rest.run() == "steps"
    assert_equal_bits(weights_of(whole), weights_of(rest))
    assert rest.num_skipped == 0
    steps = [line["step"] for line in read_metrics(tmp_path / "parts")]
    assert steps == list(range(1, LOOP.num_steps + 1))
    same = [line["total"] for line in read_metrics(tmp_path / "parts")]
    assert same == [line["total"] for line in read_metrics(tmp_path / "whole")]


def test_a_signal_is_answered_with_a_checkpoint_before_a_validation(tmp_path):
    training = stop_after(tiny_training(tmp_path), 1)
    seen = []

    def look(step):
        seen.append([path.name for path in (tmp_path / "checkpoints").glob("step-*")])
        return {}

    training.validate = look
    assert training.run() == "SIGTERM"
    assert "step-000000002" in seen[-1]


def test_sigterm_from_outside_saves_and_leaves(tmp_path):
    endless = tiny_training(tmp_path, num_steps=10**6, checkpoint_every=10**6)
    process = multiprocessing.get_context("fork").Process(target=endless.run)
    process.start()
    while len(read_metrics(tmp_path)) < 2:
        assert process.is_alive()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    assert process.exitcode == 0
    (end,) = events(tmp_path, "end")
    assert end["reason"] == "SIGTERM"
    again = tiny_training(tmp_path)
    assert again.resume()
    assert again.step == end["step"] == read_metrics(tmp_path)[-1]["step"]


def test_metrics_of_steps_that_are_taken_again_are_not_doubled(tmp_path, monkeypatch):
    first = tiny_training(tmp_path, num_steps=5)
    with monkeypatch.context() as patch:  # as if it was killed before its first checkpoint
        patch.setattr(Training, "_save", lambda self: None)
        first.run()
    again = tiny_training(tmp_path, num_steps=5)
    assert not again.resume()
    again.run()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("context", ["causal", "joint"])
def test_micro_batches_add_up_to_the_batch(tmp_path, context):
    found = []
    for size in (None, 1, 3):
        training = tiny_training(tmp_path / str(size), context=context, micro_batch_size=size)
        logged = training._gradients(next(iter(training.batches))).own()
        gradients = {
            name: parameter.grad
            for name, parameter in training.objective.named_parameters()
            if parameter.grad is not None
        }
        found.append((gradients, logged))
    (whole, expected), *others = found
    assert whole
    for gradients, logged in others:
        assert gradients.keys() == whole.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, whole[name], atol=2e-6, rtol=1e-4)
        for name in ("total", "loss", *(name for name in expected if name.startswith("loss/"))):
            torch.testing.assert_close(logged[name], expected[name], atol=1e-5, rtol=1e-5)


def test_a_batch_that_is_not_finite_moves_nothing_and_is_reported(tmp_path):
    clean = tiny_training(tmp_path / "clean", num_steps=2)
    clean.run()
    training = tiny_training(
        tmp_path / "poisoned", batches=NumberBatches(poisoned=frozenset({2, 3})), num_steps=4
    )
    assert training.run() == "steps"
    assert training.num_skipped == 2
    assert_equal_bits(weights_of(clean), weights_of(training))
    for mine, theirs in zip(
        clean._optimizers[0].state.values(), training._optimizers[0].state.values(), strict=True
    ):
        assert_equal_bits(mine, theirs)
    reported = events(tmp_path / "poisoned", "not_finite")
    assert [event["step"] for event in reported] == [2, 3]
    assert reported[0]["batch"][1] == "episode 1 of step 2"
    assert "total" in reported[0]["values"]
    assert read_metrics(tmp_path / "poisoned")[2]["total"] is None


def test_too_many_in_a_row_end_the_run_with_a_checkpoint(tmp_path):
    training = tiny_training(tmp_path, batches=NumberBatches(poisoned=frozenset(range(1, 9))))
    with pytest.raises(NonFiniteLossError, match="3 steps in a row up to step 3"):
        training.run()
    again = tiny_training(tmp_path)
    assert again.resume()
    assert again.step == 3
    assert_equal_bits(weights_of(training), weights_of(again))


def test_the_budget_ends_a_run_in_time_with_a_validation_and_a_checkpoint(tmp_path):
    validated = []
    training = tiny_training(
        tmp_path,
        schedule=replace(CONSTANT, decay="cosine", final_share=0.1),
        validate=lambda step: validated.append(step) or {"validation/loss": 1.0},
        num_steps=10**6,
        checkpoint_every=10**6,
        log_every=10**6,
        budget="1s",
    )
    assert training.run() == "budget"
    assert validated == [training.step]
    assert training.step > 0
    assert training.pace.spent_s() < 2.0  # a busy machine may be late, but not by a second
    again = tiny_training(tmp_path, num_steps=10**6, budget="1s")
    assert again.resume()
    assert again.pace.elapsed_s > 0.5
    assert read_metrics(tmp_path)[-1]["validation/loss"] == 1.0


def test_a_run_that_is_made_shorter_is_validated_once(tmp_path):
    """It is over before its first step, as one is that was killed when it was to be validated."""
    validated = []

    def validate(step):
        validated.append(step)
        return {"validation/loss": 1.0}

    stopped = stop_after(tiny_training(tmp_path, num_steps=8, log_every=1), 4)
    assert stopped.run() == "SIGTERM"
    assert stopped.step < 8
    for _ in range(2):
        again = tiny_training(tmp_path, num_steps=4, validate=validate)
        assert again.resume()
        assert again.run() == "steps"
    assert validated == [stopped.step]
    assert read_metrics(tmp_path)[-1]["validation/loss"] == 1.0


def test_validation_sees_the_average_and_leaves_the_weights(tmp_path):
    training = tiny_training(tmp_path / "validated", validate_every=2, num_steps=4)
    average = training.average

    def look(step):
        for name, parameter in training.objective.trained.named_parameters():
            assert torch.equal(parameter, average.state_dict()[name])
        assert not training.objective.training
        return {}

    training.validate = look
    training.run()
    plain = tiny_training(tmp_path / "plain", num_steps=4)
    plain.run()
    assert_equal_bits(weights_of(plain), weights_of(training))


def test_a_warm_up_scales_the_first_step(tmp_path):
    rates = []
    training = tiny_training(tmp_path, schedule=replace(CONSTANT, warmup_steps=4), num_steps=5)
    training.on_line = lambda line: rates.append(training._optimizers[0].param_groups[0]["lr"])
    training.run()
    assert rates == pytest.approx([5e-4, 1e-3, 1.5e-3, 2e-3, 2e-3])


def test_the_line_of_progress_says_what_is_left(tmp_path):
    training = tiny_training(tmp_path, num_steps=4000)
    training.step = 1000
    values = {
        "total": 0.25,
        "lr": 1e-4,
        "samples_per_s": 2.0,
        "tokens_per_s": 3000.0,
        "mfu": 0.5,
        "loader_wait_share": 0.03,
        "step_time_s": 2.0,
    }
    left_s = training.pace.remaining_s(training.step, step_time_s=values["step_time_s"])
    assert progress_line(values, step=1000, num_steps=4000, left_s=left_s) == (
        "step 1,000/4,000  loss 0.2500  lr 1.00e-04  2.0 samples/s  3,000 tokens/s  MFU 50.0%  "
        "wait 3%  left 1:40:00"
    )
