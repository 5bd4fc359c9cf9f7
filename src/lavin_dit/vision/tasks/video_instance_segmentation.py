"""Video instance segmentation: from a clip to its objects, followed through the frames."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, UInt8

from lavin_dit.vision.codecs.instances import InstanceCodec, InstanceKey, Instances
from lavin_dit.vision.codecs.palette import INSTANCE_COLOURS
from lavin_dit.vision.results.instances import InstancesResult
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import NothingToPaintError, Pair, Ruleless, VideoTask, check_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInstanceSegmentation(Ruleless, VideoTask):
    """Paints every object of a clip in a colour of its own, the same in all frames.

    Colours are chosen by where an object is, so that a network can know them, and mean no class.
    Of more objects than colours, the largest are painted. Invariance: without its key, objects
    are read up to their numbers.

    Attributes:
        num_frames: Number of frames of a clip, 1 + 4k.
        least_area_px: Objects of fewer pixels in all frames together are not painted, nor those
            that are smaller in every frame than what the codec reads.
        codec: How objects are painted.

    Source:
        Paper, Table 4. Painting: ours (ADR 10).
    """

    name: ClassVar[str] = "video_instance_segmentation"
    needs: ClassVar[tuple[type[object], ...]] = (Instances,)
    held_out: ClassVar[bool] = False

    least_area_px: int = 128
    codec: InstanceCodec = field(default_factory=InstanceCodec)

    def render(
        self, sample: Sample, *, rule: None = None, generator: np.random.Generator
    ) -> Pair[InstanceKey]:
        """The clip, and its objects on black; the generator is not drawn from."""
        del rule, generator
        check_sample(sample, self)
        instances = sample[Instances]
        names, areas = np.unique(instances.ids[instances.ids > 0], return_counts=True)
        order = np.argsort(-areas, kind="stable")[: len(INSTANCE_COLOURS)]
        large = [
            areas[place] >= self.least_area_px and self._can_be_read(instances.ids == names[place])
            for place in order
        ]
        kept = names[order][np.array(large, dtype=np.bool_)]
        if not len(kept):
            raise NothingToPaintError(sample.name, "no object is large enough")
        ids = np.where(np.isin(instances.ids, kept), instances.ids, np.int32(0))
        picture, key = self.codec.paint(replace(instances, ids=ids))
        return Pair(input=sample.rgb.pixels, target=picture, key=key)

    def _can_be_read(self, inside: Bool[np.ndarray, "t h w"]) -> bool:
        """Whether an object is large enough for its colour to be trusted in some frame."""
        return int(inside.sum(axis=(1, 2)).max()) >= self.codec.min_area_px

    def read(
        self,
        picture: UInt8[np.ndarray, "t h w 3"],
        *,
        rule: None = None,
        key: InstanceKey | None = None,
    ) -> InstancesResult:
        """Objects, with their numbers where the key names them."""
        del rule
        return InstancesResult(annotation=self.codec.read(picture, key=key))
