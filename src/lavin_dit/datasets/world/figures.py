"""People: a tree of bones that carries primitives, and where its 17 joints are.

The body's frame has x forward, y to its left and z up. A person is put on the floor: the lowest
point of its body touches it at every moment.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lavin_dit.datasets.world.postures import ANGLES, angles_over_time, speed_of
from lavin_dit.datasets.world.primitives import PrimitiveKind, Triple, support
from lavin_dit.datasets.world.rotations import about_axis, matrix_of, turns
from lavin_dit.datasets.world.spec import FigureSpec, Part
from lavin_dit.vision.codecs.coco_joints import JOINT_NAMES, NUM_JOINTS

SKIN, SHIRT, TROUSERS, SHOES, HAIR, EYES, HAT = range(7)
_STANDARD_M = 1.72  # height of the figure that the lengths below describe
_LEG_M = 0.82
_ACROSS = about_axis("x", 90.0)
_FORWARD = about_axis("y", 90.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureMotion:
    """A person at every moment of a clip.

    Attributes:
        parts: Its primitives; their offsets and rotations belong to bones and are of no use here.
        solid: Whether other things collide with each part.
        rotations: Rotation of each part.
        places: Place of each part, in metres.
        joints: Places of the 17 COCO joints.
        joint_radii: How deep each joint lies below the skin, in metres.
    """

    parts: tuple[Part, ...]
    solid: tuple[bool, ...]
    rotations: Float64[np.ndarray, "t parts 3 3"]
    places: Float64[np.ndarray, "t parts 3"]
    joints: Float64[np.ndarray, "t 17 3"]
    joint_radii: Float64[np.ndarray, "17"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A primitive on a bone, in the lengths of the standard figure."""

    bone: str
    kind: PrimitiveKind
    size: Triple
    offset: Triple
    slot: int
    turned: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    solid: bool = True


def _trunk(girth: float, *, hat: bool) -> list[_Piece]:
    """Pelvis, chest and head."""
    g = girth
    pieces = [
        _Piece(bone="pelvis", kind="capsule", size=(0.115 * g, 0, 0.07), offset=(0, 0, 0),
               slot=TROUSERS, turned=_ACROSS),
        _Piece(bone="chest", kind="ellipsoid", size=(0.115 * g, 0.155 * g, 0.2),
               offset=(0, 0, 0.12), slot=SHIRT),
        _Piece(bone="chest", kind="capsule", size=(0.105 * g, 0, 0.1), offset=(0, 0, 0.33),
               slot=SHIRT, turned=_ACROSS),
        _Piece(bone="chest", kind="capsule", size=(0.05, 0, 0.06), offset=(0, 0, 0.48),
               slot=SKIN),
        _Piece(bone="head", kind="ellipsoid", size=(0.1, 0.08, 0.125), offset=(0.01, 0, 0.12),
               slot=SKIN),
        _Piece(bone="head", kind="ellipsoid", size=(0.1, 0.09, 0.11), offset=(-0.025, 0, 0.155),
               slot=HAIR, solid=False),
        _Piece(bone="head", kind="sphere", size=(0.02, 0, 0), offset=(0.108, 0, 0.1), slot=SKIN,
               solid=False),
    ]  # fmt: skip
    for side in (1, -1):
        pieces.append(
            _Piece(
                bone="head",
                kind="sphere",
                size=(0.016, 0, 0),
                offset=(0.094, 0.035 * side, 0.14),
                slot=EYES,
                solid=False,
            )
        )
        pieces.append(_Piece(bone="head", kind="sphere", size=(0.025, 0, 0),
                             offset=(0.0, 0.088 * side, 0.12), slot=SKIN, solid=False))  # fmt: skip
    if hat:
        pieces.append(
            _Piece(
                bone="head",
                kind="cylinder",
                size=(0.15, 0, 0.01),
                offset=(0, 0, 0.2),
                slot=HAT,
                solid=False,
            )
        )
        pieces.append(_Piece(bone="head", kind="cone", size=(0.1, 0.08, 0.06),
                             offset=(0, 0, 0.26), slot=HAT, solid=False))  # fmt: skip
    return pieces


def _limbs(girth: float, *, bare_forearms: bool, bare_shins: bool) -> list[_Piece]:
    """Arms and legs; every bone hangs down from its joint."""
    g = girth
    pieces: list[_Piece] = []
    for side in ("left", "right"):
        pieces += [
            _Piece(bone=f"{side}_upper_arm", kind="capsule", size=(0.05 * g, 0, 0.13),
                   offset=(0, 0, -0.13), slot=SHIRT),
            _Piece(bone=f"{side}_forearm", kind="capsule", size=(0.04 * g, 0, 0.115),
                   offset=(0, 0, -0.125), slot=SKIN if bare_forearms else SHIRT),
            _Piece(bone=f"{side}_forearm", kind="ellipsoid", size=(0.045, 0.03, 0.07),
                   offset=(0, 0, -0.31), slot=SKIN),
            _Piece(bone=f"{side}_thigh", kind="capsule", size=(0.075 * g, 0, 0.19),
                   offset=(0, 0, -0.19), slot=TROUSERS),
            _Piece(bone=f"{side}_shin", kind="capsule", size=(0.053 * g, 0, 0.19),
                   offset=(0, 0, -0.19), slot=SKIN if bare_shins else TROUSERS),
            _Piece(bone=f"{side}_shin", kind="capsule", size=(0.042, 0, 0.08),
                   offset=(0.05, 0, -0.415), slot=SHOES, turned=_FORWARD),
        ]  # fmt: skip
    return pieces


# Joint: bone that carries it, place in the bone's frame, depth below the skin.
_JOINTS: dict[str, tuple[str, Triple, float]] = {
    "nose": ("head", (0.125, 0, 0.1), 0.02),
    "left_eye": ("head", (0.105, 0.035, 0.14), 0.02),
    "right_eye": ("head", (0.105, -0.035, 0.14), 0.02),
    "left_ear": ("head", (0, 0.1, 0.12), 0.03),
    "right_ear": ("head", (0, -0.1, 0.12), 0.03),
    **{f"{side}_shoulder": (f"{side}_upper_arm", (0, 0, 0), 0.09) for side in ("left", "right")},
    **{f"{side}_elbow": (f"{side}_forearm", (0, 0, 0), 0.06) for side in ("left", "right")},
    **{f"{side}_wrist": (f"{side}_forearm", (0, 0, -0.25), 0.06) for side in ("left", "right")},
    **{f"{side}_hip": (f"{side}_thigh", (0, 0, 0), 0.13) for side in ("left", "right")},
    **{f"{side}_knee": (f"{side}_shin", (0, 0, 0), 0.09) for side in ("left", "right")},
    **{f"{side}_ankle": (f"{side}_shin", (0, 0, -0.38), 0.07) for side in ("left", "right")},
}

Bones = dict[str, tuple[Float64[np.ndarray, "t 3 3"], Float64[np.ndarray, "t 3"]]]


def _bones(angles_deg: Float64[np.ndarray, "t angles"], *, girth: float) -> Bones:
    """Rotation and place of each bone, with the pelvis at the origin facing along x."""
    radians = {name: np.radians(angles_deg[:, index]) for index, name in enumerate(ANGLES)}
    num_moments = len(angles_deg)
    bones: Bones = {"pelvis": (turns("y", radians["pelvis_pitch"]), np.zeros((num_moments, 3)))}

    def attach(name: str, parent: str, joint: Triple, turn: Float64[np.ndarray, "t 3 3"]) -> None:
        rotation, place = bones[parent]
        bones[name] = (rotation @ turn, place + rotation @ np.array(joint))

    spine = turns("y", radians["spine_bend"]) @ turns("x", radians["spine_lean"])
    attach("chest", "pelvis", (0, 0, 0.08), spine @ turns("z", radians["spine_twist"]))
    neck = turns("z", radians["neck_turn"]) @ turns("y", radians["neck_nod"])
    attach("head", "chest", (0, 0, 0.52), neck)
    for side, sign in (("left", 1), ("right", -1)):
        flex, abduct = radians[f"{side}_shoulder_flex"], radians[f"{side}_shoulder_abduct"]
        arm = turns("x", sign * abduct) @ turns("y", -flex)
        attach(f"{side}_upper_arm", "chest", (0, sign * (0.155 + 0.05 * girth), 0.36), arm)
        elbow = turns("y", -radians[f"{side}_elbow"])
        attach(f"{side}_forearm", f"{side}_upper_arm", (0, 0, -0.27), elbow)
        flex, abduct = radians[f"{side}_hip_flex"], radians[f"{side}_hip_abduct"]
        thigh = turns("x", sign * abduct) @ turns("y", -flex)
        attach(f"{side}_thigh", "pelvis", (0, sign * 0.09, -0.04), thigh)
        attach(f"{side}_shin", f"{side}_thigh", (0, 0, -0.4), turns("y", radians[f"{side}_knee"]))
    return bones


def _keep_arms_off(
    angles_deg: Float64[np.ndarray, "t angles"], *, girth: float
) -> Float64[np.ndarray, "t angles"]:
    """Raise arms sideways until hands and elbows no longer lie inside the trunk."""
    angles = angles_deg.copy()
    for _ in range(8):
        bones = _bones(angles, girth=girth)
        blocked = False
        for side in ("left", "right"):
            rotation, place = bones[f"{side}_forearm"]
            inside = np.zeros(len(angles), dtype=np.bool_)
            for depth in (0.0, -0.15, -0.3):
                point = place + rotation @ np.array([0, 0, depth])
                for bone, middle, half in (("chest", 0.2, 0.26), ("pelvis", 0.0, 0.14)):
                    to, origin = bones[bone]
                    local = np.einsum("tji,tj->ti", to, point - origin) - [0, 0, middle]
                    size = np.array([0.15 * girth, 0.2 * girth, half])
                    inside |= np.linalg.norm(local / size, axis=-1) < 1
            angles[inside, ANGLES.index(f"{side}_shoulder_abduct")] += 8
            blocked |= bool(inside.any())
        if not blocked:
            break
    return angles


def move_figure(figure: FigureSpec, moments_s: Float64[np.ndarray, " t"]) -> FigureMotion:
    """Where every part of a person is.

    Args:
        figure: The person.
        moments_s: Times in seconds; 0 is the middle of the clip.

    Returns:
        Its parts and joints at each of them.
    """
    cycle = figure.phase + figure.tempo_hz * moments_s
    angles = angles_over_time(figure.activity, cycle, figure.quirks_deg)
    bones = _bones(_keep_arms_off(angles, girth=figure.girth), girth=figure.girth)
    pieces = _trunk(figure.girth, hat=figure.hat) + _limbs(
        figure.girth, bare_forearms=figure.short_sleeves, bare_shins=figure.short_trousers
    )
    scale = figure.height_m / _STANDARD_M
    facing = turns("z", np.array(figure.heading_rad))
    speed = speed_of(figure.activity, tempo_hz=figure.tempo_hz, leg_m=_LEG_M * scale)
    walked = np.outer(moments_s * speed, facing[:, 0])
    parts = tuple(
        Part(kind=piece.kind, size=_scaled(piece.size, scale), slot=piece.slot) for piece in pieces
    )
    rotations = np.stack(
        [facing @ bones[piece.bone][0] @ matrix_of(piece.turned) for piece in pieces], axis=1
    )
    places = np.stack([_carried(bones, piece.bone, piece.offset) for piece in pieces], axis=1)
    joints = np.stack([_carried(bones, *_JOINTS[name][:2]) for name in JOINT_NAMES], axis=1)
    down = np.array([0.0, 0.0, -1.0])
    lowest = np.min(
        [
            scale * places[:, index, 2] - support(part.kind, part.size, down @ rotations[:, index])
            for index, part in enumerate(parts)
        ],
        axis=0,
    )
    start = np.array([*figure.position, 0.0])
    shift = (start + walked - np.outer(lowest, [0, 0, 1]))[:, None]
    return FigureMotion(
        parts=parts,
        solid=tuple(piece.solid for piece in pieces),
        rotations=rotations,
        places=scale * places @ facing.T + shift,
        joints=scale * joints @ facing.T + shift,
        joint_radii=scale * np.array([_JOINTS[name][2] for name in JOINT_NAMES]),
    )


def _carried(bones: Bones, bone: str, offset: Triple) -> Float64[np.ndarray, "t 3"]:
    """Where a bone carries a point of its frame."""
    rotation, place = bones[bone]
    return place + rotation @ np.array(offset)


def _scaled(triple: Triple, factor: float) -> Triple:
    """Each number times a factor."""
    return triple[0] * factor, triple[1] * factor, triple[2] * factor


assert len(_JOINTS) == NUM_JOINTS
