"""A folder holds one run, and says what another recipe differs in."""

import json
from dataclasses import replace

import pytest
import torch

from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.recipes.jdit_run import are_weights_sharded, part_of
from lavin_dit.recipes.run import RunOptions, run_recipe
from lavin_dit.recipes.st_vae import ST_VAE_RECIPES
from lavin_dit.training.processes import Processes
from lavin_dit.training.run_folder import describe_session, record_session
from lavin_dit.weights.config import config_from_json, config_to_json

RECIPES = {**ST_VAE_RECIPES, **JDIT_RECIPES}
JDIT = JDIT_RECIPES["jdit-nano-64"]


@pytest.fixture
def folder(tmp_path):
    """A folder with a run of the nano in it."""
    record_session(tmp_path, describe_session(config_to_json(JDIT), device="cpu", world_size=1))
    return tmp_path


def refused(recipe, folder, **options):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - each test matches what it says
        run_recipe(recipe, RunOptions(folder=folder, device="cpu", **options))
    return str(caught.value)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_written_and_read_back(name):
    text = json.dumps(config_to_json(RECIPES[name]))
    assert config_from_json(type(RECIPES[name]), json.loads(text)) == RECIPES[name]


def test_runs_start_from_the_nano_by_its_name(tmp_path):
    (tmp_path / "nano").mkdir()
    found = part_of("nano", "st_vae")
    assert found.parts[-3:] == ("weights", "nano", "st_vae")
    assert (found / "config.json").is_file()
    assert part_of(str(tmp_path / "nano"), "st_vae") == tmp_path / "nano"


def test_another_recipe_is_refused_with_what_differs(folder):
    other = replace(JDIT, optimizer=replace(JDIT.optimizer, lr=3e-4), seed=7)
    message = refused(other, folder)
    assert f"optimizer.lr was {JDIT.optimizer.lr}, now 0.0003" in message
    assert "seed was 0, now 7" in message
    assert "num_steps" not in message


def test_muon_is_refused_where_weights_are_sharded():
    alone, of_two = (
        Processes(rank=0, world_size=size, device=torch.device("cpu")) for size in (1, 2)
    )
    adamw = replace(JDIT, strategy="zero2")
    muon = replace(adamw, optimizer=replace(JDIT.optimizer, matrices="muon"))
    assert are_weights_sharded(adamw, of_two)
    assert not are_weights_sharded(muon, alone)
    assert not are_weights_sharded(replace(muon, strategy="ddp"), of_two)
    with pytest.raises(ValueError, match="use strategy ddp, not zero2"):
        are_weights_sharded(muon, of_two)


@pytest.mark.parametrize(
    ("precision", "capabilities", "warned"),
    [
        ("bfloat16", {"avx2": True}, True),
        ("bfloat16", {"avx512_bf16": True}, False),
        ("float32", {"avx2": True}, False),
    ],
)
def test_bfloat16_is_warned_of_where_it_is_slower(
    folder, precision, capabilities, warned, monkeypatch, caplog
):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    refused(replace(JDIT, loop=replace(JDIT.loop, precision=precision)), folder)
    assert ("this CPU seems to emulate bfloat16" in caplog.text) == warned


def test_how_long_and_how_often_may_change(folder):
    longer = replace(
        JDIT,
        loop=replace(JDIT.loop, num_steps=7, budget="9m", micro_batch_size=1),
        data=replace(JDIT.data, workers=0),
        strategy="zero2",
    )
    assert "name the folder of a trained ST-VAE" in refused(longer, folder)  # the next check


def test_what_recipes_could_not_say_when_a_run_began_is_no_difference(tmp_path):
    recipe = config_to_json(JDIT)
    del recipe["optimizer"]["matrices"]
    record_session(tmp_path, describe_session(recipe, device="cpu", world_size=1))
    assert "name the folder of a trained ST-VAE" in refused(JDIT, tmp_path)  # the next check
    muon = replace(JDIT, optimizer=replace(JDIT.optimizer, matrices="muon"))
    assert "optimizer.matrices was 'adamw', now 'muon'" in refused(muon, tmp_path)


def test_a_run_is_not_resumed_unasked(folder):
    assert "holds a run" in refused(JDIT, folder, resume=False)


def test_a_file_is_no_run(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file; a run is a folder" in refused(JDIT, tmp_path / "file")


@pytest.mark.parametrize("name", [name for name in RECIPES if "512" in name or "256" in name])
def test_the_papers_numbers(name):
    recipe = RECIPES[name]
    first = name.endswith("256")
    assert recipe.batch_size == 640
    assert recipe.optimizer.lr == (1e-4 if first else 5e-5)
    assert recipe.optimizer.betas == (0.9, 0.95)
    assert recipe.optimizer.weight_decay == 0.01
    assert recipe.optimizer.clip_norm == 1.0
    assert recipe.loop.num_steps == (100_000 if first else 20_000)
    assert recipe.loop.ema_decay == 0.9999
    assert recipe.draws.condition_dropping == 0.1
    assert recipe.schedule.decay == "constant"
    assert recipe.data.height == recipe.data.width == (256 if first else 512)


def test_what_contradicts_itself_is_refused():
    with pytest.raises(ValueError, match=r"needs model\.context_attention 'causal'"):
        replace(JDIT, model=replace(JDIT.model, context_attention="joint"))
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        replace(JDIT, batch_size=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"solver": "rk45"}, "solver must be one of euler, heun, adams_bashforth, got 'rk45'"),
        ({"grid": "cosine"}, "grid must be one of linear_quadratic, uniform, got 'cosine'"),
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
    ],
)
def test_sampling_is_checked_before_anything_is_trained(change, message):
    with pytest.raises(ValueError, match=message):
        replace(JDIT, sampling=replace(JDIT.sampling, **change))
