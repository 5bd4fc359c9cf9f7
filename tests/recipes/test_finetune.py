"""A new task from few pairs: the adapter lowers the loss, comes back, and goes on when stopped."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lavin_dit.pipeline.context import find_pairs
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.recipes.finetune import FinetuneRecipe, finetune_recipe
from lavin_dit.recipes.finetune_run import RUN_FOLDER, split_pairs
from lavin_dit.recipes.run import RunOptions, run_recipe
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.low_rank import LowRankObjective, adapted_layers, trained_factors
from lavin_dit.training.run_folder import read_metrics
from lavin_dit.weights.adapter import load_adapter
from pictures import picture
from random_networks import latents, random_jdit, random_pipeline

pytest.importorskip("peft")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for setting in ("joint", "causal"):
        random_pipeline(setting).save_pretrained(folder / setting)
    return folder


@pytest.fixture(scope="module")
def negatives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pairs of a picture and its negative."""
    folder = tmp_path_factory.mktemp("negatives")
    for index in range(6):
        pixels = picture(32, 48, seed=index)
        Image.fromarray(pixels).save(folder / f"{index}_input.png")
        Image.fromarray(255 - pixels).save(folder / f"{index}_target.png")
    return folder


def short(recipe: FinetuneRecipe, *, num_steps: int) -> FinetuneRecipe:
    loop = replace(
        recipe.loop,
        num_steps=num_steps,
        validate_every=0,
        checkpoint_every=num_steps,
        log_every=1,
        ema_decay=0.5,
    )
    optimizer = replace(recipe.optimizer, lr=1e-2)
    schedule = replace(recipe.schedule, warmup_steps=0)
    return replace(
        recipe, rank=4, num_views=2, batch_size=2, loop=loop, optimizer=optimizer, schedule=schedule
    )


def finetune(recipe: FinetuneRecipe, folder: Path) -> None:
    assert run_recipe(recipe, RunOptions(folder=folder / RUN_FOLDER, device="cpu")) == "steps"


@pytest.mark.parametrize("setting", ["joint", "causal"])
def test_an_adapter_lowers_the_loss_and_acts_alike_merged_or_not(
    setting: str, models: Path, negatives: Path, tmp_path: Path
) -> None:
    recipe = finetune_recipe(pairs=str(negatives), model=str(models / setting))
    finetune(short(recipe, num_steps=12), tmp_path)
    config = load_adapter(tmp_path).config
    assert config.validation_loss < 0.9 * config.base_validation_loss
    assert (config.num_pairs, config.height, config.width) == (5, 32, 48)

    settings = {"context": negatives, "output_type": "latent", "progress": False}
    query = picture(32, 48, seed=9)
    pipeline = LavinDiTPipeline.from_pretrained(models / setting, device="cpu", adapter=tmp_path)
    attached = pipeline(query, **settings).latent
    merged = pipeline.merge_adapter()(query, **settings).latent
    torch.testing.assert_close(merged, attached, rtol=1e-3, atol=1e-3)
    plain = LavinDiTPipeline.from_pretrained(models / setting, device="cpu")
    assert (plain(query, **settings).latent - attached).abs().max() > 0.01


def test_a_run_that_goes_on_ends_like_one_that_was_not_stopped(
    models: Path, negatives: Path, tmp_path: Path
) -> None:
    recipe = short(finetune_recipe(pairs=str(negatives), model=str(models / "causal")), num_steps=4)
    # The rate must not depend on the length of the run, which differs.
    recipe = replace(recipe, schedule=replace(recipe.schedule, decay="constant"))
    finetune(recipe, tmp_path / "whole")
    half = replace(recipe, loop=replace(recipe.loop, num_steps=2))
    finetune(half, tmp_path / "parts")
    finetune(replace(recipe, gradient_checkpointing=True), tmp_path / "parts")
    losses = [
        [line["total"] for line in read_metrics(tmp_path / name / RUN_FOLDER) if "total" in line]
        for name in ("whole", "parts")
    ]
    # Blocks that are computed again give what they gave before.
    assert losses[0] == losses[1]
    assert len(losses[0]) == 4


def test_the_networks_own_weights_stay(models: Path, negatives: Path, tmp_path: Path) -> None:
    recipe = finetune_recipe(pairs=str(negatives), model=str(models / "joint"))
    before = {path: path.read_bytes() for path in models.rglob("*.safetensors")}
    finetune(short(recipe, num_steps=1), tmp_path)
    assert before == {path: path.read_bytes() for path in models.rglob("*.safetensors")}
    saved = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    assert saved < 0.5 * sum(map(len, before.values()))


def test_an_adapter_of_another_run_is_left_alone(
    models: Path, negatives: Path, tmp_path: Path
) -> None:
    recipe = short(finetune_recipe(pairs=str(negatives), model=str(models / "joint")), num_steps=1)
    finetune(recipe, tmp_path)
    with pytest.raises(ValueError, match="holds a run with another recipe"):
        finetune(replace(recipe, seed=1), tmp_path)
    shutil.rmtree(tmp_path / RUN_FOLDER)  # as if it had been copied here without its run
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="holds an adapter whose run is gone"):
        finetune(recipe, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_pairs_are_refused(
    count: int, models: Path, negatives: Path, tmp_path: Path
) -> None:
    for path in sorted(negatives.iterdir())[: 2 * count]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    recipe = finetune_recipe(pairs=str(tmp_path), model=str(models / "joint"))
    with pytest.raises(ValueError, match=f"holds {count} pairs, an adapter needs at least 4"):
        finetune(recipe, tmp_path / "out")


@pytest.mark.parametrize(("count", "held_out"), [(4, 1), (5, 1), (10, 2), (100, 20)])
def test_some_pairs_are_held_out(count: int, held_out: int, tmp_path: Path) -> None:
    for index in range(count):
        for half in ("input", "target"):
            (tmp_path / f"{index:03}_{half}.png").touch()
    recipe = finetune_recipe(pairs=str(tmp_path), model="")
    trained, rest = split_pairs(find_pairs(tmp_path), recipe)
    assert len(rest) == held_out
    assert sorted(trained + rest) == list(range(count))
    assert split_pairs(find_pairs(tmp_path), replace(recipe, seed=1)) != (trained, rest)


@pytest.mark.parametrize(
    "change", [{"rank": 0}, {"held_out": 1.0}, {"min_pairs": 3, "max_pairs": 2}, {"seed": -1}]
)
def test_bad_numbers_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(finetune_recipe(pairs="p", model="m"), **change)


class TestLowRankObjective:
    @pytest.mark.parametrize("setting", ["joint", "causal"])
    def test_starts_as_the_network_and_every_change_gets_a_gradient(self, setting: str) -> None:
        jdit = random_jdit(setting)
        expected = jdit(latents(2, 16, 1, 4, 6), torch.tensor([0.2, 0.7]), latents(2, 16, 3, 4, 6))
        objective = LowRankObjective(
            jdit,
            JDiTLossConfig(supervision="single", l1_weight=0.0),
            rank=2,
            generator=torch.Generator().manual_seed(0),
        )
        found = jdit(latents(2, 16, 1, 4, 6), torch.tensor([0.2, 0.7]), latents(2, 16, 3, 4, 6))
        torch.testing.assert_close(found, expected)
        with torch.no_grad():
            for parameter in objective.trained.parameters():
                parameter.add_(0.1)
        jdit(
            latents(2, 16, 1, 4, 6), torch.tensor([0.2, 0.7]), latents(2, 16, 3, 4, 6)
        ).square().sum().backward()
        assert all(p.grad.abs().sum() > 0 for p in objective.parameter_groups()["adapter"])
        assert not [p for p in jdit.parameters() if p.grad is not None and not p.requires_grad]

    def test_the_factors_compute_what_peft_computes(self) -> None:
        jdit, plain = random_jdit("causal"), random_jdit("causal")
        objective = LowRankObjective(
            jdit,
            JDiTLossConfig(supervision="dense", l1_weight=0.0),
            rank=2,
            generator=torch.Generator().manual_seed(0),
        )
        with torch.no_grad():
            for parameter in objective.trained.parameters():
                parameter.add_(0.05)
        from lavin_dit.jdit.low_rank import attach_low_rank

        attach_low_rank(plain, trained_factors(jdit))
        inputs = latents(2, 16, 1, 4, 6), torch.tensor([0.2, 0.7]), latents(2, 16, 3, 4, 6)
        torch.testing.assert_close(plain(*inputs), jdit(*inputs))
        with objective.without_changes():
            torch.testing.assert_close(jdit(*inputs), random_jdit("causal")(*inputs))

    def test_the_global_generator_is_left_alone(self) -> None:
        jdit = random_jdit()
        torch.manual_seed(3)
        expected = torch.rand(3)
        torch.manual_seed(3)
        objective = LowRankObjective(
            jdit,
            JDiTLossConfig(supervision="single", l1_weight=0.0),
            rank=2,
            generator=torch.Generator().manual_seed(0),
        )
        np.testing.assert_array_equal(torch.rand(3), expected)
        assert len(adapted_layers(random_jdit())) == len(trained_factors(objective.jdit))
