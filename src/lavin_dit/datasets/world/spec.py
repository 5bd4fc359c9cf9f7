"""The description of a scene: plain frozen records that can be written as JSON.

A description holds what was decided about a scene and nothing that follows from it: where things
start and how fast they are, not where they are later. Places are in metres, z up; rotations are
unit quaternions (w, x, y, z); colours are linear.
"""

import dataclasses
import types
import typing
from dataclasses import dataclass

from lavin_dit.datasets.world.patterns import PatternName
from lavin_dit.datasets.world.primitives import PrimitiveKind, Triple

Quaternion = tuple[float, float, float, float]
IDENTITY: Quaternion = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """How a surface looks.

    Attributes:
        pattern: Its pattern.
        frequency_per_m: Periods of the pattern in a metre.
        seed: Which of the pattern's variants, and where it begins.
        colours: The pattern's three colours.
        roughness: 0 for sharp highlights to 1 for broad ones.
        shine: Strength of the highlights.
        mirror: Share of the light that is mirrored.
        bump: Strength of small bumps, which show in the shading only.
        photo: Index of the photo that the pattern "photo" shows.
    """

    pattern: PatternName
    frequency_per_m: float
    seed: int
    colours: tuple[Triple, Triple, Triple]
    roughness: float
    shine: float
    mirror: float = 0.0
    bump: float = 0.0
    photo: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A primitive as a part of an object.

    Attributes:
        kind: Which primitive.
        size: Its size, as ``primitives`` says.
        offset: Place in the object's frame.
        rotation: Rotation in the object's frame.
        slot: Index into the object's materials.
        powers: Exponents of a superball.
    """

    kind: PrimitiveKind
    size: Triple
    offset: Triple = (0.0, 0.0, 0.0)
    rotation: Quaternion = IDENTITY
    slot: int = 0
    powers: tuple[float, float] = (2.0, 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectSpec:
    """A rigid object.

    Attributes:
        class_name: One of ``classes.CLASS_NAMES``.
        parts: What it is made of.
        materials: One for each slot of the parts.
        position: Where its frame is one frame before the clip.
        rotation: Its rotation then.
        velocity: In metres a second.
        spin: Angular velocity in radians a second, world axes.
    """

    class_name: str
    parts: tuple[Part, ...]
    materials: tuple[Material, ...]
    position: Triple
    rotation: Quaternion = IDENTITY
    velocity: Triple = (0.0, 0.0, 0.0)
    spin: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSpec:
    """A person that moves by a programme and is not moved by what it meets.

    Attributes:
        height_m: Height when upright.
        girth: Thickness of body and limbs; 1 is average.
        activity: One of ``postures.ACTIVITIES``.
        position: Where it stands (x, y) in the middle of the clip.
        heading_rad: Where it faces; 0 is along x.
        tempo_hz: Repetitions of the activity in a second.
        phase: Where in the activity it is at the start, 0 to 1.
        quirks_deg: Added to every joint angle of ``postures.ANGLES``.
        short_sleeves: Whether the forearms are bare.
        short_trousers: Whether the shins are bare.
        hat: Whether it wears a hat.
        materials: Skin, shirt, trousers, shoes, hair, eyes, hat.
    """

    height_m: float
    girth: float
    activity: str
    position: tuple[float, float]
    heading_rad: float
    tempo_hz: float
    phase: float
    quirks_deg: tuple[float, ...]
    short_sleeves: bool
    short_trousers: bool
    hat: bool
    materials: tuple[Material, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Walls and a ceiling around the origin; without a room a scene is open.

    Attributes:
        wall_distances_m: From the origin to each wall.
        wall_angles_rad: Where each wall's outward direction points; the walls enclose the origin.
        height_m: Height of the ceiling.
        walls: Material of each wall.
        ceiling: Material of the ceiling.
    """

    wall_distances_m: tuple[float, ...]
    wall_angles_rad: tuple[float, ...]
    height_m: float
    walls: tuple[Material, ...]
    ceiling: Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """A small lamp.

    Attributes:
        position: Where it hangs.
        colour: Its light at a distance of about a metre.
        radius_m: How large it is, which softens its shadows.
    """

    position: Triple
    colour: Triple
    radius_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Sky, sun, lamps and air.

    Attributes:
        sun_direction: Toward the sun or moon, of length 1.
        sun_colour: Its light; zero for none.
        sun_softness: About how wide it is, in radians.
        zenith: Colour of the sky above.
        horizon: Colour of the sky at the horizon.
        ground: Colour of the light that comes from below.
        ambient: Strength of the light that comes from everywhere.
        clouds: Share of the sky that is covered.
        cloud_frequency: How many clouds there are.
        sky_seed: Which clouds and stars.
        stars: Brightness of the stars; 0 for none.
        fog_per_m: Share of the light that a metre of air takes away.
        fog: Colour of the fog.
        lamps: Lamps; at most two.
    """

    sun_direction: Triple
    sun_colour: Triple
    sun_softness: float
    zenith: Triple
    horizon: Triple
    ground: Triple
    ambient: float
    clouds: float
    cloud_frequency: float
    sky_seed: int
    stars: float
    fog_per_m: float
    fog: Triple
    lamps: tuple[Lamp, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraPath:
    """A camera that moves from one place to another in the course of a clip.

    Attributes:
        eye: Where it is at the start and at the end.
        target: What it looks at, at the start and at the end.
        roll_rad: How far it is tilted about its axis, at the start and at the end.
        view_deg: Angle of view along the shorter side of the picture.
    """

    eye: tuple[Triple, Triple]
    target: tuple[Triple, Triple]
    roll_rad: tuple[float, float]
    view_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Optics:
    """What lens, sensor and development do to the light; geometry stays that of a pinhole.

    Attributes:
        exposure_ev: Brighter (above 0) or darker than the automatic exposure, in stops.
        white_balance: Factors of red, green and blue.
        saturation: 0 for grey, 1 for the colours as they are.
        vignette: How much darker the corners are, 0 to 1.
        blur_px: Standard deviation of the lens's blur at 128 pixels, growing with the picture.
        noise: Standard deviation of the sensor's noise at full brightness.
        noise_seed: Which noise.
    """

    exposure_ev: float
    white_balance: Triple
    saturation: float
    vignette: float
    blur_px: float
    noise: float
    noise_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneSpec:
    """A whole scene, still or moving.

    Attributes:
        num_frames: Number of frames of the clip; 1 for a picture.
        frames_per_s: Frames in a second.
        camera: Where it is seen from.
        environment: Sky, light and air.
        optics: Lens and sensor.
        floor: Material of the floor at z = 0.
        room: Walls and ceiling, if any.
        objects: Rigid objects.
        figures: People.
        friction: Of everything, as MuJoCo means it.
    """

    num_frames: int
    frames_per_s: float
    camera: CameraPath
    environment: Environment
    optics: Optics
    floor: Material
    room: Room | None
    objects: tuple[ObjectSpec, ...]
    figures: tuple[FigureSpec, ...]
    friction: float

    def __post_init__(self) -> None:
        """Refuse clips without frames."""
        if self.num_frames < 1:
            raise ValueError(f"a clip needs at least 1 frame, got {self.num_frames}")


def spec_to_json(spec: object) -> dict[str, object]:
    """A record of this module as plain values.

    Args:
        spec: The record, such as a ``SceneSpec``.

    Returns:
        Its fields; ``json.dumps`` takes them.

    Raises:
        TypeError: If it is not a dataclass record.
    """
    if not dataclasses.is_dataclass(spec) or isinstance(spec, type):
        raise TypeError(f"expected a dataclass record, got {spec!r}")
    return dataclasses.asdict(spec)


def spec_from_json(fields: object) -> SceneSpec:
    """A scene from what :func:`spec_to_json` made of it, before or after its way through JSON.

    Args:
        fields: Its fields.

    Returns:
        The scene, equal to the one that was written.
    """
    spec = _restored(SceneSpec, fields)
    assert isinstance(spec, SceneSpec)
    return spec


def _restored(kind: object, value: object) -> object:
    """A value of a declared type from plain JSON values."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        assert isinstance(value, dict)
        hints = typing.get_type_hints(kind)
        plain = typing.cast(dict[str, object], value)
        return kind(**{name: _restored(hints[name], item) for name, item in plain.items()})
    choices = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return None if value is None else _restored(choices[0], value)
    if typing.get_origin(kind) is tuple:
        items = typing.cast(list[object], value)
        kinds = [choices[0]] * len(items) if choices[-1] is Ellipsis else choices
        return tuple(_restored(one, item) for one, item in zip(kinds, items, strict=True))
    return value
