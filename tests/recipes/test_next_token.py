"""The next-token baseline gets the episodes of the J-DiT, and costs what the page says."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.jdit.cost import supervised_flops
from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.recipes.latent_batches import training_batches
from lavin_dit.recipes.next_token import NEXT_TOKEN_RECIPES
from lavin_dit.training.batches import Share
from random_networks import random_st_vae
from scene_source import SceneSource
from tiny_training import ALONE

PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"
SHARE = Share(seed=0, rank=0, world_size=1, device=torch.device("cpu"))


@pytest.mark.parametrize("cached", [False, True])
def test_it_gets_the_episodes_of_the_jdit(tmp_path, cached):
    prepare_shards(SceneSource(length=12), tmp_path / "shards", settings=ShardSettings())
    found = []
    for recipe in (JDIT_RECIPES["jdit-nano-64"], NEXT_TOKEN_RECIPES["next-token-nano-64"]):
        data = replace(
            recipe.data,
            sources=(f"shards={tmp_path / 'shards'}",),
            tasks=("inpainting", "colorization"),
            height=32,
            width=32,
            max_pairs=3,
            workers=0,
            latents=str(tmp_path / "latents") if cached else None,
            latent_episodes=2,
        )
        small = replace(recipe, data=data, batch_size=2)
        batches = iter(training_batches(small, random_st_vae(), share=SHARE, processes=ALONE))
        found.append([next(batches).part(0, 2) for _ in range(3)])
    for first, second in zip(*found, strict=True):
        assert first.tasks == second.tasks
        assert torch.equal(first.inputs, second.inputs)
        assert torch.equal(first.targets, second.targets)


@pytest.mark.parametrize("side", [64, 128])
def test_the_page_tells_what_an_episode_costs(side):
    pytest.importorskip("transformers")
    from lavin_dit.baselines.decoder import decoder_flops

    jdit = JDIT_RECIPES[f"jdit-nano-{side}"]
    patches = (side // 16) ** 2
    told = " ".join(PAGE.read_text(encoding="utf-8").split())

    def gflop(of_pairs):
        """Mean over 1 to 8 pairs of forward and backward."""
        costs = [3 * of_pairs(pairs) for pairs in range(1, jdit.data.max_pairs + 1)]
        return f"{sum(costs) / len(costs) / 1e9:.1f}"

    def written(**changes):
        model = replace(NEXT_TOKEN_RECIPES[f"next-token-nano-{side}"].model, **changes)
        tokens = 4 * patches * model.num_levels
        return gflop(
            lambda pairs: decoder_flops(
                model, num_tokens=2 * (pairs + 1) * tokens, num_learned=pairs * tokens
            )
        )

    sampled = gflop(
        lambda pairs: supervised_flops(
            jdit.model, num_pairs=pairs + 1, clip_tokens=patches, dense=True
        )
    )
    if side == 64:
        assert f"{sampled} GFLOP and the next-token model {written()} at 64 x 64" in told
        assert f"it is {written(num_levels=2, num_codes=1024)} GFLOP" in told
    else:
        assert f"({sampled} and {written()} at 128 x 128)" in told


def test_recipes_that_cannot_be_are_refused():
    recipe = NEXT_TOKEN_RECIPES["next-token-nano-64"]
    with pytest.raises(ValueError, match="trained on images alone"):
        replace(recipe, data=replace(recipe.data, clip_sources=("world",)))
    with pytest.raises(ValueError, match="codebook_episodes must be at least 1, got 0"):
        replace(recipe, codebook_episodes=0)
