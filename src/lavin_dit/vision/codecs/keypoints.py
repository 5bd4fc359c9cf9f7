"""The 17 COCO joints of people: discs on a skeleton, on black.

The colour of a disc names the joint; the dim colour of the limbs, and of a ring around each disc,
names the person. A joint that is hidden in the photo has a black hole in its disc.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, UInt8

from lavin_dit.vision.codecs.coco_joints import MIRRORED_JOINTS, NUM_JOINTS, SKELETON
from lavin_dit.vision.codecs.codec import check_frames, sealed
from lavin_dit.vision.codecs.drawing import draw_limb
from lavin_dit.vision.codecs.joint_finding import (
    RING_PX,
    DiscShape,
    Joint,
    find_joints,
    num_people_of,
    split_people,
)
from lavin_dit.vision.codecs.palette import (
    JOINT_COLOURS,
    PERSON_COLOURS,
    colours_by_place,
    grid_anchors,
)
from lavin_dit.vision.geometry import ClipShape, Size, Window, to_levels

_PERSON_ANCHORS = grid_anchors(rows=2, columns=6)

_LEAST_JOINTS = 4
"""Joints of a colour in a frame that make it a person's for sure."""

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoints:
    """Joints of people, followed through a clip.

    Attributes:
        positions_px: (x, y) in continuous pixels of each joint of each person in each frame.
        visibility: 0 where a joint is not labelled (its position is ignored), 1 where it is but
            is hidden in the photo, 2 where it can be seen, as COCO counts.
        size: Height and width of the frames.
    """

    positions_px: Float32[np.ndarray, "t n 17 2"]
    visibility: UInt8[np.ndarray, "t n 17"]
    size: Size

    def __post_init__(self) -> None:
        """Check shapes and values, and make the arrays read-only."""
        positions = sealed(
            self.positions_px,
            name="Keypoints.positions_px",
            shape=("t", "n", NUM_JOINTS, 2),
            dtype=np.float32,
        )
        visibility = sealed(
            self.visibility,
            name="Keypoints.visibility",
            shape=positions.shape[:3],
            dtype=np.uint8,
        )
        if visibility.max(initial=0) > VISIBLE:
            raise ValueError(f"Keypoints.visibility is 0, 1 or 2, got {visibility.max()}")
        if not np.isfinite(positions[visibility > 0]).all():
            raise ValueError("Keypoints.positions_px must be finite wherever they are labelled")
        object.__setattr__(self, "positions_px", positions)
        object.__setattr__(self, "visibility", visibility)

    @property
    def shape(self) -> ClipShape:
        """Number of frames, height and width."""
        return ClipShape(
            num_frames=len(self.positions_px), height=self.size.height, width=self.size.width
        )

    def crop(self, window: Window) -> "Keypoints":
        """Move the joints with the window; those outside are no longer labelled."""
        window.check_inside(self.size)
        positions = self.positions_px - np.array([window.left, window.top], dtype=np.float32)
        limit = np.array([window.width, window.height], dtype=np.float32)
        inside = ((positions >= 0) & (positions <= limit)).all(axis=-1)
        visibility = np.where(inside, self.visibility, np.uint8(UNLABELLED))
        return replace(self, positions_px=positions, visibility=visibility, size=window.size)

    def flip(self) -> "Keypoints":
        """Mirror left to right; left joints become right joints."""
        mirrored = self.positions_px * np.array([-1, 1], dtype=np.float32)
        mirrored += np.array([self.size.width, 0], dtype=np.float32)
        swap = list(MIRRORED_JOINTS)
        return replace(
            self, positions_px=mirrored[:, :, swap], visibility=self.visibility[:, :, swap]
        )

    def resize(self, size: Size) -> "Keypoints":
        """Scale the positions with the frame."""
        scale = [size.width / self.size.width, size.height / self.size.height]
        positions = self.positions_px * np.array(scale, dtype=np.float32)
        return replace(self, positions_px=positions, size=size)

    def take_frames(self, start: int, stop: int) -> "Keypoints":
        """Keep the frames from start up to, not including, stop."""
        frames = check_frames(start, stop, num_frames=self.shape.num_frames)
        return replace(
            self, positions_px=self.positions_px[frames], visibility=self.visibility[frames]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointKey:
    """Which colour stands for which person.

    Attributes:
        colours: Index of the limbs' colour for each person.
    """

    colours: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check that the colours exist."""
        if any(not 0 <= colour < len(PERSON_COLOURS) for colour in self.colours):
            raise ValueError(f"colours are 0 to {len(PERSON_COLOURS) - 1}, got {self.colours}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointCodec:
    """Paints people's joints as discs on a skeleton and reads them back.

    Invariance: without a key, people are read up to their order. A disc that lies under others
    for most of its area is lost; beyond 12 people, two share a colour and are told apart by
    distance, which can fail where they are close.

    Attributes:
        disc_px: Radius of a joint's disc in pixels; at least 2.
        limb_px: Width of the limbs in pixels.

    Source:
        Ours (ADR 10); the paper does not say how poses are painted.
    """

    disc_px: float = 3.0
    limb_px: float = 2.0

    def __post_init__(self) -> None:
        """Refuse discs too small to be read."""
        if self.disc_px < 2:
            raise ValueError(f"disc_px must be at least 2, got {self.disc_px}")

    def fit_key(self, keypoints: Keypoints) -> KeypointKey:
        """Choose the colours of a clip's people by where they are.

        Args:
            keypoints: Any people.

        Returns:
            A key; colours repeat only beyond 12 people.
        """
        seen = (keypoints.visibility > UNLABELLED)[..., None]
        low = np.where(seen, keypoints.positions_px, np.inf).min(axis=(0, 2), initial=np.inf)
        high = np.where(seen, keypoints.positions_px, -np.inf).max(axis=(0, 2), initial=-np.inf)
        around = np.nan_to_num(np.concatenate([low, high], axis=-1), posinf=0, neginf=0)
        colours = colours_by_place(
            around,
            anchors=_PERSON_ANCHORS,
            width=keypoints.size.width,
            height=keypoints.size.height,
        )
        return KeypointKey(colours=tuple(int(colour) for colour in colours))

    def paint(
        self, annotation: Keypoints, *, key: KeypointKey | None = None
    ) -> tuple[UInt8[np.ndarray, "t h w 3"], KeypointKey]:
        """Draw limbs and rings first, then all discs.

        Args:
            annotation: What to paint.
            key: Colours to use; chosen by place where None.

        Returns:
            The picture and its key.

        Raises:
            ValueError: If the key is for another number of people.
        """
        key = key or self.fit_key(annotation)
        num_people = annotation.visibility.shape[1]
        if len(key.colours) != num_people:
            raise ValueError(f"a key for {len(key.colours)} people cannot paint {num_people}")
        shape = annotation.shape
        canvas = np.zeros((shape.num_frames, shape.height, shape.width, 3), dtype=np.float32)
        for frame in range(shape.num_frames):
            for person in range(num_people):
                self._draw_skeleton(
                    canvas[frame],
                    annotation.positions_px[frame, person],
                    annotation.visibility[frame, person],
                    PERSON_COLOURS[key.colours[person]],
                )
            for person in range(num_people):
                self._draw_discs(
                    canvas[frame],
                    annotation.positions_px[frame, person],
                    annotation.visibility[frame, person],
                )
        return to_levels(canvas), key

    def read(
        self, picture: UInt8[np.ndarray, "t h w 3"], *, key: KeypointKey | None = None
    ) -> Keypoints:
        """Read joints from their discs.

        Args:
            picture: A painted clip.
            key: What ``paint`` returned; None for a picture whose colours mean nothing else.

        Returns:
            The people. With a key they stand in its order (those that share a colour from left
            to right), and joints that are not found are not labelled.
        """
        colours = tuple(range(len(PERSON_COLOURS)) if key is None else sorted(set(key.colours)))
        frames = self._joints_by_colour(picture, colours)
        if key is None:
            # A ring that is misread is one joint of a colour; people have more of them.
            clear = {c for own in frames for c in colours if len(own[c]) >= _LEAST_JOINTS}
            if clear:
                colours = tuple(sorted(clear))
                frames = self._joints_by_colour(picture, colours)
        owners = () if key is None else key.colours
        if key is None:
            most = {c: max(num_people_of(own[c]) for own in frames) for c in colours}
            owners = tuple(colour for colour, count in most.items() for _ in range(count))
        height, width = picture.shape[1:3]
        positions = np.zeros((len(frames), len(owners), NUM_JOINTS, 2), dtype=np.float32)
        visibility = np.zeros(positions.shape[:3], dtype=np.uint8)
        for frame, own in enumerate(frames):
            for colour in set(owners):
                rows = [row for row, owner in enumerate(owners) if owner == colour]
                people = split_people(own[colour], num_people=len(rows))
                for row, person in zip(rows, people, strict=False):
                    for joint in person:
                        positions[frame, row, joint.index] = joint.x, joint.y
                        visibility[frame, row, joint.index] = HIDDEN if joint.hidden else VISIBLE
        return Keypoints(
            positions_px=positions,
            visibility=visibility,
            size=Size(height=height, width=width),
        )

    def _joints_by_colour(
        self, picture: UInt8[np.ndarray, "t h w 3"], colours: tuple[int, ...]
    ) -> list[dict[int, list[Joint]]]:
        """The joints of each frame by the colour around them, which is one of some."""
        return [
            {colour: [joint for joint in joints if joint.person == colour] for colour in colours}
            for joints in find_joints(picture, solid=self._solid, holed=self._holed, people=colours)
        ]

    @property
    def _solid(self) -> DiscShape:
        """How a visible joint is drawn."""
        return DiscShape(radius_px=self.disc_px)

    @property
    def _holed(self) -> DiscShape:
        """How a hidden joint is drawn: larger, so that a blur leaves its ring three pixels."""
        hole = max(1.5, 0.4 * self.disc_px)
        return DiscShape(radius_px=max(hole + 3, self.disc_px), hole_px=hole)

    def _disc(self, visibility: int) -> DiscShape:
        """How a labelled joint is drawn."""
        return self._holed if visibility == HIDDEN else self._solid

    def _draw_skeleton(
        self,
        canvas: Float32[np.ndarray, "h w 3"],
        positions: Float32[np.ndarray, "17 2"],
        visibility: UInt8[np.ndarray, "17"],
        colour: UInt8[np.ndarray, "3"],
    ) -> None:
        """Draw one person's limbs and the rings around the joints."""
        for start, stop in SKELETON:
            if visibility[start] and visibility[stop]:
                draw_limb(
                    canvas,
                    positions[start],
                    positions[stop],
                    radius_px=self.limb_px / 2,
                    colour=colour,
                )
        for joint in np.nonzero(visibility > UNLABELLED)[0]:
            centre = positions[joint]
            radius = self._disc(int(visibility[joint])).radius_px + RING_PX
            draw_limb(canvas, centre, centre, radius_px=radius, colour=colour)

    def _draw_discs(
        self,
        canvas: Float32[np.ndarray, "h w 3"],
        positions: Float32[np.ndarray, "17 2"],
        visibility: UInt8[np.ndarray, "17"],
    ) -> None:
        """Draw one person's discs, and the holes of hidden joints."""
        for joint in np.nonzero(visibility > UNLABELLED)[0]:
            centre = positions[joint]
            disc = self._disc(int(visibility[joint]))
            colour = JOINT_COLOURS[joint]
            draw_limb(canvas, centre, centre, radius_px=disc.radius_px, colour=colour)
            if disc.hole_px > 0:
                black = np.zeros(3, dtype=np.uint8)
                draw_limb(canvas, centre, centre, radius_px=disc.hole_px, colour=black)
