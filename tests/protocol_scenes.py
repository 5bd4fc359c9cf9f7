"""Protocols on small random scenes, so that they need no data and no time."""

from dataclasses import replace

from lavin_dit.evaluation.samples import Unbounded
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.codecs.panoptic import Panoptic
from scene_source import SceneSource

STILL = (Depth, Normals, Instances, Panoptic, Boxes, Keypoints, Mask)


def on_scenes(protocol, *, unusable=frozenset()):
    """The protocol on small random scenes."""

    def places(library, task):
        kinds = STILL if task.num_frames == 1 else (*STILL, Flow)
        things = {"things": 1} if task.name == "single_object_detection" else {}
        source = SceneSource(
            length=40,
            num_frames=task.num_frames,
            height=90,
            kinds=kinds,
            unusable=unusable,
            **things,
        )
        return Unbounded(source=source, num_examples=10)

    return replace(protocol, places=places)
