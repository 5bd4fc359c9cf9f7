"""How objects of each class are put together, upright, about 0.6 m large."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from lavin_dit.datasets.world.primitives import PrimitiveKind, Triple
from lavin_dit.datasets.world.rotations import about_axis
from lavin_dit.datasets.world.spec import IDENTITY, Part, Quaternion

_ALONG_X = about_axis("y", 90.0)
_ALONG_Y = about_axis("x", 90.0)


class _Draw:
    """Random numbers for shapes."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def __call__(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self._generator.uniform(low, high))


def _part(
    kind: PrimitiveKind,
    size: Triple,
    offset: Triple = (0.0, 0.0, 0.0),
    slot: int = 0,
    rotation: Quaternion = IDENTITY,
) -> Part:
    """A part without exponents."""
    return Part(kind=kind, size=size, offset=offset, slot=slot, rotation=rotation)


def _superball(size: Triple, powers: tuple[float, float], offset: Triple = (0.0, 0.0, 0.0)) -> Part:
    """A superball in the first material."""
    return Part(kind="superball", size=size, powers=powers, offset=offset)


def _legs(x: float, y: float, half: float, z: float, radius: float) -> list[Part]:
    """Four legs in the second material."""
    return [
        _part("cylinder", (radius, 0, half), (i * x, j * y, z), 1) for i in (-1, 1) for j in (-1, 1)
    ]


def _ball(_: _Draw) -> list[Part]:
    return [_part("sphere", (0.3, 0, 0))]


def _egg(u: _Draw) -> list[Part]:
    return [_part("ellipsoid", (u(0.18, 0.38), u(0.18, 0.38), u(0.18, 0.38)))]


def _box(u: _Draw) -> list[Part]:
    return [_part("box", (u(0.14, 0.34), u(0.14, 0.34), u(0.14, 0.34)))]


def _can(u: _Draw) -> list[Part]:
    return [_part("cylinder", (u(0.14, 0.26), 0, u(0.16, 0.36)))]


def _pill(u: _Draw) -> list[Part]:
    return [_part("capsule", (u(0.12, 0.2), 0, u(0.12, 0.3)))]


def _ring(u: _Draw) -> list[Part]:
    radius = u(0.2, 0.3)
    return [_part("torus", (radius, radius * u(0.25, 0.45), 0))]


def _cone(u: _Draw) -> list[Part]:
    return [_part("cone", (u(0.22, 0.34), u(0.0, 0.12), u(0.22, 0.36)))]


def _mug(u: _Draw) -> list[Part]:
    radius, half = u(0.18, 0.24), u(0.2, 0.28)
    return [
        _part("cylinder", (radius, 0, half)),
        _part("torus", (half * 0.6, 0.04, 0), (radius, 0, 0), 1, _ALONG_Y),
    ]


def _table(u: _Draw) -> list[Part]:
    x, y, half = u(0.28, 0.42), u(0.22, 0.36), u(0.18, 0.28)
    top = _part("box", (x, y, 0.03), (0, 0, half))
    return [top, *_legs(x - 0.05, y - 0.05, half, 0.0, 0.03)]


def _lamp(u: _Draw) -> list[Part]:
    return [
        _part("cylinder", (0.16, 0, 0.02), (0, 0, -0.3), 1),
        _part("cylinder", (0.022, 0, 0.3), (0, 0, 0), 1),
        _part("cone", (u(0.18, 0.26), u(0.07, 0.13), 0.12), (0, 0, 0.32)),
    ]


def _dumbbell(u: _Draw) -> list[Part]:
    radius = u(0.12, 0.19)
    return [
        _part("sphere", (radius, 0, 0), (-0.26, 0, 0)),
        _part("sphere", (radius, 0, 0), (0.26, 0, 0)),
        _part("cylinder", (0.045, 0, 0.26), (0, 0, 0), 1, _ALONG_X),
    ]


def _car(u: _Draw) -> list[Part]:
    length = u(0.34, 0.42)
    wheels = [
        _part("cylinder", (0.09, 0, 0.035), (i * length * 0.6, j * 0.18, -0.08), 2, _ALONG_Y)
        for i in (-1, 1)
        for j in (-1, 1)
    ]
    body = Part(kind="superball", size=(length, 0.18, 0.1), powers=(5.0, 4.0))
    cabin = _part("box", (length * 0.45, 0.15, 0.08), (-0.05, 0, 0.14), 1)
    return [body, cabin, *wheels]


def _bottle(u: _Draw) -> list[Part]:
    radius = u(0.11, 0.15)
    return [
        _part("cylinder", (radius, 0, 0.2), (0, 0, -0.1)),
        _part("cone", (radius, 0.045, 0.06), (0, 0, 0.16)),
        _part("cylinder", (0.045, 0, 0.06), (0, 0, 0.28), 1),
    ]


def _snowman(_: _Draw) -> list[Part]:
    return [
        _part("sphere", (0.24, 0, 0), (0, 0, -0.2)),
        _part("sphere", (0.16, 0, 0), (0, 0, 0.14)),
        _part("cone", (0.04, 0.0, 0.08), (0.2, 0, 0.16), 1, _ALONG_X),
    ]


def _pillow(u: _Draw) -> list[Part]:
    return [_superball((u(0.28, 0.36), u(0.22, 0.32), u(0.1, 0.16)), (u(4.0, 7.0), u(1.6, 2.2)))]


def _barrel(u: _Draw) -> list[Part]:
    radius, half = u(0.2, 0.26), u(0.26, 0.34)
    hoops = [_part("torus", (radius * 0.97, 0.02, 0), (0, 0, z * half), 1) for z in (-0.5, 0.5)]
    return [_superball((radius, radius, half), (2.0, u(3.5, 5.0))), *hoops]


def _house(u: _Draw) -> list[Part]:
    x, half = u(0.22, 0.3), u(0.14, 0.2)
    roof = Part(
        kind="superball", size=(x * 1.15, 0.26, 0.2), powers=(1.0, 1.0), offset=(0, 0, half), slot=1
    )
    chimney = _part("box", (0.035, 0.035, 0.1), (x * 0.45, 0, half + 0.12), 2)
    return [_part("box", (x, 0.2, half)), roof, chimney]


def _tree(_: _Draw) -> list[Part]:
    layers = [
        _part("cone", (0.26 - 0.06 * i, 0.03, 0.13), (0, 0, 0.02 + 0.16 * i)) for i in range(3)
    ]
    return [_part("cylinder", (0.05, 0, 0.14), (0, 0, -0.22), 1), *layers]


def _stool(u: _Draw) -> list[Part]:
    half = u(0.2, 0.28)
    return [_part("cylinder", (0.24, 0, 0.04), (0, 0, half)), *_legs(0.14, 0.14, half, 0.0, 0.03)]


def _mushroom(u: _Draw) -> list[Part]:
    cap = _part("ellipsoid", (u(0.24, 0.32), u(0.24, 0.32), u(0.12, 0.18)), (0, 0, 0.18))
    return [_part("cone", (0.11, 0.08, 0.2), (0, 0, -0.04), 1), cap]


def _hammer(u: _Draw) -> list[Part]:
    head = _part("box", (0.2, 0.08, 0.08), (0, 0, u(0.24, 0.32)), 1)
    return [_part("capsule", (0.045, 0, 0.28)), head]


def _gem(u: _Draw) -> list[Part]:
    return [_superball((u(0.24, 0.32), u(0.24, 0.32), u(0.24, 0.38)), (1.0, u(1.0, 1.15)))]


def _cup(u: _Draw) -> list[Part]:
    return [
        _part("cone", (0.05, u(0.2, 0.26), 0.15), (0, 0, 0.12)),
        _part("cylinder", (0.03, 0, 0.12), (0, 0, -0.12), 1),
        _part("cylinder", (0.16, 0, 0.02), (0, 0, -0.24), 1),
    ]


def _chair(u: _Draw) -> list[Part]:
    x, half = u(0.2, 0.26), u(0.14, 0.2)
    seat = _part("box", (x, x, 0.03), (0, 0, 0))
    back = _part("box", (0.03, 0.95 * x, u(0.18, 0.26)), (-x + 0.035, 0, 0.22))
    return [seat, back, *_legs(x - 0.04, x - 0.04, half, -half, 0.028)]


def _rocket(_: _Draw) -> list[Part]:
    fins = [
        _part("box", (0.1, 0.015, 0.08), (i * 0.16, 0, -0.24), 1) for i in (-1, 1)
    ] + [_part("box", (0.015, 0.1, 0.08), (0, i * 0.16, -0.24), 1) for i in (-1, 1)]  # fmt: skip
    nose = _part("cone", (0.13, 0.0, 0.12), (0, 0, 0.34), 1)
    return [_part("cylinder", (0.13, 0, 0.26), (0, 0, -0.04)), nose, *fins]


def _duck(u: _Draw) -> list[Part]:
    return [
        _part("ellipsoid", (0.3, 0.2, 0.18), (0, 0, -0.1)),
        _part("sphere", (u(0.13, 0.16), 0, 0), (0.17, 0, 0.15)),
        _part("cone", (0.06, 0.03, 0.06), (0.34, 0, 0.13), 1, _ALONG_X),
    ]


def _hourglass(u: _Draw) -> list[Part]:
    radius = u(0.18, 0.24)
    plates = [_part("cylinder", (radius + 0.03, 0, 0.025), (0, 0, z), 1) for z in (-0.3, 0.3)]
    lower = _part("cone", (radius, 0.03, 0.15), (0, 0, -0.14))
    upper = _part("cone", (0.03, radius, 0.15), (0, 0, 0.14))
    return [lower, upper, *plates]


def _capped_box(u: _Draw) -> list[Part]:
    x, y, z = u(0.18, 0.28), u(0.18, 0.28), u(0.14, 0.22)
    lid = _part("box", (x * 1.08, y * 1.08, 0.05), (0, 0, z + 0.03), 1)
    knob = _part("sphere", (0.06, 0, 0), (0, 0, z + 0.12), 1)
    return [_superball((x, y, z), (6.0, 6.0)), lid, knob]


def _pyramid(u: _Draw) -> list[Part]:
    width = u(0.26, 0.34)
    return [
        _part("box", (width * (1 - 0.25 * i), width * (1 - 0.25 * i), 0.06), (0, 0, 0.12 * i - 0.2))
        for i in range(4)
    ]


_BUILDERS: Mapping[str, Callable[[_Draw], list[Part]]] = MappingProxyType(
    {
        "ball": _ball, "egg": _egg, "box": _box, "can": _can, "pill": _pill, "ring": _ring,
        "cone": _cone, "mug": _mug, "table": _table, "lamp": _lamp, "dumbbell": _dumbbell,
        "car": _car, "bottle": _bottle, "snowman": _snowman, "pillow": _pillow,
        "barrel": _barrel, "house": _house, "tree": _tree, "stool": _stool,
        "mushroom": _mushroom, "hammer": _hammer, "gem": _gem, "cup": _cup, "chair": _chair,
        "rocket": _rocket, "duck": _duck, "hourglass": _hourglass, "capped_box": _capped_box,
        "pyramid": _pyramid,
    }
)  # fmt: skip


def build_parts(
    class_name: str, *, scale: float, generator: np.random.Generator
) -> tuple[Part, ...]:
    """Draw an object of a class.

    Args:
        class_name: One of the object classes.
        scale: Factor of all lengths; 1 for an object about 0.6 m large.
        generator: Source of its proportions.

    Returns:
        Its parts.
    """
    parts = _BUILDERS[class_name](_Draw(generator))
    return tuple(
        Part(
            kind=part.kind,
            size=_scaled(part.size, scale),
            offset=_scaled(part.offset, scale),
            rotation=part.rotation,
            slot=part.slot,
            powers=part.powers,
        )
        for part in parts
    )


def _scaled(triple: Triple, factor: float) -> Triple:
    """Each number times a factor."""
    return float(triple[0] * factor), float(triple[1] * factor), float(triple[2] * factor)
