"""Laws of the loop's small parts."""

import signal
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from lavin_dit.training.config import DrawSettings, OptimizerConfig, ScheduleConfig
from lavin_dit.training.draws import draw_episode, sample_generator
from lavin_dit.training.ema import WeightAverage
from lavin_dit.training.optimizer import clip_gradients, make_optimizers, set_learning_rate
from lavin_dit.training.run_folder import (
    RunLog,
    describe_session,
    read_metrics,
    read_sessions,
    record_session,
)
from lavin_dit.training.schedule import learning_rate_share
from lavin_dit.training.stopping import parse_duration, stopped_by_signals
from lavin_dit.training.throughput import Meter, peak_flops
from tiny_training import MUON


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("9m", 540),
        ("1h30m", 5400),
        ("2d", 172800),
        ("0.5h", 1800),
        ("1d2h3m4s", 93784),
    ],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "9", "9 m", "m", "1h-3m", "0s", "3x", "1hm"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_signals_become_a_request_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with stopped_by_signals() as request:
        assert request.signal_name is None
        signal.raise_signal(signal.SIGUSR1)
        assert request.signal_name == "SIGUSR1"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_signals_are_left_alone():
    found = []

    def work():
        with stopped_by_signals() as request:
            found.append(request.signal_name)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]


def test_the_average_of_constants_is_the_constant():
    network = nn.Linear(3, 5)
    average = WeightAverage(network, decay=0.99)
    for _ in range(20):
        average.update(network)
    for name, weight in network.named_parameters():
        torch.testing.assert_close(average.state_dict()[name], weight.data, atol=1e-7, rtol=1e-6)
    assert average.updates == 20


def test_the_average_follows_the_written_rule():
    network = nn.Linear(1, 1, bias=False)
    average, expected = WeightAverage(network, decay=0.5), network.weight.item()
    for step in range(12):
        with torch.no_grad():
            network.weight.fill_(float(step))
        average.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert float(average.state_dict()["weight"]) == pytest.approx(expected, rel=1e-5)
    with average.swapped_in(network):
        assert network.weight.item() == pytest.approx(expected, rel=1e-5)
    assert network.weight.item() == 11.0
    other = WeightAverage(nn.Linear(1, 1, bias=False), decay=0.5)
    other.load_state_dict(average.state_dict())
    assert other.updates == 12
    with pytest.raises(ValueError, match=r"ema decay must lie in \[0, 1\)"):
        WeightAverage(network, decay=1.0)


def share(step, progress, **changes):
    numbers = {"warmup_steps": 0, "decay": "cosine", "final_share": 0.1} | changes
    return learning_rate_share(ScheduleConfig(**numbers), step=step, progress=progress)


def test_the_schedules_ends():
    assert share(0, 0.0) == 1.0
    assert share(0, 0.5) == pytest.approx(0.55)
    assert share(0, 1.0) == pytest.approx(0.1)
    assert share(0, 1.7) == pytest.approx(0.1)  # a budget may be passed by a step
    assert share(0, 0.0, warmup_steps=4) == 0.25
    assert share(9, 0.9, decay="constant") == 1.0
    assert share(3, 0.9, decay="constant", warmup_steps=4) == 1.0


def test_clipping_keeps_directions_and_players_apart():
    first, second = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))
    first.grad, second.grad = torch.tensor([3.0, 0.0, 4.0]), torch.tensor([0.3, 0.4])
    norms = clip_gradients({"network": [first], "opponent": [second]}, max_norm=1.0)
    assert {name: round(float(norm), 5) for name, norm in norms.items()} == {
        "network": 5.0,
        "opponent": 0.5,
    }
    torch.testing.assert_close(first.grad, torch.tensor([0.6, 0.0, 0.8]))
    torch.testing.assert_close(second.grad, torch.tensor([0.3, 0.4]))


def test_adamw_has_a_group_for_each_player():
    config = OptimizerConfig(lr=0.1, betas=(0.9, 0.95), weight_decay=0.01, clip_norm=1.0)
    groups = {"a": [nn.Parameter(torch.ones(2))], "b": [nn.Parameter(torch.ones(3))]}
    (optimizer,) = optimizers = make_optimizers(groups, config)
    assert [group["name"] for group in optimizer.param_groups] == ["a", "b"]
    set_learning_rate(optimizers, 0.03)
    assert [group["lr"] for group in optimizer.param_groups] == [0.03, 0.03]


def test_muon_steps_the_matrices_it_is_given_along_orthogonal_ones():
    matrix, other = nn.Parameter(torch.zeros(24, 8)), nn.Parameter(torch.zeros(24, 8))
    config = replace(MUON, lr=0.1)
    optimizers = make_optimizers({"network": [other, matrix]}, config, matrices=[matrix])
    assert [len(optimizer.param_groups[0]["params"]) for optimizer in optimizers] == [1, 1]
    set_learning_rate(optimizers, 0.03)
    generator = torch.Generator().manual_seed(0)
    matrix.grad = torch.randn(24, 8, generator=generator)
    for optimizer in optimizers:
        optimizer.step()
    lengths = torch.linalg.svdvals(matrix) / (0.03 * 0.2 * 24**0.5)
    assert lengths.amin() > 0.6  # Newton-Schulz leaves singular values between 0.7 and 1.2
    assert lengths.amax() < 1.3
    assert not other.any()


def test_muon_needs_something_to_step():
    frozen = nn.Parameter(torch.zeros(3, 3), requires_grad=False)
    with pytest.raises(ValueError, match="'muon' is for a J-DiT's own matrices"):
        make_optimizers({"network": []}, MUON, matrices=[frozen])


DRAWS = DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.3)


def drawn(slot, *, step=5):
    generator = sample_generator(7, step=step, slot=slot)
    return draw_episode(
        DRAWS,
        target_shape=torch.Size((3, 2, 1, 2, 2)),
        generator=generator,
        device=torch.device("cpu"),
    )


def test_draws_are_a_function_of_seed_step_and_slot():
    first, again, other = drawn(2), drawn(2), drawn(3)
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.timesteps, again.timesteps)
    assert not torch.equal(first.noise, other.noise)
    assert not torch.equal(first.noise, drawn(2, step=6).noise)
    assert first.noise.shape == (3, 2, 1, 2, 2)
    dropped = np.mean([float(drawn(slot).dropped) for slot in range(400)])
    assert 0.22 < dropped < 0.38


def test_a_log_keeps_what_came_before_and_forgets_what_is_done_again(tmp_path):
    log = RunLog(tmp_path, resumed_at=0)
    for step in range(1, 5):
        log.metrics(step, {"loss": 1 / step})
    log.metrics(5, {"loss": float("nan")})
    log.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')
    assert read_metrics(tmp_path)[-1] == {"step": 5, "loss": None}
    RunLog(tmp_path, resumed_at=3).close()
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]
    assert read_metrics(tmp_path)[2]["loss"] == 0.333333


def test_sessions_add_up(tmp_path):
    for world_size in (1, 2):
        session = describe_session({"seed": 3}, device="cpu", world_size=world_size)
        record_session(tmp_path, session)
    sessions = read_sessions(tmp_path)
    assert [session["world_size"] for session in sessions] == [1, 2]
    assert sessions[0]["recipe"] == {"seed": 3}
    assert read_sessions(tmp_path / "nowhere") == []


def test_the_meter_counts_between_readings():
    meter = Meter(peak=1e6)
    for _ in range(4):
        meter.add(samples=2, tokens=10, flops=3.0, waited_s=0.0)
    rates = meter.read()
    assert rates["samples_per_s"] * rates["step_time_s"] == pytest.approx(2)
    assert rates["tokens_per_s"] / rates["samples_per_s"] == pytest.approx(5)
    assert rates["mfu"] == pytest.approx(rates["samples_per_s"] * 1.5 / 1e6)
    assert meter.read()["samples_per_s"] == 0.0


def test_the_meter_leaves_out_what_was_no_training(monkeypatch):
    clock = iter([0.0, 30.0])
    monkeypatch.setattr("lavin_dit.training.throughput.perf_counter", lambda: next(clock))
    meter = Meter(peak=0.0, _since=0.0)
    next(clock)
    for _ in range(20):
        meter.add(samples=1, tokens=1, flops=0.0, waited_s=0.5)
    meter.skip(10.0)
    rates = meter.read()
    assert rates["step_time_s"] == 1.0
    assert rates["loader_wait_share"] == 0.5


def test_a_cpus_peak_is_measured():
    assert peak_flops(torch.device("cpu")) > 1e8
