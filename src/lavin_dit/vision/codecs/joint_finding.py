"""Finding the discs of a painted skeleton, and which person each belongs to.

Every pixel is taken for the nearest colour on its own. A disc is a shape: whatever the pixels of
blurred borders look like, they do not fill one.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from lavin_dit.vision.codecs.labelling import nearest_colour
from lavin_dit.vision.codecs.palette import JOINT_COLOURS, PERSON_COLOURS

_NUM_JOINTS = len(JOINT_COLOURS)
_TABLE = np.concatenate([JOINT_COLOURS, PERSON_COLOURS])
_LEAST_SHARE = 0.2  # of a disc's area that must be in sight
_DIMMEST = 0.6  # of a thin ring's brightness that a blur leaves
_STEP_PX = 0.25  # to which a disc's centre is searched
_DARK_SHARE = 0.5  # of a joint's own brightness: less in the middle of its disc is a hole
_DARK_LEVELS = 120.0  # brightness that no joint's colour stays under
_ECHO_PX = 2.0  # two discs so close hide one another
RING_PX = 2.0  # width of the ring in a person's colour around each disc


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscShape:
    """How the disc of a joint is drawn.

    Attributes:
        radius_px: Outer radius in pixels.
        hole_px: Radius of the black hole in pixels; 0 for none.
    """

    radius_px: float
    hole_px: float = 0.0

    @property
    def has_hole(self) -> bool:
        """Whether it has a hole."""
        return self.hole_px > 0

    @property
    def against(self) -> float:
        """How much a pixel of none of the joints speaks against a disc.

        Both sides of a blurred ring look like that, so it says less about a disc with a hole.
        """
        return 0.5 if self.has_hole else 1.0

    @property
    def reach(self) -> int:
        """Whole pixels from the centre beyond which nothing is covered."""
        return int(np.ceil(self.radius_px + 0.5))

    @property
    def least_score(self) -> float:
        """Area in pixels that must be in sight."""
        return _LEAST_SHARE * np.pi * (self.radius_px**2 - self.hole_px**2)

    def cover(self, distance: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Share of a pixel that the disc covers, at a distance from its centre."""
        inside = np.clip(self.radius_px + 0.5 - distance, 0, 1)
        return inside - np.clip(self.hole_px + 0.5 - distance, 0, 1) * self.has_hole


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """One disc that was found.

    Attributes:
        index: Which of the 17 joints it is.
        x: Column of its centre in continuous pixels.
        y: Row of its centre in continuous pixels.
        score: Area in pixels that speaks for it.
        hidden: Whether its disc has a hole.
        person: Index of the colour around it; -1 where there is none.
    """

    index: int
    x: float
    y: float
    score: float
    hidden: bool = False
    person: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A small part of a frame around a place, and how far its pixel centres are from it."""

    rows: slice
    columns: slice
    distance: Float[np.ndarray, "h w"]


def _around(shape: tuple[int, ...], x: float, y: float, reach: int) -> _Part:
    """The pixels within a reach of a place, as far as they exist."""
    rows = slice(max(int(y) - reach, 0), min(int(y) + reach + 1, shape[0]))
    columns = slice(max(int(x) - reach, 0), min(int(x) + reach + 1, shape[1]))
    down = np.arange(rows.start, rows.stop)[:, None] + 0.5 - y
    right = np.arange(columns.start, columns.stop)[None] + 0.5 - x
    return _Part(rows=rows, columns=columns, distance=np.hypot(down, right))


def _scores(weights: Float32[np.ndarray, "h w"], disc: DiscShape) -> Float32[np.ndarray, "h w"]:
    """Weight under a disc around every pixel centre."""
    reach = disc.reach
    height, width = weights.shape
    padded = np.pad(weights, reach)
    total = np.zeros_like(weights)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            share = np.float32(disc.cover(np.hypot(np.array([float(down)]), right))[0])
            if share > 0:
                rows = slice(reach + down, reach + down + height)
                total += share * padded[rows, reach + right : reach + right + width]
    return total


def _refined(
    weights: Float32[np.ndarray, "h w"], row: int, column: int, disc: DiscShape
) -> tuple[float, float]:
    """Centre (x, y) of the disc that fits best near a pixel; the mean of equally good ones."""
    steps = np.arange(-1.5, 1.5 + _STEP_PX, _STEP_PX)
    down, right = np.meshgrid(row + 0.5 + steps, column + 0.5 + steps, indexing="ij")
    part = _around(weights.shape, column + 0.5, row + 0.5, disc.reach + 2)
    rows = np.arange(part.rows.start, part.rows.stop)[:, None] + 0.5
    columns = np.arange(part.columns.start, part.columns.stop)[None] + 0.5
    distance = np.hypot(rows - down[..., None, None], columns - right[..., None, None])
    score = np.sum(disc.cover(distance) * weights[part.rows, part.columns], axis=(-2, -1))
    best = score >= score.max() - 0.05
    return float(right[best].mean()), float(down[best].mean())


def _discs_of(labels: Int32[np.ndarray, "h w"], joint: int, disc: DiscShape) -> list[Joint]:
    """One joint's discs in a frame, the clearest first.

    Pixels of the joint speak for a disc, pixels of other joints may lie on top of it and say
    nothing, all others speak against it.
    """
    rows, columns = np.nonzero(labels == joint + 1)
    if rows.size == 0:
        return []
    margin = disc.reach + 2
    top, left = max(int(rows.min()) - margin, 0), max(int(columns.min()) - margin, 0)
    part = labels[top : int(rows.max()) + margin + 1, left : int(columns.max()) + margin + 1]
    other = (part > 0) & (part <= _NUM_JOINTS)
    weights = np.where(other, np.float32(0), np.float32(-disc.against))
    weights[part == joint + 1] = 1
    found: list[Joint] = []
    while True:
        score = _scores(weights, disc)
        row, column = np.unravel_index(int(np.argmax(score)), score.shape)
        if score[row, column] < disc.least_score:
            return found
        x, y = _refined(weights, int(row), int(column), disc)
        area = float(score[row, column])
        found.append(Joint(index=joint, x=x + left, y=y + top, score=area))
        # What this disc explains cannot speak for another.
        near = _around(weights.shape, x, y, margin)
        own = weights[near.rows, near.columns]
        own[(near.distance < disc.radius_px + 1.5) & (own > 0)] = 0


def _has_hole(frame: Float32[np.ndarray, "h w 3"], joint: Joint) -> bool:
    """Whether the middle of a disc is too dark for its own colour, and for any other joint's."""
    part = _around(frame.shape, joint.x, joint.y, 1)
    near = frame[part.rows, part.columns][part.distance < 1]
    brightness = np.linalg.norm(near, axis=-1).min(initial=np.inf)
    own = float(np.linalg.norm(JOINT_COLOURS[joint.index].astype(np.float32)))
    return bool(brightness < min(_DARK_SHARE * own, _DARK_LEVELS))


def _person_around(
    frame: Float32[np.ndarray, "h w 3"], joint: Joint, *, radius_px: float, people: tuple[int, ...]
) -> int:
    """The person whose colour most of the ring around a disc has, however dim; -1 for none."""
    reach = int(np.ceil(radius_px + RING_PX)) + 1
    part = _around(frame.shape, joint.x, joint.y, reach)
    inside = (part.distance > radius_px + 0.9) & (part.distance < radius_px + RING_PX)
    ring = frame[part.rows, part.columns][inside]
    coloured = nearest_colour(ring[None, None].astype(np.uint8), _TABLE)[0][0, 0] > _NUM_JOINTS
    if not people or coloured.sum() < _LEAST_SHARE * np.pi * radius_px:
        return -1
    palette = PERSON_COLOURS[list(people)].astype(np.float32)
    likeness = ring[coloured] @ (palette / np.linalg.norm(palette, axis=-1, keepdims=True)).T
    return people[int(np.argmax(np.bincount(np.argmax(likeness, axis=-1))))]


def find_joints(
    picture: UInt8[np.ndarray, "t h w 3"],
    *,
    solid: DiscShape,
    holed: DiscShape,
    people: tuple[int, ...],
) -> list[list[Joint]]:
    """Find all discs of a painted clip.

    Args:
        picture: A painted clip.
        solid: How visible joints are drawn.
        holed: How hidden joints are drawn.
        people: Indices of the colours that people may have.

    Returns:
        The joints of each frame.
    """
    labels, _ = nearest_colour(picture, _TABLE, dimmest=_DIMMEST)
    found: list[list[Joint]] = []
    for own, frame in zip(labels, picture.astype(np.float32), strict=True):
        candidates = [
            replace(joint, hidden=disc.has_hole)
            for disc in (solid, holed)
            for index in range(_NUM_JOINTS)
            for joint in _discs_of(own, index, disc)
            if _has_hole(frame, joint) == disc.has_hole
        ]
        joints: list[Joint] = []
        for joint in _without_echoes(candidates, reach_px=holed.radius_px):
            radius_px = holed.radius_px if joint.hidden else solid.radius_px
            person = _person_around(frame, joint, radius_px=radius_px, people=people)
            joints.append(replace(joint, person=person))
        found.append(joints)
    return found


def _without_echoes(joints: list[Joint], *, reach_px: float) -> list[Joint]:
    """The clearest of joints that claim the same place, the clearest first.

    The blurred edge of a disc is a mixture, which can look like a ring of another joint; and a
    piece of a joint's ring can look like a solid disc of that joint.
    """
    kept: list[Joint] = []
    for joint in sorted(joints, key=lambda joint: -joint.score):
        for other in kept:
            distance = np.hypot(joint.x - other.x, joint.y - other.y)
            piece = joint.index == other.index and joint.hidden != other.hidden
            if distance < (reach_px if piece else _ECHO_PX):
                break
        else:
            kept.append(joint)
    return kept


def num_people_of(joints: list[Joint]) -> int:
    """How many people share a colour: how often their joints occur, by the median."""
    if not joints:
        return 0
    counts = np.bincount([joint.index for joint in joints])
    return int(np.ceil(np.median(counts[counts > 0])))


def split_people(joints: list[Joint], *, num_people: int) -> list[list[Joint]]:
    """Share the joints of one colour among the people who have it.

    A joint that occurs once for each of them gives their places, and every other joint goes to
    the nearest; of a joint that occurs too often, the clearest discs count.

    Args:
        joints: Joints of one frame with the same colour around them, the clearest first.
        num_people: How many people they belong to.

    Returns:
        The joints of each person, from left to right; fewer people if fewer are found.
    """
    if not joints:
        return []
    by_index: dict[int, list[Joint]] = {}
    for joint in joints:
        by_index.setdefault(joint.index, []).append(joint)
    clearest = {index: found[:num_people] for index, found in by_index.items()}
    seeds = sorted(max(clearest.values(), key=len), key=lambda joint: joint.x)
    people: list[list[Joint]] = [[] for _ in seeds]
    for found in clearest.values():
        for joint in found:
            distance = [np.hypot(joint.x - seed.x, joint.y - seed.y) for seed in seeds]
            people[int(np.argmin(distance))].append(joint)
    return people
