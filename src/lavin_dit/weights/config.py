"""Configurations as JSON: frozen dataclasses to plain data and strictly back.

What a field may hold: bool, int, float, str, None, a Literal, a tuple, another dataclass, or a
union of these. JSON has no tuples, so a list becomes one where the field says so.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

Json: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None
"""Any value that JSON can hold."""

FORMAT_VERSION = 1
"""Version of the layout of ``config.json``."""

_VERSION_KEY = "format_version"
_CLASS_KEY = "class"
_Config = TypeVar("_Config")


def config_to_json(config: object) -> dict[str, Json]:
    """Turn a dataclass into JSON data that `config_from_json` reads back.

    Args:
        config: An instance of a dataclass.

    Returns:
        The fields, preceded by the format's version and the name of the class.

    Raises:
        TypeError: If it is no dataclass instance.
        ValueError: If a field holds something that could not be read back, such as a list where a
            tuple belongs or a number that is not finite; the message names it.
    """
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"a configuration is a dataclass instance, got {config!r}")
    data = _encode_fields(config, "")
    if data.keys() & {_VERSION_KEY, _CLASS_KEY}:
        raise ValueError(f"a configuration cannot have a field named {_VERSION_KEY!r}")
    read_back = _decode_fields(type(config), data, "")
    if read_back != config:
        raise ValueError(f"{config!r} would be read back as {read_back!r}")
    return {_VERSION_KEY: FORMAT_VERSION, _CLASS_KEY: type(config).__name__, **data}


def config_from_json(cls: type[_Config], data: Mapping[str, Json]) -> _Config:
    """Build a dataclass from JSON data, strictly.

    Only a field that has a default may be missing: it came after the data was written.

    Args:
        cls: The dataclass.
        data: What `config_to_json` returned for an instance of it.

    Raises:
        ValueError: If the data was written by a newer version or for another class, if a key is
            unknown, or missing and without a default (all are listed), if a value has the wrong
            type (field, value and expected type are named), or if the dataclass itself refuses the
            values.
    """
    fields = dict(data)
    version = fields.pop(_VERSION_KEY, None)
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{_VERSION_KEY} must be {FORMAT_VERSION}, got {version!r}: written by another version "
            f"of lavin_dit?"
        )
    name = fields.pop(_CLASS_KEY, None)
    if name != cls.__name__:
        raise ValueError(f"the configuration is for {name!r}, expected {cls.__name__!r}")
    return _decode_fields(cls, fields, "")


def _encode_fields(config: object, path: str) -> dict[str, Json]:
    names = [field.name for field in _init_fields(type(config))]
    return {name: _encode(getattr(config, name), _join(path, name)) for name in names}


def _encode(value: object, path: str) -> Json:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path}: {value} is not finite, JSON cannot hold it")
        return value
    if isinstance(value, tuple):
        items = typing.cast("tuple[object, ...]", value)
        return [_encode(item, f"{path}[{index}]") for index, item in enumerate(items)]
    if dataclasses.is_dataclass(value):
        return _encode_fields(value, path)
    raise ValueError(f"{path}: a configuration cannot hold {value!r} ({type(value).__name__})")


def _decode_fields(cls: type[_Config], data: Mapping[str, Json], path: str) -> _Config:
    known = {field.name: field for field in _init_fields(cls)}
    required = {
        name
        for name, field in known.items()
        if field.default is field.default_factory is dataclasses.MISSING
    }
    where = f" in {path}" if path else ""
    problems = [
        f"{kind} {', '.join(sorted(keys))}{where}"
        for kind, keys in (("missing", required - set(data)), ("unknown", set(data) - set(known)))
        if keys
    ]
    if problems:
        raise ValueError(f"keys of {cls.__name__}: {'; '.join(problems)}")
    hints = typing.get_type_hints(cls)
    return cls(
        **{name: _decode(value, hints[name], _join(path, name)) for name, value in data.items()}
    )


def _decode(value: Json, expected: object, path: str) -> object:
    """Read a value as the expected type, or raise a ValueError that names both."""
    origin = typing.get_origin(expected)
    if origin is typing.Literal:
        # 1 == True, so the type has to agree as well.
        if any(value == choice and type(value) is type(choice) for choice in _args(expected)):
            return value
        raise _mismatch(value, expected, path)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(value, expected, path)
    if origin is tuple:
        return _decode_tuple(value, expected, path)
    if isinstance(expected, type) and dataclasses.is_dataclass(expected):
        if not isinstance(value, dict):
            raise _mismatch(value, expected, path)
        return _decode_fields(expected, value, path)
    if expected is float and type(value) is int:
        return float(value)
    if expected in (bool, int, float, str, types.NoneType):
        if type(value) is expected:
            return value
        raise _mismatch(value, expected, path)
    raise ValueError(f"{path}: a configuration cannot have a field of type {_describe(expected)}")


def _decode_union(value: Json, expected: object, path: str) -> object:
    # A whole number is a float only if no other member takes it.
    members = sorted(_args(expected), key=lambda member: member is float)
    dataclass_error: ValueError | None = None
    for member in members:
        try:
            return _decode(value, member, path)
        except ValueError as error:
            if isinstance(value, dict) and dataclasses.is_dataclass(member):
                dataclass_error = dataclass_error or error
    raise dataclass_error or _mismatch(value, expected, path)


def _decode_tuple(value: Json, expected: object, path: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise _mismatch(value, expected, path)
    members = _args(expected)
    if len(members) == 2 and members[1] is Ellipsis:
        members = (members[0],) * len(value)
    if len(members) != len(value):
        raise _mismatch(value, expected, path)
    return tuple(
        _decode(item, member, f"{path}[{index}]")
        for index, (item, member) in enumerate(zip(value, members, strict=True))
    )


def _init_fields(cls: type) -> list[dataclasses.Field[object]]:
    return [field for field in dataclasses.fields(cls) if field.init]


def _args(expected: object) -> tuple[object, ...]:
    return typing.get_args(expected)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _mismatch(value: Json, expected: object, path: str) -> ValueError:
    return ValueError(f"{path}: expected {_describe(expected)}, got {value!r}")


def _describe(expected: object) -> str:
    if isinstance(expected, type) and not typing.get_args(expected):
        return "None" if expected is types.NoneType else expected.__name__
    return str(expected).replace("typing.", "")
