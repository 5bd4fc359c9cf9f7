"""What docs/training.md says: every command is read, cheap ones are done, tables hold."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lavin_dit.cli.main import main, verb_of
from lavin_dit.cli.train import parsed
from lavin_dit.jdit.cost import num_parameters, supervised_flops
from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.recipes.st_vae import ST_VAE_RECIPES
from lavin_dit.weights.config import config_to_json
from training_page import PAGE, commands

RECIPES = {**JDIT_RECIPES, **ST_VAE_RECIPES}
H100_FLOPS, SHARE = 989e12, 0.4
BYTES_OF_STATE = 20


def flat(data: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        elif name not in ("format_version", "class"):
            yield prefix + name, value


def shown(value: object) -> str:
    """A value as the page writes it."""
    match value:
        case None:
            return "none"
        case bool() | str():
            return str(value)
        case list():
            return ", ".join(map(shown, value))
        case int():
            return f"{value:,}"
        case _:
            return f"{value:g}"


def tables() -> list[dict[str, list[str]]]:
    """Cells of every table of the page, by the first one without its backquotes."""
    found: list[dict[str, list[str]]] = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, flags=re.MULTILINE):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        found.append({row[0].strip("`"): row[1:] for row in rows})
    return found


def test_there_are_commands_of_every_kind() -> None:
    verbs = {words[0] for words in commands()}
    assert {"train", "finetune", "report", "predict", "prepare", "look"} <= verbs
    assert len(commands()) > 15


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_is_understood(words: list[str]) -> None:
    if words == ["train"] or "--help" in words:
        return
    if words[0] == "train":
        where, recipe = parsed(words[1], RECIPES[words[1]], words[2:])
        assert where.show or where.run is not None
        assert recipe != RECIPES[words[1]], "something is changed"
        return
    assert type(verb_of(words)).__name__.lower() == words[0]


@pytest.mark.parametrize(
    "words", [words for words in commands() if words == ["train"] or "--show" in words], ids=str
)
def test_commands_that_only_tell_are_done(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    assert "jdit-0.1b-256" in capsys.readouterr().out or "--show" in words


@pytest.mark.parametrize(
    ("recipe", "place"), [(JDIT_RECIPES["jdit-0.1b-256"], 0), (ST_VAE_RECIPES["st-vae-images"], 1)]
)
def test_the_tables_of_fields_are_complete_and_right(recipe: object, place: int) -> None:
    of_fields = [table for table in tables() if "field" in table]
    # The second table says what differs from the first.
    said = of_fields[0] | of_fields[1] if place else of_fields[0]
    for name, value in flat(config_to_json(recipe)):
        assert said[name][0] == shown(value), name
    if not place:
        assert set(said) - {"field", "---"} == {name for name, _ in flat(config_to_json(recipe))}


def test_the_table_of_sizes_follows_from_the_shapes() -> None:
    rows = next(table for table in tables() if "recipe" in table)
    rows = {name: row for name, row in rows.items() if name in RECIPES}
    assert len(rows) == 6
    for name, (steps, flops, days, memory) in rows.items():
        recipe = JDIT_RECIPES[name]
        clip_tokens = (recipe.data.height // 16) * (recipe.data.width // 16)
        found = [
            3
            * supervised_flops(recipe.model, num_pairs=n + 1, clip_tokens=clip_tokens, dense=False)
            for n in range(recipe.data.min_pairs, recipe.data.max_pairs + 1)
        ]
        mean = sum(found) / len(found)
        total = mean * recipe.batch_size * recipe.loop.num_steps
        assert steps == shown(recipe.loop.num_steps)
        assert float(flops) == pytest.approx(mean / 1e12, abs=0.06)
        assert float(days) == pytest.approx(total / (SHARE * H100_FLOPS) / 86400, abs=0.06)
        state = BYTES_OF_STATE * num_parameters(recipe.model) / 2**30
        assert float(memory) == pytest.approx(state, abs=0.06)


def test_the_program_of_a_mixture_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lavin_dit.data.prepare import prepare_shards
    from lavin_dit.data.shard_writer import ShardSettings
    from lavin_dit.recipes.data import training_mixture
    from lavin_dit.vision.codecs.keypoints import Keypoints
    from scene_source import SceneSource

    monkeypatch.chdir(tmp_path)
    for name in ("coco", "coco-joints"):
        source = SceneSource(kinds=(Keypoints,))
        prepare_shards(source, tmp_path / "shards" / name, settings=ShardSettings())
    (program,) = re.findall(r"```python\n(.*?def mixture.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "mixtures.py").write_text(program)
    data = replace(JDIT_RECIPES["jdit-0.1b-256"].data, mixture="mixtures.py:mixture", max_pairs=4)
    mixture = training_mixture(data, batch_size=2, seed=0)
    assert mixture.batch(0).target.shape == (2, 1, 256, 256, 3)
