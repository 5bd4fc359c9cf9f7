import json
import re
from dataclasses import dataclass, replace
from typing import Literal

import pytest

from lavin_dit.weights.config import config_from_json, config_to_json
from lavin_dit.weights.defaults import RELEASED_DEFAULTS, PipelineDefaults


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    widths: tuple[int, ...]
    gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Config:
    size: int
    rate: float
    name: str
    causal: bool
    axes: tuple[int, int, int]
    norm: Literal["frame", "clip", 3]
    scale: float | None
    count_or_rate: int | float
    part: _Part
    parts: tuple[_Part, ...]
    maybe: _Part | None
    mean: tuple[float, ...] | float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _WithList:
    items: list[int]


PART = _Part(widths=(3, 5), gain=1.0)
CONFIG = _Config(
    size=7,
    rate=0.1,
    name="näno",
    causal=True,
    axes=(20, 22, 22),
    norm="frame",
    scale=None,
    count_or_rate=3,
    part=PART,
    parts=(PART, _Part(widths=(), gain=1e-30)),
    maybe=None,
    mean=(0.5, 0.25),
)
VARIANTS = (
    CONFIG,
    replace(CONFIG, scale=0.25, maybe=PART, mean=1.5, norm=3, count_or_rate=0.5, parts=()),
)


def _data(**changes):
    return {**config_to_json(CONFIG), **changes}


@pytest.mark.parametrize("config", VARIANTS)
def test_round_trip_through_a_file_keeps_values_and_types(config):
    data = json.loads(json.dumps(config_to_json(config)))
    back = config_from_json(_Config, data)
    assert back == config
    assert repr(back) == repr(config)


def test_layout():
    data = config_to_json(PART)
    assert list(data.items()) == [
        ("format_version", 1),
        ("class", "_Part"),
        ("widths", [3, 5]),
        ("gain", 1.0),
    ]


def test_a_whole_number_is_a_float_where_only_that_fits():
    back = config_from_json(_Config, _data(rate=1, mean=2, scale=3))
    assert [type(value) for value in (back.rate, back.mean, back.scale)] == [float, float, float]
    assert type(config_from_json(_Config, _data(count_or_rate=3)).count_or_rate) is int


def test_a_field_that_came_later_has_its_default():
    data = config_to_json(RELEASED_DEFAULTS)
    assert data.pop("num_samples") == 1
    assert config_from_json(PipelineDefaults, data) == RELEASED_DEFAULTS


def test_all_missing_and_unknown_keys_are_listed():
    data = _data(old_name=1, another=2)
    del data["size"], data["axes"]
    message = "keys of _Config: missing axes, size; unknown another, old_name"
    with pytest.raises(ValueError, match=f"^{message}$"):
        config_from_json(_Config, data)
    with pytest.raises(ValueError, match=r"^keys of _Part: missing gain in parts\[0\]$"):
        config_from_json(_Config, _data(parts=[{"widths": []}]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 7.5}, "size: expected int, got 7.5"),
        ({"size": True}, "size: expected int, got True"),
        ({"causal": 1}, "causal: expected bool, got 1"),
        ({"rate": "0.1"}, "rate: expected float, got '0.1'"),
        ({"rate": True}, "rate: expected float, got True"),
        ({"name": None}, "name: expected str, got None"),
        ({"axes": [20, 22]}, "axes: expected tuple[int, int, int], got [20, 22]"),
        ({"axes": 20}, "axes: expected tuple[int, int, int], got 20"),
        ({"axes": [20, 22, "22"]}, "axes[2]: expected int, got '22'"),
        ({"norm": "batch"}, "norm: expected Literal['frame', 'clip', 3], got 'batch'"),
        ({"norm": 3.0}, "norm: expected Literal['frame', 'clip', 3], got 3.0"),
        ({"scale": "1"}, "scale: expected float | None, got '1'"),
        ({"part": [1]}, "part: expected _Part, got [1]"),
        ({"part": {"widths": [1, None], "gain": 1.0}}, "part.widths[1]: expected int, got None"),
        ({"maybe": {"widths": [1.5], "gain": 1.0}}, "maybe.widths[0]: expected int, got 1.5"),
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"class": "_Part"}, "the configuration is for '_Part', expected '_Config'"),
        ({"format_version": 2}, "format_version must be 1, got 2"),
        ({"format_version": None}, "format_version must be 1, got None"),
    ],
)
def test_wrong_values_are_named(changes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        config_from_json(_Config, _data(**changes))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(CONFIG, rate=float("nan")), "rate: nan is not finite"),
        (replace(CONFIG, axes=[20, 22, 22]), "axes: a configuration cannot hold [20, 22, 22]"),
        (replace(CONFIG, size=7.5), "size: expected int, got 7.5"),
        (_WithList(items=[1]), "items: a configuration cannot hold [1] (list)"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(config, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        config_to_json(config)


@pytest.mark.parametrize("config", [{"size": 7}, _Config, None])
def test_only_dataclass_instances_are_configurations(config):
    with pytest.raises(TypeError, match="a configuration is a dataclass instance"):
        config_to_json(config)


def test_a_field_of_another_type_is_refused():
    data = {"format_version": 1, "class": "_WithList", "items": [1]}
    with pytest.raises(ValueError, match=r"items: .* cannot have a field of type list\[int\]"):
        config_from_json(_WithList, data)
