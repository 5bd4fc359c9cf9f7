"""Pose-to-image: from skeletons to a photo of people who stand like that."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from lavin_dit.vision.codecs.keypoints import KeypointCodec, Keypoints
from lavin_dit.vision.codecs.palette import PERSON_COLOURS
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import (
    ImageTask,
    NothingToPaintError,
    Pair,
    PictureTarget,
    Ruleless,
    check_sample,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoseToImage(Ruleless, PictureTarget, ImageTask):
    """Paints a photo of people in given poses.

    Of more people than colours, the largest are painted. Invariance: none; any photo of those
    poses is right, so it is judged by its likeness.

    Attributes:
        least_extent_px: People whose labelled joints span less, in height and in width, are not
            painted: their discs would cover each other.
        codec: How poses are painted.

    Source:
        Paper, Table 4.
    """

    name: ClassVar[str] = "pose_to_image"
    needs: ClassVar[tuple[type[object], ...]] = (Keypoints,)
    held_out: ClassVar[bool] = False

    least_extent_px: float = 24.0
    codec: KeypointCodec = field(default_factory=KeypointCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[None]:
        """The skeletons on black, and the photo; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        poses = sample[Keypoints]
        seen = (poses.visibility[0] > 0)[..., None]
        low = np.where(seen, poses.positions_px[0], np.inf).min(axis=1)
        high = np.where(seen, poses.positions_px[0], -np.inf).max(axis=1)
        extent = (high - low).max(axis=1)
        order = np.argsort(-extent, kind="stable")[: len(PERSON_COLOURS)]
        kept = np.sort(order[extent[order] >= self.least_extent_px])
        if not len(kept):
            raise NothingToPaintError(sample.name, "no person is large enough")
        poses = replace(
            poses, positions_px=poses.positions_px[:, kept], visibility=poses.visibility[:, kept]
        )
        picture, _ = self.codec.paint(poses)
        return Pair(input=picture, target=sample.rgb.pixels, key=None)
