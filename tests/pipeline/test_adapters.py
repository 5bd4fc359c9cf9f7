"""Adapters on a pipeline: what is attached acts, what is merged acts alike, others are refused."""

from pathlib import Path

import pytest
import torch

from lavin_dit.jdit.low_rank import LowRankFactors, attach_low_rank
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.weights.adapter import (
    ADAPTER_FILE,
    ADAPTER_WEIGHTS_FILE,
    Adapter,
    AdapterConfig,
    load_adapter,
    save_adapter,
)
from pictures import picture
from random_networks import random_jdit, random_pipeline

LAYERS = ("blocks.0.joint_attn.cond_k", "blocks.0.joint_attn.x_q", "blocks.1.x_mlp.down_proj")


def random_adapter(pipeline: LavinDiTPipeline, *, rank: int = 3) -> Adapter:
    generator = torch.Generator().manual_seed(5)
    factors = {}
    for name in LAYERS:
        layer = pipeline.jdit.get_submodule(name)
        rows, cols = layer.weight.shape
        factors[name] = LowRankFactors(
            torch.randn(rank, cols, generator=generator) / cols**0.5,
            torch.randn(rows, rank, generator=generator),
        )
    config = AdapterConfig(
        base=pipeline.networks.fingerprint(),
        model="tiny",
        rank=rank,
        height=32,
        width=48,
        num_pairs=10,
        num_steps=7,
        validation_loss=0.5,
        base_validation_loss=0.7,
    )
    return Adapter(config=config, factors=factors)


def predicted(pipeline: LavinDiTPipeline, pairs: Path) -> torch.Tensor:
    query = picture(33, 47, seed=3)
    return pipeline(query, context=pairs, output_type="latent", progress=False).latent


@pytest.mark.parametrize("setting", ["joint", "causal"])
def test_merged_equals_attached_and_unloading_restores(
    setting: str, pairs_folder: Path, tmp_path: Path
) -> None:
    pipeline = random_pipeline(setting)
    plain = predicted(pipeline, pairs_folder)
    save_adapter(random_adapter(pipeline), tmp_path)
    attached = predicted(pipeline.load_adapter(tmp_path), pairs_folder)
    assert (attached - plain).abs().max() > 0.1
    torch.testing.assert_close(predicted(pipeline.unload_adapter(), pairs_folder), plain)
    merged = pipeline.load_adapter(tmp_path).merge_adapter()
    torch.testing.assert_close(predicted(merged, pairs_folder), attached)
    assert list(merged.jdit.state_dict()) == list(random_jdit(setting).state_dict())


def test_from_pretrained_attaches(pairs_folder: Path, tmp_path: Path) -> None:
    pipeline = random_pipeline("causal")
    pipeline.save_pretrained(tmp_path / "model")
    save_adapter(random_adapter(pipeline), tmp_path / "adapter")
    loaded = LavinDiTPipeline.from_pretrained(
        tmp_path / "model", device="cpu", adapter=tmp_path / "adapter"
    )
    torch.testing.assert_close(
        predicted(loaded, pairs_folder),
        predicted(pipeline.load_adapter(tmp_path / "adapter"), pairs_folder),
    )


@pytest.mark.parametrize("offload", ["model", "block"])
def test_offloading_moves_the_change_too(offload: str, pairs_folder: Path, tmp_path: Path) -> None:
    pipeline = random_pipeline("causal")
    save_adapter(random_adapter(pipeline), tmp_path)
    expected = predicted(pipeline.load_adapter(tmp_path), pairs_folder)
    pipeline.networks.offload = offload
    torch.testing.assert_close(predicted(pipeline, pairs_folder), expected)


def test_a_compiled_task_belongs_to_its_adapter(pairs_folder: Path, tmp_path: Path) -> None:
    pipeline = random_pipeline("causal")
    task = pipeline.compile_context(pairs_folder)
    save_adapter(random_adapter(pipeline), tmp_path)
    pipeline.load_adapter(tmp_path)
    with pytest.raises(ValueError, match="belongs to another model"):
        pipeline.compile_context(task)


def test_another_model_is_refused(tmp_path: Path) -> None:
    save_adapter(random_adapter(random_pipeline("causal")), tmp_path)
    # The weights are equal, the setting is not.
    with pytest.raises(ValueError, match="was trained on tiny"):
        random_pipeline("joint").load_adapter(tmp_path)


def test_one_adapter_at_a_time_and_none_where_none_is_expected(tmp_path: Path) -> None:
    pipeline = random_pipeline("causal")
    with pytest.raises(ValueError, match="no adapter is attached"):
        pipeline.merge_adapter()
    save_adapter(random_adapter(pipeline), tmp_path / "adapter")
    pipeline.load_adapter(tmp_path / "adapter")
    with pytest.raises(ValueError, match="an adapter is attached"):
        pipeline.load_adapter(tmp_path / "adapter")
    with pytest.raises(ValueError, match=r"merge_adapter\(\)"):
        pipeline.save_pretrained(tmp_path / "saved")


def test_files_come_back_as_they_were(tmp_path: Path) -> None:
    adapter = random_adapter(random_pipeline())
    save_adapter(adapter, tmp_path)
    loaded = load_adapter(tmp_path)
    assert loaded.config == adapter.config
    assert loaded.factors.keys() == adapter.factors.keys()
    for name, factors in adapter.factors.items():
        torch.testing.assert_close(loaded.factors[name], factors, rtol=0, atol=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [ADAPTER_FILE, ADAPTER_WEIGHTS_FILE]


def test_damaged_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no adapter.json"):
        load_adapter(tmp_path)
    save_adapter(random_adapter(random_pipeline()), tmp_path)
    weights, config = tmp_path / ADAPTER_WEIGHTS_FILE, tmp_path / ADAPTER_FILE
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])
    with pytest.raises(ValueError, match=ADAPTER_WEIGHTS_FILE):
        load_adapter(tmp_path)
    weights.write_bytes(whole)
    config.write_text(config.read_text().replace('"rank": 3', '"rank": 4'))
    with pytest.raises(ValueError, match="says rank 4"):
        load_adapter(tmp_path)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=ADAPTER_WEIGHTS_FILE):
        load_adapter(tmp_path)


def test_changes_that_do_not_fit_are_listed_and_nothing_is_attached() -> None:
    jdit = random_jdit()
    wrong = {
        LAYERS[1]: LowRankFactors(torch.zeros(2, 48), torch.zeros(48, 2)),
        "blocks.7.joint_attn.x_q": LowRankFactors(torch.zeros(2, 48), torch.zeros(48, 2)),
        LAYERS[0]: LowRankFactors(torch.zeros(2, 47), torch.zeros(24, 2)),
    }
    with pytest.raises(ValueError, match=r"no linear layer here.*24 x 48, the change 24 x 47"):
        attach_low_rank(jdit, wrong)
    assert list(jdit.state_dict()) == list(random_jdit().state_dict())
