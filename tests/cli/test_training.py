"""``lavin train`` before it trains, and the way from a few pairs to a prediction."""

import json
from pathlib import Path

import pytest
from PIL import Image

from lavin_dit.cli.main import main
from lavin_dit.pipeline.clips import load_clip
from lavin_dit.recipes.jdit import JDIT_RECIPES, JDiTRecipe
from lavin_dit.recipes.st_vae import ST_VAE_RECIPES
from lavin_dit.weights.config import config_from_json
from pictures import picture
from random_networks import random_pipeline


def test_recipes_are_listed_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["jdit-3.4b-512", "512", "x", "512", "20,000", "640", "5e-05,", "constant"] in rows
    assert {row[0] for row in rows if row} >= {*JDIT_RECIPES, *ST_VAE_RECIPES}


@pytest.mark.parametrize(
    ("name", "answer"),
    [("jdit-0.1b-265", "did you mean jdit-0.1b-256?"), ("zebra", "'zebra'; there are st-vae-nano")],
)
def test_a_wrong_name_is_answered_with_the_nearest(
    name: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", name, "--run", "run"]) == 2
    assert answer in capsys.readouterr().err


def test_the_recipe_is_shown_as_it_would_be_trained(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--show", "--optimizer.lr", "0.5", "--compile", "True", "--budget", "9m"]
    assert main(["train", "jdit-nano-64", *words]) == 0
    recipe = config_from_json(JDiTRecipe, json.loads(capsys.readouterr().out))
    assert (recipe.optimizer.lr, recipe.compile, recipe.loop.budget) == (0.5, True, "9m")
    assert recipe.model == JDIT_RECIPES["jdit-nano-64"].model


def test_a_run_needs_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "jdit-nano-64"]) == 2
    assert "--run runs/jdit-nano-64" in capsys.readouterr().err


def test_help_is_for_users(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "st-vae-images", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "Everything about a run that trains an ST-VAE." in shown
    assert "Raises" not in shown
    assert "--no-resume" in shown


def test_from_pairs_to_an_adapter_to_a_prediction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("peft")
    random_pipeline("causal").save_pretrained(tmp_path / "model")
    (tmp_path / "pairs").mkdir()
    for index in range(4):
        pixels = picture(32, 48, seed=index)
        for half, shown in (("input", pixels), ("target", 255 - pixels)):
            Image.fromarray(shown).save(tmp_path / "pairs" / f"{index}_{half}.png")
    Image.fromarray(picture(40, 60, seed=9)).save(tmp_path / "query.png")
    pairs, model = str(tmp_path / "pairs"), str(tmp_path / "model")
    adapter = str(tmp_path / "adapter")

    words = ["--pairs", pairs, "--model", model, "-o", adapter, "--rank", "2", "--num-views", "2"]
    assert main(["finetune", *words, "--num-steps", "2", "--device", "cpu", "--no-flip"]) == 0
    assert "loss on the pairs held out" in capsys.readouterr().out

    query, rest = str(tmp_path / "query.png"), ["-c", pairs, "--model", model, "--device", "cpu"]
    out = [tmp_path / "plain", tmp_path / "adapted"]
    assert main(["predict", query, *rest, "-o", str(out[0])]) == 0
    assert main(["predict", query, *rest, "-o", str(out[1]), "--adapter", adapter]) == 0
    assert load_clip(out[1] / "query.png").size == (40, 60)
    assert (out[0] / "query.png").read_bytes() != (out[1] / "query.png").read_bytes()

    assert main(["report", adapter, "-o", str(tmp_path / "report.png")]) == 0
    assert "validation/loss_of_base" in capsys.readouterr().out
    assert main(["predict", query, *rest, "--overwrite", "--adapter", str(tmp_path)]) == 2
    assert "is no adapter" in capsys.readouterr().err
