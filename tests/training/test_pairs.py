"""Views move both halves of a pair alike; a query is never in its own context."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lavin_dit.pipeline.clips import Clip, save_clip
from lavin_dit.pipeline.context import find_pairs
from lavin_dit.pipeline.fitting import Canvas
from lavin_dit.training.batches import Share
from lavin_dit.training.config import DrawSettings
from lavin_dit.training.pair_episodes import PairEpisodes, Roles
from lavin_dit.training.pair_latents import PairLatents, ViewSettings, encode_pairs
from pictures import picture
from random_networks import latents, random_st_vae

CANVAS = Canvas(height=16, width=32)


def encoded(folder: Path, *, num_views: int = 4, flip: bool = True, seed: int = 0) -> PairLatents:
    return encode_pairs(
        find_pairs(folder),
        random_st_vae(),
        canvas=CANVAS,
        settings=ViewSettings(num_views=num_views, min_area=0.3, flip=flip),
        seed=seed,
    )


class TestViews:
    @pytest.fixture
    def copies(self, tmp_path: Path) -> Path:
        """Two pairs whose target is the input."""
        for index, size in enumerate([(37, 50), (64, 31)]):
            pixels = picture(*size, seed=index)
            for half in ("input", "target"):
                Image.fromarray(pixels).save(tmp_path / f"{index}_{half}.png")
        return tmp_path

    def test_input_and_target_are_cut_and_mirrored_alike(self, copies: Path) -> None:
        found = encoded(copies)
        assert found.inputs.shape == (2, 4, 16, 1, 2, 4)
        torch.testing.assert_close(found.inputs, found.targets, rtol=0, atol=0)
        assert (found.inputs[:, 1] - found.inputs[:, 2]).abs().amax(dim=(1, 2, 3, 4)).min() > 0.1

    def test_a_target_of_another_size_is_cut_in_the_same_place(self, copies: Path) -> None:
        for path in copies.glob("*_target.png"):
            with Image.open(path) as image:
                larger = image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)
            larger.save(path)
        found = encoded(copies)
        error = (found.inputs - found.targets).abs().mean()
        shuffled = (found.inputs - found.targets.roll(1, dims=1)).abs().mean()
        assert error < 0.1 * shuffled

    def test_the_first_view_has_no_chance_in_it(self, copies: Path) -> None:
        first, second = encoded(copies, seed=0), encoded(copies, seed=1)
        torch.testing.assert_close(first.fitted().inputs, second.fitted().inputs, rtol=0, atol=0)
        assert not torch.equal(first.inputs[:, 1:], second.inputs[:, 1:])

    def test_clips_are_pairs_too_and_must_be_of_one_length(self, tmp_path: Path) -> None:
        frames = np.stack([picture(16, 32, seed=seed) for seed in range(5)])
        for name, length in (("a", 5), ("b", 4), ("c", 1)):
            for half in ("input", "target"):
                save_clip(Clip(frames=frames[:length]), tmp_path / f"{name}_{half}.mp4")
        pairs = find_pairs(tmp_path)
        settings = ViewSettings(num_views=2, min_area=0.5, flip=False)
        found = encode_pairs(pairs[:2], random_st_vae(), canvas=CANVAS, settings=settings, seed=0)
        assert found.inputs.shape == (2, 2, 16, 2, 2, 4)
        with pytest.raises(ValueError, match="the input of c makes 1 latent frames, that of a 2"):
            encode_pairs(pairs, random_st_vae(), canvas=CANVAS, settings=settings, seed=0)

    @pytest.mark.parametrize(("num_views", "min_area"), [(0, 0.5), (2, 0.0), (2, 1.5)])
    def test_bad_settings_are_refused(self, num_views: int, min_area: float) -> None:
        with pytest.raises(ValueError, match=r"num_views|min_area"):
            ViewSettings(num_views=num_views, min_area=min_area, flip=True)


def episodes(
    roles: Roles, *, rank: int = 0, world_size: int = 1, batch_size: int = 6, seed: int = 0
) -> PairEpisodes:
    every = latents(7, 2, 16, 1, 2, 4)
    return PairEpisodes(
        PairLatents(names=tuple("abcdefg"), inputs=every, targets=-every),
        roles,
        batch_size=batch_size,
        share=Share(seed=seed, rank=rank, world_size=world_size, device=torch.device("cpu")),
        draws=DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.5),
        task="letters",
    )


TRAINED = Roles(queries=(0, 1, 2, 4, 6), context=(0, 1, 2, 4, 6), min_pairs=1, max_pairs=4)
HELD_OUT = Roles(queries=(3, 5), context=(0, 1, 2, 4, 6), min_pairs=2, max_pairs=2)


class TestEpisodes:
    @pytest.mark.parametrize("roles", [TRAINED, HELD_OUT])
    def test_context_is_from_the_trained_pairs_and_never_the_query(self, roles: Roles) -> None:
        queries: Counter[int] = Counter()
        sizes: set[int] = set()
        for step in range(20):
            for place in range(6):
                *context, query = episodes(roles).members(step, place)
                assert query not in context
                assert set(context) <= set(TRAINED.context)
                assert len(set(context)) == len(context)
                queries[query] += 1
                sizes.add(len(context))
        assert set(queries) == set(roles.queries)
        assert max(queries.values()) - min(queries.values()) <= 1
        assert sizes == set(range(roles.min_pairs, roles.max_pairs + 1))

    def test_inputs_and_targets_are_of_the_same_pair_and_view(self) -> None:
        batch = episodes(TRAINED).read(3, range(6))
        torch.testing.assert_close(batch.targets, -batch.inputs, rtol=0, atol=0)
        assert len(batch.inputs.unique()) > 6 * 16 * 8

    def test_two_processes_have_the_batch_of_one(self) -> None:
        whole = episodes(TRAINED).batch(5).part(0, 6)
        parts = [episodes(TRAINED, rank=rank, world_size=2).batch(5).part(0, 3) for rank in (0, 1)]
        for name in ("inputs", "targets", "noise", "timesteps", "dropped"):
            joined = torch.cat([getattr(part, name) for part in parts])
            torch.testing.assert_close(joined, getattr(whole, name), rtol=0, atol=0)

    def test_it_goes_on_where_it_was_and_with_the_same_pairs_only(self) -> None:
        first = episodes(TRAINED)
        walk = iter(first)
        next(walk)
        state = first.state_dict()
        second = episodes(TRAINED)
        second.load_state_dict(state)
        after = next(iter(second))
        assert after.step == 1
        assert after.describe() == next(walk).describe()
        assert after.describe()[0].startswith("letters: query ")
        assert after.clip_cells[1] == 8
        with pytest.raises(ValueError, match="saved with seed 0"):
            episodes(TRAINED, seed=1).load_state_dict(state)

    @pytest.mark.parametrize(
        ("min_pairs", "max_pairs", "context"), [(0, 1, (0, 1)), (1, 2, (0, 1)), (2, 1, (0, 1, 2))]
    )
    def test_too_few_pairs_are_refused(
        self, min_pairs: int, max_pairs: int, context: tuple[int, ...]
    ) -> None:
        with pytest.raises(ValueError, match="the pairs that a query can have"):
            Roles(queries=(0,), context=context, min_pairs=min_pairs, max_pairs=max_pairs)

    def test_batches_must_divide(self) -> None:
        with pytest.raises(ValueError, match="divisible by the 4 processes"):
            episodes(TRAINED, world_size=4)
