import pytest
import torch

from lavin_dit.jdit.config import ContextAttention, JDiTConfig
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.patch_embedding import patchify, unpatchify
from lavin_dit.jdit.presets import JDIT_PRESETS, jdit_config
from random_networks import latents, random_jdit

BOTH = pytest.mark.parametrize("setting", ["joint", "causal"])


@pytest.mark.parametrize(
    ("preset", "count"),
    [("0.1b", 100_709_952), ("1.0b", 935_095_360), ("3.4b", 3_398_976_064)],
)
def test_parameter_counts_of_the_paper(preset: str, count: int) -> None:
    with torch.device("meta"):
        model = JDiT(JDIT_PRESETS[preset])
    assert sum(parameter.numel() for parameter in model.parameters()) == count


def test_patches_go_back_where_they_came_from() -> None:
    latent = latents(2, 3, 5, 6, 10)
    tokens = patchify(latent, patch_size=2)
    assert tokens.shape == (2, 5 * 3 * 5, 12)
    torch.testing.assert_close(unpatchify(tokens, grid=(5, 3, 5), patch_size=2), latent)


@BOTH
def test_a_fresh_network_predicts_no_velocity(setting: ContextAttention) -> None:
    model = JDiT(
        jdit_config(
            hidden_size=48,
            num_layers=2,
            num_heads=4,
            num_kv_heads=2,
            drop_path=0.0,
            context_attention=setting,
        )
    )
    velocity = model(latents(1, 16, 1, 4, 6), torch.tensor([0.3]), latents(1, 16, 3, 4, 6, seed=1))
    assert velocity.abs().max() == 0


@BOTH
def test_velocity_has_the_targets_shape_and_float32(setting: ContextAttention) -> None:
    model = random_jdit(setting).to(torch.bfloat16)
    target = latents(2, 16, 2, 4, 6)
    velocity = model(target, torch.tensor([0.1, 0.9]), latents(2, 16, 7, 4, 6, seed=1))
    assert velocity.shape == target.shape
    assert velocity.dtype == torch.float32


@BOTH
def test_bfloat16_stays_near_float32(setting: ContextAttention) -> None:
    model = random_jdit(setting)
    inputs = (latents(2, 16, 1, 4, 6), torch.tensor([0.1, 0.9]), latents(2, 16, 3, 4, 6, seed=1))
    exact = model(*inputs)
    rounded = model.to(torch.bfloat16)(*inputs)
    assert (rounded - exact).square().mean().sqrt() < 0.03 * exact.square().mean().sqrt()


@BOTH
def test_samples_of_a_batch_do_not_meet(setting: ContextAttention) -> None:
    model = random_jdit(setting)
    target, condition = latents(3, 16, 1, 4, 6), latents(3, 16, 5, 4, 6, seed=1)
    times = torch.tensor([0.0, 0.4, 1.0])
    together = model(target, times, condition)
    for i in range(3):
        alone = model(target[i : i + 1], times[i : i + 1], condition[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


@BOTH
def test_gradient_checkpointing_changes_no_gradient(setting: ContextAttention) -> None:
    inputs = (latents(1, 16, 1, 4, 6), torch.tensor([0.5]), latents(1, 16, 3, 4, 6, seed=1))
    gradients: list[dict[str, torch.Tensor | None]] = []
    for switch in (False, True):
        model = random_jdit(setting, drop_path=0.5).train()
        model.gradient_checkpointing = switch
        model(*inputs, generator=torch.Generator().manual_seed(3)).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, expected in gradients[0].items():
        found = gradients[1][name]
        assert (found is None) == (expected is None), name
        if found is not None and expected is not None:
            torch.testing.assert_close(found, expected)


def test_the_last_blocks_dead_branch_gets_no_gradient_and_all_else_does() -> None:
    model = random_jdit()
    model(
        latents(1, 16, 1, 4, 6), torch.tensor([0.5]), latents(1, 16, 3, 4, 6, seed=1)
    ).square().mean().backward()
    silent = {name for name, p in model.named_parameters() if p.grad is None}
    assert silent == {
        "blocks.1.joint_attn.cond_q.weight",
        "blocks.1.joint_attn.cond_qnorm.weight",
        "blocks.1.joint_attn.cond_proj.weight",
        "blocks.1.cond_mlp.gate_proj.weight",
        "blocks.1.cond_mlp.up_proj.weight",
        "blocks.1.cond_mlp.down_proj.weight",
    }


def test_drop_path_is_drawn_from_the_generator_and_keeps_the_mean_rate() -> None:
    model = random_jdit(drop_path=0.4).train()
    inputs = (latents(1, 16, 1, 4, 6), torch.tensor([0.5]), latents(1, 16, 3, 4, 6, seed=1))

    def run(seed: int) -> torch.Tensor:
        return model(*inputs, generator=torch.Generator().manual_seed(seed))

    torch.testing.assert_close(run(1), run(1), atol=0, rtol=0)
    assert any(not torch.equal(run(1), run(seed)) for seed in range(2, 6))
    scales = model._drop_path_scales(4000, torch.device("cpu"), torch.Generator().manual_seed(0))
    assert scales is not None
    assert torch.equal(scales[0], torch.ones(4, 4000))  # the first block never drops
    torch.testing.assert_close((scales[1] == 0).float().mean().item(), 0.4, atol=0.02, rtol=0)
    torch.testing.assert_close(scales[1].mean().item(), 1.0, atol=0.04, rtol=0)
    model.eval()
    torch.testing.assert_close(run(1), run(2), atol=0, rtol=0)


def test_sandwich_norm_is_a_setting() -> None:
    inputs = (latents(1, 16, 1, 4, 6), torch.tensor([0.5]), latents(1, 16, 3, 4, 6, seed=1))
    with_norm, without = random_jdit(), random_jdit(sandwich_norm=False)
    assert with_norm.state_dict().keys() == without.state_dict().keys()
    assert (with_norm(*inputs) - without(*inputs)).abs().max() > 0.1


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 5}, "hidden_size 48 must be divisible by num_heads 5"),
        ({"num_kv_heads": 3}, "num_heads 4 must be a multiple of num_kv_heads 3"),
        ({"rope_axes_dim": (4, 4, 6)}, r"rope_axes_dim \(4, 4, 6\) must sum to head_dim 12"),
        ({"rope_axes_dim": (3, 5, 4)}, "must be even"),
        ({"rope_patch_step": 0.0}, "rope_patch_step must be positive and finite, got 0.0"),
        ({"drop_path": 1.0}, r"drop_path must lie in \[0, 1\), got 1.0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"context_attention": "sparse"}, "got 'sparse'"),
        ({"mlp_hidden_size": 0}, "mlp_hidden_size must be at least 1"),
    ],
)
def test_contradicting_numbers(change: dict[str, object], message: str) -> None:
    numbers: dict[str, object] = {
        "latent_channels": 16,
        "patch_size": 2,
        "hidden_size": 48,
        "num_layers": 2,
        "num_heads": 4,
        "num_kv_heads": 2,
        "mlp_hidden_size": 128,
        "rope_axes_dim": (4, 4, 4),
        "sandwich_norm": True,
        "drop_path": 0.0,
        "context_attention": "joint",
    }
    with pytest.raises(ValueError, match=message):
        JDiTConfig(**(numbers | change))


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("target", "condition", "message"),
    [
        ((1, 16, 1, 4, 6), (1, 16, 3, 4, 8), "same height and width"),
        ((1, 16, 1, 4, 6), (2, 16, 3, 4, 6), "same batch"),
        ((1, 8, 1, 4, 6), (1, 16, 3, 4, 6), r"noisy_target must be \(batch, 16"),
        ((1, 16, 0, 4, 6), (1, 16, 3, 4, 6), "at least one frame"),
        ((1, 16, 1, 5, 6), (1, 16, 3, 5, 6), "5x6 must be multiples of patch_size 2"),
    ],
)
def test_latents_that_do_not_belong_together(
    target: tuple[int, ...], condition: tuple[int, ...], message: str
) -> None:
    model = random_jdit()
    with pytest.raises(ValueError, match=message):
        model(latents(*target), torch.zeros(target[0]), latents(*condition))


@pytest.mark.compile
@BOTH
def test_blocks_trace_into_one_graph(setting: ContextAttention) -> None:
    model = random_jdit(setting)
    inputs = (latents(1, 16, 1, 4, 6), torch.tensor([0.5]), latents(1, 16, 3, 4, 6, seed=1))
    with torch.no_grad():
        expected = model(*inputs)
        compiled = torch.compile(model, backend="eager", fullgraph=True)(*inputs)
    torch.testing.assert_close(compiled, expected, atol=1e-5, rtol=0)
