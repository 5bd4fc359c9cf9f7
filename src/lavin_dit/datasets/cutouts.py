"""Cut-outs pasted on photos: masks, boxes, instances, segments and motion that are exactly known.

Made by ``lavin prepare cutouts``. Nothing is stored but the cut-outs: scenes are drawn when they
are asked for, the same ones every time. Instances are numbered from the farthest layer to the
nearest. There is no depth: layers have an order, but no distance.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32

from lavin_dit.datasets.real.layers import Rendering, render_layers
from lavin_dit.datasets.real.manifest import SPLITS, choose, read_manifest
from lavin_dit.datasets.real.photo_files import CutoutEntry, PhotoEntry
from lavin_dit.datasets.real.reading import read_picture
from lavin_dit.datasets.real.scenes import SceneRule, draw_background, draw_thing
from lavin_dit.datasets.source import check_index
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.labelling import label_boxes
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.sample import Sample

_log = logging.getLogger(__name__)

# The folders that Tux Paint sorts its stamps into; a class is its place in this list, which may
# grow at its end.
CLASS_NAMES = (
    "animals", "animals/amphibians", "animals/birds", "animals/fish", "animals/insects",
    "animals/lizards", "animals/mammals", "animals/marsupials", "animals/shellfish", "clothes",
    "clothes/armor", "clothes/hats", "food", "food/dessert", "food/fruit", "food/nuts",
    "food/spices", "food/vegetables", "hobbies", "hobbies/music", "household",
    "household/arttools", "household/dishes", "household/electronics", "household/tools",
    "medical", "military", "military/ammunition", "military/vehicles", "naturalforces", "people",
    "people/body_parts", "people/toys", "plants", "plants/flowers", "plants/mushrooms",
    "plants/trees", "seasonal", "seasonal/christmas", "seasonal/halloween", "seasonal/hanukkah",
    "seasonal/newyears", "seasonal/winter", "space", "space/moon", "space/planets", "sports",
    "symbols", "symbols/money", "town", "town/flags", "town/houses", "town/monuments",
    "town/roadsigns", "vehicles", "vehicles/auto", "vehicles/construction", "vehicles/cycle",
    "vehicles/emergency", "vehicles/farming", "vehicles/flight", "vehicles/locomotive",
    "vehicles/masstransit", "vehicles/race", "vehicles/ship", "animals/dinosaur",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A scene and what its sample cannot hold.

    Attributes:
        sample: The clip with its annotations.
        full_masks: What each thing would cover in each frame if nothing lay before it.
        full_boxes: Boxes around that.
        hidden_next: Whether what a pixel shows is hidden or outside in the next frame; True in
            the last frame. Flow is also known there.
        labels: What each thing shows, in English.
    """

    sample: Sample
    full_masks: Bool[np.ndarray, "t n h w"]
    full_boxes: Boxes
    hidden_next: Bool[np.ndarray, "t h w"]
    labels: tuple[str, ...]


class Cutouts:
    """Scenes of cut-outs on photos; cut-outs and photos are both of the split asked for.

    Source:
        Ours (ADR 12); they stand in for COCO's masks and boxes and for Kubric's flow where those
        cannot be had.
    """

    name = "cutouts"
    class_names: Mapping[int, str] = dict(enumerate(CLASS_NAMES))

    def __init__(
        self,
        root: str | Path,
        photos_root: str | Path | None = None,
        *,
        split: str,
        num_frames: int = 1,
        any_licence: bool = False,
        rule: SceneRule | None = None,
    ) -> None:
        """Read both manifests.

        Args:
            root: Folder that ``lavin prepare cutouts`` made.
            photos_root: Folder that ``lavin prepare photos`` made; ``photos`` beside the other
                folder if None.
            split: ``train``, ``validation`` or ``test``.
            num_frames: Frames of each scene. Scenes of more than one frame move, and have flow.
            any_licence: Whether to train also on files whose licence does not let weights be
                shipped under this project's. All stamps of Tux Paint are such files.
            rule: What scenes are drawn from; the defaults if None.

        Raises:
            LayoutError: If a folder holds no manifest.
            ValueError: If a setting is out of range, or the split has no cut-out.
        """
        if num_frames < 1:
            raise ValueError(f"num_frames must be at least 1, got {num_frames}")
        self.root = Path(root)
        self.split = split
        self.num_frames = num_frames
        self.rule = rule or SceneRule()
        self.photos_root = self.root.parent / "photos" if photos_root is None else Path(photos_root)
        self.photos, skipped_photos = choose(
            read_manifest(self.photos_root, PhotoEntry, dataset="Photos"),
            root=self.photos_root,
            split=split,
            any_licence=any_licence,
        )
        cutouts, skipped = choose(
            read_manifest(self.root, CutoutEntry, dataset="Cutouts"),
            root=self.root,
            split=split,
            any_licence=any_licence,
        )
        self.entries = [entry for entry in cutouts if _class_of(entry) is not None]
        if len(self.entries) < len(cutouts):
            skipped["category is not known"] = len(cutouts) - len(self.entries)
        self._skipped = {f"photo: {reason}": count for reason, count in skipped_photos.items()}
        self._skipped.update({f"cut-out: {reason}": count for reason, count in skipped.items()})
        if not self.entries or not self.photos:
            hint = "" if any_licence else "; any_licence=True trains weights that we would not ship"
            raise ValueError(
                f"split {split} has {len(self.entries)} cut-outs in {self.root} and "
                f"{len(self.photos)} photos in {self.photos_root}; skipped: {self._skipped}{hint}"
            )

    @property
    def kinds(self) -> tuple[type[object], ...]:
        """Masks, boxes and segments; also flow where scenes move."""
        still = (Mask, Instances, Panoptic, Boxes)
        return (*still, Flow) if self.num_frames > 1 else still

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many cut-outs and photos of the split are not used, by reason."""
        return self._skipped

    def __len__(self) -> int:
        """Number of scenes."""
        return len(self.photos) * self.rule.scenes_per_photo

    def __getitem__(self, index: int) -> Sample:
        """Draw a scene.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The scene; it hangs on the split, the index, the rule and the prepared files alone.

        Raises:
            IndexError: If there is no such scene.
            UnusableSampleError: If one of its files is corrupt.
        """
        return self.composite(index).sample

    def composite(self, index: int) -> Composite:
        """Draw a scene, with what a sample cannot hold.

        Args:
            index: 0 to ``len(self) - 1``.

        Returns:
            The scene.

        Raises:
            IndexError: If there is no such scene.
            UnusableSampleError: If one of its files is corrupt.
        """
        index = check_index(index, length=len(self))
        rule = self.rule
        number_of_split = [str(split) for split in SPLITS].index(self.split)
        generator = np.random.default_rng((rule.seed, number_of_split, index))
        photo = self.photos[index % len(self.photos)]
        picture = read_picture(self.photos_root, photo, mode="RGB")
        low, high = rule.num_things
        count = min(int(generator.integers(low, high + 1)), len(self.entries))
        chosen = [
            self.entries[number]
            for number in generator.choice(len(self.entries), count, replace=False)
        ]
        background = draw_background(
            picture, rule=rule, num_frames=self.num_frames, generator=generator
        )
        things = [
            draw_thing(
                read_picture(self.root, entry, mode="RGBA"),
                background=background,
                rule=rule,
                generator=generator,
            )
            for entry in chosen
        ]
        rendering = render_layers([background, *things], rule.size)
        classes = np.array([_class_of(entry) for entry in chosen], dtype=np.int32)
        full_boxes = _boxes(rendering.full_masks, classes, rule.size)
        return Composite(
            sample=Sample(
                rgb=Rgb(pixels=rendering.rgb),
                annotations=self._annotations(rendering, classes, full_boxes),
                name=f"{index:06d}-{photo.name}",
            ),
            full_masks=rendering.full_masks,
            full_boxes=full_boxes,
            hidden_next=rendering.hidden_next,
            labels=tuple(entry.label or entry.name for entry in chosen),
        )

    def _annotations(
        self, rendering: Rendering, classes: Int32[np.ndarray, " n"], full_boxes: Boxes
    ) -> tuple[Mask | Instances | Panoptic | Boxes | Flow, ...]:
        """What a sample says of a scene."""
        ids = rendering.ids
        visible = np.stack([ids == number for number in range(1, len(classes) + 1)], axis=1)
        boxes = (
            full_boxes if self.rule.boxes == "full" else _boxes(visible, classes, self.rule.size)
        )
        still = (
            Mask(foreground=ids > 0),
            Instances(ids=ids),
            Panoptic(ids=ids, classes=classes),
            boxes,
        )
        if self.num_frames == 1:
            return still
        valid = np.ones(ids.shape, dtype=np.bool_)
        valid[-1] = False
        return (*still, Flow(pixels=rendering.motion_px, valid=valid))


def _class_of(entry: CutoutEntry) -> int | None:
    """The class of a cut-out: its folder, or the nearest folder above that is listed."""
    folder = entry.category
    while folder:
        if folder in CLASS_NAMES:
            return CLASS_NAMES.index(folder)
        folder = folder.rpartition("/")[0]
    return None


def _boxes(
    masks: Bool[np.ndarray, "t n h w"], classes: Int32[np.ndarray, " n"], size: Size
) -> Boxes:
    """The smallest boxes around masks; a thing without any pixel in a frame is not present."""
    corners = np.zeros((*masks.shape[:2], 4), dtype=np.float32)
    for frame, thing in np.ndindex(*masks.shape[:2]):
        label = masks[frame, thing].astype(np.int32)
        corners[frame, thing] = label_boxes(label[None], num_labels=1)[0]
    return Boxes(
        corners_px=corners, present=np.asarray(masks.any(axis=(2, 3))), classes=classes, size=size
    )
