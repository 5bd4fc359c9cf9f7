"""How people hold themselves and move: joint angles as functions of time.

Angles are in degrees. Positive flexion brings a limb forward (a knee or an elbow: closes it),
positive abduction moves it away from the body.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

ANGLES = (
    "spine_bend", "spine_lean", "spine_twist", "neck_nod", "neck_turn",
    "left_shoulder_flex", "left_shoulder_abduct", "left_elbow",
    "right_shoulder_flex", "right_shoulder_abduct", "right_elbow",
    "left_hip_flex", "left_hip_abduct", "left_knee",
    "right_hip_flex", "right_hip_abduct", "right_knee",
    "pelvis_pitch",
)  # fmt: skip
_LIMITS_DEG = {
    "spine_bend": (-15, 50), "spine_lean": (-20, 20), "spine_twist": (-30, 30),
    "neck_nod": (-30, 35), "neck_turn": (-55, 55), "pelvis_pitch": (-30, 80),
    "shoulder_flex": (-45, 175), "shoulder_abduct": (8, 120), "elbow": (2, 140),
    "hip_flex": (-25, 110), "hip_abduct": (0, 45), "knee": (2, 140),
}  # fmt: skip

Posture = Mapping[str, float | int]

_STAND: Posture = {"arms_abduct": 12, "elbows": 12, "hips_abduct": 3, "knees": 4}
_KEYS: Mapping[str, tuple[Posture, ...]] = MappingProxyType(
    {
        "idle": (_STAND, {**_STAND, "spine_lean": 5, "neck_turn": 25}),
        "wave": (
            {**_STAND, "right_shoulder_abduct": 100, "right_elbow": 40, "right_shoulder_flex": 30},
            {**_STAND, "right_shoulder_abduct": 110, "right_elbow": 95, "right_shoulder_flex": 30},
        ),
        "cheer": (
            {"shoulders_flex": 165, "arms_abduct": 20, "elbows": 10, "hips_abduct": 10, "knees": 5},
            {"shoulders_flex": 120, "arms_abduct": 35, "elbows": 70, "hips_abduct": 10, "knees": 25,
             "hips_flex": 15},
        ),
        "squat": (
            {**_STAND, "shoulders_flex": 60},
            {"shoulders_flex": 85, "arms_abduct": 12, "elbows": 8, "hips_flex": 95, "knees": 115,
             "hips_abduct": 18, "spine_bend": 25},
        ),
        "sit": (
            {"hips_flex": 88, "knees": 18, "hips_abduct": 12, "arms_abduct": 25, "elbows": 25,
             "shoulders_flex": -20, "spine_bend": 0},
            {"hips_flex": 92, "knees": 30, "hips_abduct": 15, "arms_abduct": 20, "elbows": 60,
             "shoulders_flex": 45, "spine_bend": 10, "neck_turn": 25},
        ),
        "bow": (_STAND, {**_STAND, "pelvis_pitch": 40, "hips_flex": 40, "spine_bend": 30,
                         "shoulders_flex": 40, "neck_nod": 15}),
        "stretch": (
            {"arms_abduct": 90, "elbows": 4, "hips_abduct": 18, "knees": 3},
            {"arms_abduct": 105, "elbows": 8, "hips_abduct": 18, "knees": 3, "spine_lean": 18},
        ),
        "dance": (
            {"left_shoulder_abduct": 95, "left_elbow": 60, "right_shoulder_flex": 60,
             "right_elbow": 90, "left_hip_abduct": 20, "left_knee": 15, "right_knee": 15,
             "right_hip_flex": 12, "spine_lean": -10},
            {"right_shoulder_abduct": 95, "right_elbow": 60, "left_shoulder_flex": 60,
             "left_elbow": 90, "right_hip_abduct": 20, "right_knee": 15, "left_hip_flex": 45,
             "left_knee": 60, "spine_lean": 10},
        ),
    }
)  # fmt: skip
_GAITS: Mapping[str, Posture] = MappingProxyType(
    {
        "walk": {"hip": 26, "knee": 35, "arm": 24, "elbow": 20, "bend": 3},
        "run": {"hip": 45, "knee": 75, "arm": 45, "elbow": 85, "bend": 12},
    }
)
ACTIVITIES: tuple[str, ...] = (*_KEYS, *_GAITS)

_PAIRS = {
    "arms_abduct": "shoulder_abduct", "shoulders_flex": "shoulder_flex", "elbows": "elbow",
    "hips_abduct": "hip_abduct", "hips_flex": "hip_flex", "knees": "knee",
}  # fmt: skip


def _spelled_out(posture: Posture) -> Float64[np.ndarray, " angles"]:
    """All angles of a posture; what it says of both sides holds for each."""
    angles: dict[str, float] = dict.fromkeys(ANGLES, 0.0)
    for name, value in posture.items():
        for side in ("left", "right"):
            if name in _PAIRS:
                angles[f"{side}_{_PAIRS[name]}"] = value
    angles |= {name: value for name, value in posture.items() if name in angles}
    return np.array([angles[name] for name in ANGLES])


def _gait(amounts: Posture, cycle: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, "t angles"]:
    """Legs and arms that swing in opposition."""
    angles = np.zeros((len(cycle), len(ANGLES)))
    column = {name: index for index, name in enumerate(ANGLES)}
    for side, shift in (("left", 0.0), ("right", np.pi)):
        swing = np.sin(2 * np.pi * cycle + shift)
        lift = np.clip(np.cos(2 * np.pi * cycle + shift), 0, None)
        angles[:, column[f"{side}_hip_flex"]] = amounts["hip"] * (swing + 0.2)
        angles[:, column[f"{side}_knee"]] = 6 + amounts["knee"] * lift
        angles[:, column[f"{side}_shoulder_flex"]] = -amounts["arm"] * swing
        angles[:, column[f"{side}_elbow"]] = amounts["elbow"]
        angles[:, column[f"{side}_shoulder_abduct"]] = 12
    angles[:, column["spine_bend"]] = amounts["bend"]
    angles[:, column["spine_twist"]] = 6 * np.sin(2 * np.pi * cycle)
    return angles


def angles_over_time(
    activity: str, cycle: Float64[np.ndarray, " t"], quirks_deg: tuple[float, ...]
) -> Float64[np.ndarray, "t angles"]:
    """Joint angles of a person.

    Args:
        activity: One of ``ACTIVITIES``.
        cycle: How often the activity has been repeated, at each moment.
        quirks_deg: Added to each angle.

    Returns:
        The angles in degrees, in the order of ``ANGLES``, within what joints can do.
    """
    if activity in _GAITS:
        angles = _gait(_GAITS[activity], cycle)
    else:
        first, second = map(_spelled_out, _KEYS[activity])
        share = (0.5 - 0.5 * np.cos(2 * np.pi * cycle))[:, None]
        angles = first + (second - first) * share
    angles = angles + np.array(quirks_deg)
    limits = np.array([_LIMITS_DEG[_without_side(name)] for name in ANGLES], dtype=np.float64)
    return np.clip(angles, limits[:, 0], limits[:, 1])


def speed_of(activity: str, *, tempo_hz: float, leg_m: float) -> float:
    """How fast a person moves forward, so that the feet slide little.

    Args:
        activity: One of ``ACTIVITIES``.
        tempo_hz: Repetitions in a second; a repetition is two steps.
        leg_m: Length of the legs.

    Returns:
        Metres a second; 0 for all that is done on the spot.
    """
    if activity not in _GAITS:
        return 0.0
    return 4 * leg_m * float(np.sin(np.radians(_GAITS[activity]["hip"]))) * tempo_hz


def _without_side(name: str) -> str:
    """The name of an angle for either side."""
    return name.removeprefix("left_").removeprefix("right_")
