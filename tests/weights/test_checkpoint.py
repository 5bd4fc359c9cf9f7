import json
import re
from dataclasses import replace

import pytest
import torch

from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from lavin_dit.weights import checkpoint, shards
from lavin_dit.weights.checkpoint import (
    load_checkpoint,
    load_configs,
    save_checkpoint,
    save_defaults,
)
from lavin_dit.weights.defaults import RELEASED_DEFAULTS, PipelineDefaults
from random_networks import random_jdit

DEFAULTS = replace(RELEASED_DEFAULTS, height=48, width=80, num_steps=3, posterior="sample")


def _networks(seed):
    config = replace(ST_VAE_PRESETS["nano"], block_out_channels=(8, 8, 8, 8))
    st_vae = STVAE(config).eval()
    st_vae.reset_parameters(torch.Generator().manual_seed(seed))
    jdit = random_jdit()
    with torch.no_grad():
        jdit.prompt_embed += seed
    return {"st_vae": st_vae, "jdit": jdit}


def _save(directory, *, seed=0, defaults=DEFAULTS, **settings):
    networks = _networks(seed)
    save_checkpoint(directory, defaults=defaults, **networks, **settings)
    return networks


def _load(directory):
    return load_checkpoint(directory, dtype=torch.float32, device="cpu")


def _assert_holds(directory, networks, defaults=DEFAULTS):
    loaded = _load(directory)
    assert loaded.defaults == defaults
    for name, network in networks.items():
        found = getattr(loaded, name)
        assert found.config == network.config
        assert not found.training
        for key, tensor in network.state_dict().items():
            assert torch.equal(found.state_dict()[key], tensor)


@pytest.mark.parametrize("max_shard_bytes", [None, 40_000])
def test_round_trip(tmp_path, max_shard_bytes):
    directory = tmp_path / "new" / "folder"
    networks = _save(directory, max_shard_bytes=max_shard_bytes)
    assert sorted(path.name for path in directory.iterdir()) == ["jdit", "pipeline.json", "st_vae"]
    num_files = len(list((directory / "jdit").glob("*.safetensors")))
    assert (num_files > 1) == (max_shard_bytes is not None)
    _assert_holds(directory, networks)
    assert load_configs(directory) == (networks["jdit"].config, networks["st_vae"].config)


def test_precision(tmp_path):
    _save(tmp_path)
    loaded = load_checkpoint(tmp_path, dtype=torch.bfloat16, device="cpu")
    for network in (loaded.st_vae, loaded.jdit):
        assert {value.dtype for value in network.state_dict().values()} == {torch.bfloat16}


def test_an_earlier_pipeline_is_replaced(tmp_path):
    _save(tmp_path, seed=1, max_shard_bytes=40_000)
    defaults = replace(DEFAULTS, num_steps=7)
    networks = _save(tmp_path, seed=2, defaults=defaults)
    _assert_holds(tmp_path, networks, defaults)


@pytest.mark.parametrize("network", ["st_vae", "jdit"])
@pytest.mark.parametrize("after", [0, 2])
def test_a_save_that_fails_never_leaves_a_mixture(tmp_path, monkeypatch, network, after):
    earlier = _save(tmp_path, seed=1)
    flush = shards.ShardWriter._flush
    calls = []

    def fail(self):
        if self._directory.name == network:
            calls.append(network)
            if len(calls) > after:
                raise OSError("disk full")
        flush(self)

    monkeypatch.setattr(shards.ShardWriter, "_flush", fail)
    with pytest.raises(OSError, match="disk full"):
        _save(tmp_path, seed=2, max_shard_bytes=40_000)
    monkeypatch.undo()
    _assert_holds(tmp_path, earlier)


def test_a_failure_between_both_networks_is_noticed(tmp_path, monkeypatch):
    _save(tmp_path, seed=1)
    commit = shards.ShardWriter._commit

    def fail(self):
        if self._directory.name == "st_vae":
            raise OSError("disk full")
        commit(self)

    monkeypatch.setattr(shards.ShardWriter, "_commit", fail)
    with pytest.raises(OSError, match="disk full"):
        _save(tmp_path, seed=2)
    with pytest.raises(FileNotFoundError, match="is no saved pipeline"):
        _load(tmp_path)
    monkeypatch.undo()
    _assert_holds(tmp_path, _save(tmp_path, seed=3))


def test_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write weights into .*file/new/st_vae"):
        _save(tmp_path / "file" / "new")


@pytest.mark.parametrize("lost", ["pipeline.json", "jdit", "st_vae", "jdit/config.json"])
def test_missing_parts_are_named(tmp_path, lost):
    _save(tmp_path / "saved")
    (tmp_path / "saved" / lost).rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=re.escape(lost)):
        _load(tmp_path / "saved")


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere is no saved pipeline: .* pipeline.json$"):
        _load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"no configuration at .*nowhere/jdit/config.json"):
        load_configs(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "pipeline.json is not JSON"),
        ("[]", "pipeline.json must hold a JSON object"),
        ("{}", "pipeline.json: format_version must be 1"),
    ],
)
def test_damaged_defaults(tmp_path, text, message):
    _save(tmp_path)
    (tmp_path / "pipeline.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        _load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"num_steps": 2.5}, "num_steps: expected int, got 2.5"),
        ({"guidance_scale": -1.0}, "guidance_scale must be a finite number of at least 0"),
        ({"guidance_scale": float("nan")}, "guidance_scale must be a finite number"),
        ({"guidance_scale": float("inf")}, "guidance_scale must be a finite number"),
        (
            {"restoration_guidance_scale": -1.0},
            "restoration_guidance_scale must be a finite number of at least 0, got -1.0",
        ),
        ({"posterior": "mean"}, "posterior: expected Literal"),
        ({"strength": 1}, "unknown strength"),
    ],
)
def test_wrong_defaults_name_the_file(tmp_path, change, message):
    _save(tmp_path)
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=rf"pipeline.json: .*{message}"):
        _load(tmp_path)


def test_swapped_networks(tmp_path):
    _save(tmp_path)
    (tmp_path / "jdit").rename(tmp_path / "away")
    (tmp_path / "st_vae").rename(tmp_path / "jdit")
    (tmp_path / "away").rename(tmp_path / "st_vae")
    with pytest.raises(ValueError, match=r"config.json: the configuration is for 'JDiTConfig'"):
        _load(tmp_path)


def test_defaults_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    save_defaults(tmp_path, DEFAULTS)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Path, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save_defaults(tmp_path, replace(DEFAULTS, num_steps=99))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipeline.json"]
    assert json.loads((tmp_path / "pipeline.json").read_text())["num_steps"] == 3


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (name, value)
            for name in ("height", "width", "num_context_pairs", "num_steps")
            for value in (0, -3)
        ),
        ("guidance_scale", -0.5),
        ("guidance_scale", float("nan")),
        ("posterior", "median"),
    ],
)
def test_defaults_out_of_range(field, value):
    with pytest.raises(ValueError, match=rf"{field} must be .*got {value!r}$"):
        replace(RELEASED_DEFAULTS, **{field: value})


def test_released_defaults():
    """The authors' command line: 512x512, 4 pairs, 20 points, scale 1.5."""
    assert (
        PipelineDefaults(
            height=512,
            width=512,
            num_context_pairs=4,
            num_steps=19,
            guidance_scale=1.5,
            solver="euler",
            posterior="mode",
        )
        == RELEASED_DEFAULTS
    )
