"""The J-DiT computes what the authors' released code computes, tensor by tensor.

The fixtures hold random weights, inputs and outputs of that code on a CPU in float32; see
tests/parity/README.md.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lavin_dit.jdit.attention import KeyValue, attention
from lavin_dit.jdit.block import TokenStream
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.modulation import modulate, modulation
from lavin_dit.jdit.normalisation import rms_norm
from lavin_dit.jdit.patch_embedding import patchify
from lavin_dit.jdit.presets import JDIT_PRESETS, jdit_config

HERE = Path(__file__).parent
TOLERANCE = {"atol": 1.5e-5, "rtol": 0.0}
CONFIGS = {
    "dit_a": jdit_config(hidden_size=96, num_layers=2, num_heads=4, num_kv_heads=2, drop_path=0.0),
    "dit_b": jdit_config(hidden_size=60, num_layers=1, num_heads=5, num_kv_heads=5, drop_path=0.0),
}


def load(name: str) -> tuple[JDiT, dict[str, Tensor]]:
    model = JDiT(CONFIGS[name]).eval()
    model.load_state_dict(load_file(HERE / f"{name}.weights.safetensors"))
    return model, load_file(HERE / f"{name}.cases.safetensors")


@pytest.fixture(autouse=True)
def _no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize(
    ("name", "case"), [("dit_a", "case1"), ("dit_a", "case2"), ("dit_b", "case1")]
)
def test_velocity_with_the_task_context_and_without(name: str, case: str) -> None:
    model, tensors = load(name)
    for kind in ("", "_null"):
        velocity = model(tensors[f"{case}.x"], tensors[f"{case}.t"], tensors[f"{case}.cond{kind}"])
        torch.testing.assert_close(velocity, tensors[f"{case}.forward{kind}"], **TOLERANCE)


@pytest.mark.parametrize(
    ("name", "case"), [("dit_a", "case1"), ("dit_a", "case2"), ("dit_b", "case1")]
)
def test_embeddings(name: str, case: str) -> None:
    model, tensors = load(name)
    time = model.t_embedder(tensors[f"{case}.t"])
    torch.testing.assert_close(time, tensors[f"{case}.t_emb"], **TOLERANCE)
    target = model.x_embedder(patchify(tensors[f"{case}.x"], patch_size=2))
    torch.testing.assert_close(target, tensors[f"{case}.embed.x"], **TOLERANCE)


def test_patches_are_cut_in_the_released_order() -> None:
    _, tensors = load("dit_a")
    for name in ("cond", "x"):
        patches = tensors[f"case1.{name}_patch"]
        torch.testing.assert_close(
            patchify(tensors[f"case1.{name}"], patch_size=2), patches.flatten(1, 3), atol=0, rtol=0
        )


def streams(model: JDiT, tensors: dict[str, Tensor], case: str) -> tuple[TokenStream, TokenStream]:
    """Both streams as they enter the first block."""
    time = model.t_embedder(tensors[f"{case}.t"])
    condition, target = tensors[f"{case}.cond"], tensors[f"{case}.x"]
    return (
        model._stream(model.cond_embedder, condition, 0, time + model.prompt_embed),
        model._stream(model.x_embedder, target, condition.shape[2], time + model.answer_embed),
    )


@pytest.mark.parametrize(
    ("name", "case"), [("dit_a", "case1"), ("dit_a", "case2"), ("dit_b", "case1")]
)
def test_residual_streams_after_every_block(name: str, case: str) -> None:
    model, tensors = load(name)
    condition, target = streams(model, tensors, case)
    compared = 0
    for index, block in enumerate(model.blocks):
        condition, target, _ = block(condition, target)
        for stream, found in (("cond", condition), ("x", target)):
            expected = tensors.get(f"{case}.block{index}.{stream}")
            if expected is not None:
                torch.testing.assert_close(found.hidden, expected, **TOLERANCE)
                compared += 1
    assert compared >= 2


def test_inside_of_the_first_block() -> None:
    model, tensors = load("dit_a")

    def expected(key: str) -> Tensor:
        return tensors[f"case1.block0.{key}"]

    block = model.blocks[0]
    condition, target = streams(model, tensors, "case1")
    torch.testing.assert_close(condition.hidden, tensors["case1.embed.cond"], **TOLERANCE)

    inputs: dict[str, Tensor] = {}
    for name, stream in (("cond", condition), ("x", target)):
        layer = getattr(block, f"{name}_modulation")
        torch.testing.assert_close(
            layer(stream.time_vector), expected(f"modulation.{name}"), **TOLERANCE
        )
        scales = modulation(layer, stream.time_vector)
        inputs[name] = modulate(rms_norm(stream.hidden), scales.attention_scale)

    attn = block.joint_attn
    for letter in ("q", "k"):
        normed = [
            rms_norm(
                getattr(attn, f"{name}_{letter}")(inputs[name]),
                getattr(attn, f"{name}_{letter}norm").weight,
            )
            for name in ("cond", "x")
        ]
        heads = torch.cat(normed, dim=1).unflatten(-1, (-1, model.config.head_dim))
        torch.testing.assert_close(heads, expected(f"{letter}_normed"), **TOLERANCE)

    everything = attn.keys_values("cond", inputs["cond"], condition.table).followed_by(
        attn.keys_values("x", inputs["x"], target.table)
    )
    queries = torch.cat(
        [
            attn.queries("cond", inputs["cond"], condition.table),
            attn.queries("x", inputs["x"], target.table),
        ],
        dim=1,
    )
    torch.testing.assert_close(everything.keys, expected("k_roped"), **TOLERANCE)
    torch.testing.assert_close(queries, expected("q_roped"), **TOLERANCE)
    heads = attention(queries, KeyValue(everything.keys, everything.values))
    num_condition = condition.hidden.shape[1]
    for name, part in (("cond", heads[:, :num_condition]), ("x", heads[:, num_condition:])):
        torch.testing.assert_close(
            attn.project_out(name, part), expected(f"attn_out.{name}"), **TOLERANCE
        )


def test_feed_forward_of_the_first_block() -> None:
    model, tensors = load("dit_a")
    found: dict[str, Tensor] = {}
    block = model.blocks[0]
    for name in ("cond", "x"):
        getattr(block, f"{name}_mlp").register_forward_hook(
            lambda _module, _inputs, output, name=name: found.update({name: output})
        )
    block(*streams(model, tensors, "case1"))
    for name in ("cond", "x"):
        torch.testing.assert_close(
            found[name], tensors[f"case1.block0.mlp_out.{name}"], **TOLERANCE
        )


def test_keys_and_shapes_of_the_released_checkpoint() -> None:
    with torch.device("meta"):
        model = JDiT(JDIT_PRESETS["3.4b"])
    expected = json.loads((HERE / "keys_lavindit_3b_2.json").read_text())
    assert {key: list(value.shape) for key, value in model.state_dict().items()} == expected
