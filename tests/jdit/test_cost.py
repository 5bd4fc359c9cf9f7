"""The computed costs against torch's own count of what the network does."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lavin_dit.jdit.cost import (
    StepShape,
    causal_step_flops,
    context_cache_bytes,
    joint_step_flops,
    num_parameters,
)
from lavin_dit.jdit.presets import JDIT_PRESETS
from random_networks import latents, random_jdit

SHAPE = StepShape(condition_frames=5, target_frames=2, rows=3, cols=2)


def counted(setting: str) -> int:
    model = random_jdit(setting, num_layers=3, hidden_size=64)
    target, condition = latents(1, 16, 2, 6, 4), latents(1, 16, 5, 6, 4, seed=1)
    time = torch.tensor([0.3])
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        cache = model.extend_context(None, condition) if setting == "causal" else None
        with FlopCounterMode(display=False) as counter:
            if cache is None:
                model(target, time, condition)
            else:
                model.denoise(target, time, cache)
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("setting", "computed"), [("joint", joint_step_flops), ("causal", causal_step_flops)]
)
def test_computed_arithmetic_is_what_torch_counts(setting: str, computed: object) -> None:
    config = random_jdit(setting, num_layers=3, hidden_size=64).config
    # What the formula leaves out does not grow with tokens: time embedding and modulations.
    streams = 2 if setting == "joint" else 1
    per_call = 2 * (256 * 64 + 64 * 64) + 2 * 64 * 64
    per_call += 3 * streams * 2 * 64 * 4 * 64
    assert computed(config, SHAPE) + per_call == counted(setting)


def test_the_cache_takes_the_memory_that_is_computed() -> None:
    model = random_jdit("causal")
    cache = model.extend_context(None, latents(1, 16, 5, 6, 4))
    assert context_cache_bytes(model.config, SHAPE, bytes_per_value=4) == cache.num_bytes


def test_the_paper_sized_model() -> None:
    config = JDIT_PRESETS["3.4b"]
    assert num_parameters(config) == 3_398_976_064
    step = StepShape(condition_frames=17, target_frames=1, rows=32, cols=32)
    assert joint_step_flops(config, step) == pytest.approx(112e12, rel=0.03)


def test_sizes_must_be_positive() -> None:
    with pytest.raises(ValueError, match="rows must be at least 1, got 0"):
        StepShape(condition_frames=1, target_frames=1, rows=0, cols=2)
