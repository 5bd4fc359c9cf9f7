"""Words about data become the mixture that they mean."""

from dataclasses import replace
from pathlib import Path

import pytest

from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.recipes.data import task_weights, training_mixture, validation_mixtures
from lavin_dit.recipes.jdit import JDIT_RECIPES
from scene_source import SceneSource

DATA = replace(JDIT_RECIPES["jdit-nano-64"].data, height=32, width=48)
PROGRAM = Path(__file__).parents[1] / "tiny_mixture.py"


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    prepare_shards(SceneSource(length=12), folder, settings=ShardSettings(samples_per_shard=6))
    return f"shards={folder}"


@pytest.fixture(scope="module")
def world_shards(tmp_path_factory):
    """Shards that say of themselves that they are of the world's train split."""
    folder = tmp_path_factory.mktemp("world")
    source = SceneSource(length=6, name="world")
    prepare_shards(source, folder, settings=ShardSettings(samples_per_shard=6))
    return f"shards={folder}"


def test_weights_are_read():
    assert task_weights(["depth_estimation=2", "inpainting=0.5"]) == {
        "depth_estimation": 2.0,
        "inpainting": 0.5,
    }
    for word in ("depth_estimation", "a=0", "a=-1", "a=b"):
        with pytest.raises(ValueError, match="a weight is written task=2"):
            task_weights([word])


def test_a_tasks_weight_is_shared_by_its_sources(shards):
    data = replace(
        DATA,
        sources=(shards, shards),
        tasks=("depth_estimation", "inpainting"),
        weights=("inpainting=3",),
    )
    mixture = training_mixture(data, batch_size=4, seed=2)
    weights = {(entry.task.name, entry.weight) for entry in mixture.entries}
    assert weights == {("depth_estimation", 0.5), ("inpainting", 1.5)}
    assert mixture.seed == 2
    assert mixture.settings.batch_size == 4
    assert (mixture.settings.min_pairs, mixture.settings.max_pairs) == (1, 8)


def test_a_mixture_knows_how_its_sources_were_constructed():
    """Neither a run nor a folder of latents goes on with scenes of another size."""
    prints = {
        training_mixture(
            replace(DATA, sources=(f"world?length=20{size}",), tasks=("depth_estimation",)),
            batch_size=4,
            seed=2,
        ).fingerprint
        for size in ("", "&size=48x64", "&size=64x64")
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"tasks": ("inpainting",), "weights": ("depth_estimation=2",)},
        {"weights": ("frame_prediction=2", "depth_estimation=3")},
    ],
)
def test_a_weight_of_a_task_that_is_not_shown_is_refused(shards, changes):
    data = replace(DATA, sources=(shards,), **changes)
    message = r"^(depth_estimation|frame_prediction) has a weight, .*not shown; .*: .*inpainting"
    with pytest.raises(ValueError, match=message):
        training_mixture(data, batch_size=4, seed=0)


def test_validation_looks_at_whole_samples_in_their_own_colours(shards):
    data = replace(DATA, validation_sources=(shards,), tasks=("depth_estimation",), recolour=0.5)
    (mixture,) = validation_mixtures(data, batch_size=3, num_pairs=2)
    assert mixture.settings.framing.min_area == 1.0
    assert mixture.settings.recolour == 0.0
    trained = training_mixture(replace(data, sources=(shards,)), batch_size=3, seed=0)
    assert trained.settings.recolour == 0.5
    assert mixture.batch(0).context_targets.shape == (3, 2, 1, 32, 48, 3)
    assert validation_mixtures(DATA, batch_size=3, num_pairs=2) == []


def test_episodes_about_few_classes_are_trained_and_not_validated():
    tasks = ("depth_estimation", "panoptic_segmentation")
    data = replace(DATA, sources=("world?length=20&size=32x48",), tasks=tasks)
    prints = set()
    for share in (0.0, 0.5, 1.0):
        asked = replace(data, few_classes=share)
        depth, panoptic = training_mixture(asked, batch_size=3, seed=0).entries
        assert not hasattr(depth.task, "few_classes")
        assert panoptic.task.few_classes == share
        prints.add(training_mixture(asked, batch_size=3, seed=0).fingerprint)
    assert len(prints) == 3
    held_out = "world?length=20&size=32x48&split=validation"
    asked = replace(data, validation_sources=(held_out,), few_classes=0.5)
    (mixture,) = validation_mixtures(asked, batch_size=3, num_pairs=2)
    assert mixture.entries[1].task.few_classes == 0.0
    with pytest.raises(ValueError, match=r"few_classes is 0.5, but panoptic segmentation is not"):
        training_mixture(
            replace(data, tasks=("depth_estimation",), few_classes=0.5), batch_size=3, seed=0
        )


def test_validation_on_what_is_not_trained_is_refused(shards):
    data = replace(DATA, validation_sources=(shards,), tasks=("frame_prediction",))
    with pytest.raises(ValueError, match="is for validation, but can show none"):
        validation_mixtures(data, batch_size=3, num_pairs=2)


@pytest.mark.parametrize(
    ("trained", "validated"),
    [
        ("world", "world"),
        ("world?length=50", "world?split=train&size=32x48"),
        ("{shards}", "{shards}"),
        ("{shards}", "shards={folder}/../{name}"),
        ("{world}", "world"),
        ("world", "{world}"),
    ],
)
def test_samples_that_are_trained_on_are_not_for_validation(
    shards, world_shards, trained, validated
):
    folder = Path(shards.partition("=")[2])
    words = {"shards": shards, "world": world_shards, "folder": folder, "name": folder.name}
    trained, validated = trained.format(**words), validated.format(**words)
    data = replace(DATA, sources=(trained,), validation_sources=(validated,))
    with pytest.raises(ValueError, match="is for validation, but its samples are trained on"):
        validation_mixtures(data, batch_size=3, num_pairs=2)
    clips = replace(DATA, clip_sources=(trained,), validation_sources=(validated,))
    with pytest.raises(ValueError, match="is for validation, but its samples are trained on"):
        validation_mixtures(clips, batch_size=3, num_pairs=2)


def test_another_split_or_folder_is_for_validation(shards, world_shards):
    sources = ("world?split=validation", world_shards)
    for trained, validated in (sources, sources[::-1], (shards, "world"), ("world", shards)):
        data = replace(DATA, sources=(trained,), validation_sources=(validated,))
        assert len(validation_mixtures(data, batch_size=3, num_pairs=2)) == 1


def test_a_program_makes_the_mixture():
    data = replace(DATA, mixture=f"{PROGRAM}:mixture")
    mixture = training_mixture(data, batch_size=4, seed=2, pairs=(1, 1))
    assert [entry.task.name for entry in mixture.entries] == ["depth_estimation", "inpainting"]
    assert mixture.settings.max_pairs == 1


def test_a_programs_mixture_has_the_numbers_of_the_recipe(tmp_path):
    program = tmp_path / "fixed.py"
    program.write_text(
        "from tiny_mixture import mixture as made\n"
        "mixture = made(batch_size=2, min_pairs=1, max_pairs=1, seed=4)\n"
    )
    data = replace(DATA, mixture=f"{program}:mixture", height=64, width=48)
    with pytest.raises(ValueError, match="batch_size 2, not 4, seed 4, not 2, height 32, not 64"):
        training_mixture(data, batch_size=4, seed=2, pairs=(1, 1))
    same = replace(data, height=32)
    assert training_mixture(same, batch_size=2, seed=4, pairs=(1, 1)).seed == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "there is nothing to train on: name sources with --data.sources"),
        ({"sources": ("nowhere",)}, "nowhere"),
        ({"sources": ("world",), "tasks": ("frame_prediction",)}, "can show frame_prediction:"),
        ({"mixture": f"{PROGRAM}:SceneSource"}, "must be a Mixture, or a function"),
        ({"mixture": "nothing.py:mixture"}, "nothing.py: no such program"),
        ({"mixture": "mixture"}, "mixture: no such program"),
    ],
)
def test_what_means_no_mixture_is_told(changes, message):
    with pytest.raises((ValueError, OSError, TypeError), match=message):
        training_mixture(replace(DATA, **changes), batch_size=4, seed=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 40}, "height must be a multiple of 16, got 40"),
        ({"workers": -1}, "workers -1"),
        ({"weights": ("x",)}, "a weight is written"),
        ({"mixture": "m.py:m", "sources": ("world",)}, "mixture: leave out sources"),
        ({"mixture": "m.py:m", "recolour": 0.5}, "mixture: leave out recolour"),
        ({"mixture": "m.py:m", "tasks": ("inpainting",)}, "mixture: leave out tasks"),
        ({"mixture": "m.py:m", "few_classes": 0.5}, "mixture: leave out few_classes"),
        ({"recolour": 1.5}, "recolour must lie in .0, 1., got 1.5"),
        ({"few_classes": -0.5}, "few_classes must lie in .0, 1., got -0.5"),
    ],
)
def test_numbers_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(DATA, **changes)
