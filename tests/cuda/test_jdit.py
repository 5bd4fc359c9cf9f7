"""A J-DiT on a CUDA device computes what it computes on a CPU, and what the release computes.

Float32 is within 5e-5 of the largest value (the CPU is within 1.5e-5 of the release), bfloat16
within 4 % in the mean square.
"""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lavin_dit.flow.guidance import guide
from lavin_dit.flow.solvers import SOLVERS, trajectory
from lavin_dit.flow.timesteps import linear_quadratic_grid
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config
from random_networks import latents, random_jdit

pytestmark = pytest.mark.gpu
PARITY = Path(__file__).parents[1] / "parity"
CONFIGS = {
    "dit_a": jdit_config(hidden_size=96, num_layers=2, num_heads=4, num_kv_heads=2, drop_path=0.0),
    "dit_b": jdit_config(hidden_size=60, num_layers=1, num_heads=5, num_kv_heads=5, drop_path=0.0),
}
SHARE = 5e-5
BFLOAT16_SHARE = 0.04
BOTH = pytest.mark.parametrize("setting", ["joint", "causal"])
CLIP_FRAMES = (1, 2, 1, 2, 1)
CONDITION, TARGET = latents(2, 16, 7, 6, 10), latents(2, 16, 2, 6, 10, seed=1)
TIME = torch.tensor([0.2, 0.7])


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def released(name, device):
    model = JDiT(CONFIGS[name]).eval()
    model.load_state_dict(load_file(PARITY / f"{name}.weights.safetensors"))
    cases = load_file(PARITY / f"{name}.cases.safetensors")
    return model.to(device), {key: tensor.to(device) for key, tensor in cases.items()}


def on(device, *tensors):
    return [tensor.to(device) for tensor in tensors]


@pytest.mark.parametrize(
    ("name", "case"), [("dit_a", "case1"), ("dit_a", "case2"), ("dit_b", "case1")]
)
def test_velocity_is_the_releases(gpu, assert_near, name, case):
    model, cases = released(name, gpu)
    for kind in ("", "_null"):
        velocity = model(cases[f"{case}.x"], cases[f"{case}.t"], cases[f"{case}.cond{kind}"])
        assert velocity.device.type == gpu.type
        assert_near(velocity, cases[f"{case}.forward{kind}"].cpu(), SHARE)


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_sampler_goes_the_releases_way(gpu, assert_near, scale):
    model, _ = released("dit_a", gpu)
    cases = load_file(PARITY / "sampler.safetensors")
    condition, null, noise = on(gpu, cases["cond"], cases["cond_null"], cases["noise"])
    velocity = guide(
        lambda state, timestep: model(state, timestep, condition),
        unconditional=lambda state, timestep: model(state, timestep, null),
        scale=scale,
    )
    states = trajectory(SOLVERS["euler"], velocity, noise=noise, grid=linear_quadratic_grid(19))
    assert_near(states.flatten(0, 1), cases[f"trajectory_20_cfg{scale}"], SHARE)
    assert_near(states[-1], cases[f"end_20_cfg{scale}"], SHARE)


@BOTH
def test_forward(gpu, assert_near, setting):
    model = random_jdit(setting)
    expected = model(TARGET, TIME, CONDITION, clip_frames=CLIP_FRAMES)
    target, time, condition = on(gpu, TARGET, TIME, CONDITION)
    found = deepcopy(model).to(gpu)(target, time, condition, clip_frames=CLIP_FRAMES)
    assert_near(found, expected, SHARE)


def test_dense_supervision(gpu, assert_near):
    model = random_jdit("causal")
    noisy, times = latents(2, 3, 16, 2, 6, 10, seed=2), torch.rand(2, 3)
    settings = {"clip_frames": CLIP_FRAMES, "views": [1, 3, 5]}
    expected = model.supervise(noisy, times, CONDITION, **settings)
    noisy, times, condition = on(gpu, noisy, times, CONDITION)
    assert_near(model.to(gpu).supervise(noisy, times, condition, **settings), expected, SHARE)


def test_cached_context(gpu, assert_near):
    model = random_jdit("causal")
    expected = model.extend_context(None, CONDITION, clip_frames=CLIP_FRAMES)
    velocity = model.denoise(TARGET, TIME, expected)
    target, time, condition = on(gpu, TARGET, TIME, CONDITION)
    model = model.to(gpu)
    cache = model.extend_context(None, condition[:, :, :3], clip_frames=CLIP_FRAMES[:2])
    cache = model.extend_context(cache, condition[:, :, 3:], clip_frames=CLIP_FRAMES[2:])
    for ours, theirs in zip(cache.blocks, expected.blocks, strict=True):
        assert_near(ours.keys, theirs.keys, SHARE)
        assert_near(ours.values, theirs.values, SHARE)
    assert_near(model.denoise(target, time, cache), velocity, SHARE)
    # A task that was compiled on a CPU serves a GPU.
    assert_near(model.denoise(target, time, expected.to(gpu)), velocity, SHARE)


@BOTH
def test_bfloat16(gpu, setting):
    model = random_jdit(setting)
    expected = model(TARGET, TIME, CONDITION, clip_frames=CLIP_FRAMES)
    target, time, condition = on(gpu, TARGET, TIME, CONDITION)
    model = model.to(gpu, torch.bfloat16)
    found = model(target, time, condition, clip_frames=CLIP_FRAMES)
    assert found.dtype == torch.float32
    error = (found.cpu() - expected).square().mean().sqrt()
    assert error < BFLOAT16_SHARE * expected.square().mean().sqrt()
    if setting == "causal":
        cache = model.extend_context(None, condition, clip_frames=CLIP_FRAMES)
        cached = model.denoise(target, time, cache)
        error = (cached.cpu() - expected).square().mean().sqrt()
        assert error < BFLOAT16_SHARE * expected.square().mean().sqrt()


@BOTH
def test_gradients(gpu, assert_near, setting):
    model = random_jdit(setting)
    twin = deepcopy(model).to(gpu)
    with torch.enable_grad():
        model(TARGET, TIME, CONDITION).square().mean().backward()
        twin(*on(gpu, TARGET, TIME, CONDITION)).square().mean().backward()
    compared = 0
    for (name, ours), theirs in zip(twin.named_parameters(), model.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if theirs.grad is not None:
            assert_near(ours.grad, theirs.grad, 2 * SHARE)
            compared += 1
    assert compared > 40
