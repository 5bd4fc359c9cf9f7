"""Cut-outs on photos, from packages to samples."""

import numpy as np
import pytest

from lavin_dit.datasets.cutouts import CLASS_NAMES, Cutouts
from lavin_dit.datasets.real.photo_files import CutoutConverter, PhotoConverter
from lavin_dit.datasets.real.preparation import prepare
from lavin_dit.datasets.real.scenes import SceneRule
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.flow import Flow
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.geometry import Size

RULE = SceneRule(size=Size(height=72, width=104), num_things=(2, 4), scenes_per_photo=3)
STAMPS = "usr/share/tuxpaint/stamps"


@pytest.fixture
def roots(tmp_path, cache, select, make):
    """Folders of cut-outs and photos."""
    files = {}
    for seed in range(24):
        folder = ("animals/birds", "food", "vehicles/auto/old")[seed % 3]
        files[f"{STAMPS}/{folder}/c{seed:02d}.png"] = make.cutout(seed)
        files[f"{STAMPS}/{folder}/c{seed:02d}.txt"] = f"A thing {seed}.\nde=Ding\n".encode()
    files[f"{STAMPS}/food/copy.png"] = make.cutout(1)
    files[f"{STAMPS}/food/photo.png"] = make.photo(3)
    files[f"{STAMPS}/moods/odd.png"] = make.cutout(50)
    files[f"{STAMPS}/food/broken.png"] = make.cutout(51)[:300]
    files[f"{STAMPS}/food/drawn.png"] = _drawn()
    stamps = select(files, name="stamps", include=("*.png",), beside=("*.txt",))
    report = prepare(
        tmp_path / "cutouts", selections=[stamps], converter=CutoutConverter(), cache=cache
    )
    photos = select({f"package/p{seed}.png": make.photo(seed) for seed in range(24)})
    prepare(
        tmp_path / "photos",
        selections=[photos],
        converter=PhotoConverter(min_side=40),
        cache=cache,
    )
    return tmp_path / "cutouts", tmp_path / "photos", report


def _drawn():
    import io

    from PIL import Image

    picture = Image.new("RGBA", (80, 90))
    picture.paste((250, 10, 10, 255), (10, 10, 70, 80))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def source(roots, **options):
    """Scenes that move."""
    return Cutouts(
        roots[0], roots[1], **{"split": "train", "num_frames": 4, "rule": RULE, **options}
    )


def test_every_file_is_used_or_counted(roots):
    assert roots[2].skipped == {
        "shows the same as another cut-out": 1,
        "no transparent pixel": 1,
        "corrupt": 1,
        "drawn, by its number of colours": 1,
    }
    by_member = {entry.member.rpartition("/")[2]: entry for entry in roots[2].entries}
    assert by_member["c05.png"].label == "A thing 5"
    assert by_member["c05.png"].category == "vehicles/auto/old"


def test_annotations_agree_with_each_other(roots):
    scenes = source(roots)
    assert isinstance(scenes, Source)
    assert scenes.kinds == (Mask, Instances, Panoptic, Boxes, Flow)
    for index in range(0, len(scenes), 7):
        composite = scenes.composite(index)
        sample = composite.sample
        ids = sample[Instances].ids
        boxes = sample[Boxes]
        np.testing.assert_array_equal(sample[Mask].foreground, ids > 0)
        np.testing.assert_array_equal(sample[Panoptic].ids, ids)
        np.testing.assert_array_equal(sample[Panoptic].classes, boxes.classes)
        assert set(boxes.classes) <= {CLASS_NAMES.index(name) for name in (
            "animals/birds", "food", "vehicles/auto")}  # fmt: skip
        assert not sample[Flow].valid[-1].any()
        assert sample[Flow].valid[:-1].all()
        assert len(composite.labels) == len(boxes.classes)
        for frame in range(4):
            for thing in range(len(boxes.classes)):
                seen = ids[frame] == thing + 1
                assert boxes.present[frame, thing] == seen.any()
                assert not (seen & ~composite.full_masks[frame, thing]).any()
                if seen.any():
                    left, top, right, bottom = boxes.corners_px[frame, thing].astype(int)
                    assert seen[top:bottom, left:right].sum() == seen.sum()
                    assert seen[top].any()
                    assert seen[:, right - 1].any()
                    full = composite.full_boxes.corners_px[frame, thing]
                    assert (full[:2] <= (left, top)).all()
                    assert (full[2:] >= (right, bottom)).all()


def test_full_boxes_can_be_asked_for(roots):
    rule = SceneRule(size=RULE.size, num_things=(2, 4), scenes_per_photo=3, boxes="full")
    composite = source(roots, rule=rule).composite(5)
    np.testing.assert_array_equal(
        composite.sample[Boxes].corners_px, composite.full_boxes.corners_px
    )


def test_a_scene_hangs_on_split_index_and_seed_alone(roots):
    first, second = source(roots), source(roots)
    np.testing.assert_array_equal(first[7].rgb.pixels, second[7].rgb.pixels)
    np.testing.assert_array_equal(first[7][Flow].pixels, second[7][Flow].pixels)
    np.testing.assert_array_equal(first[-1].rgb.pixels, first[len(first) - 1].rgb.pixels)
    other = SceneRule(size=RULE.size, num_things=(2, 4), scenes_per_photo=3, seed=1)
    assert (source(roots, rule=other)[7].rgb.pixels != first[7].rgb.pixels).any()
    assert first[7].name != first[8].name


def test_splits_share_neither_cutout_nor_photo(roots):
    splits = {split: source(roots, split=split) for split in ("train", "validation", "test")}
    for what in ("entries", "photos"):
        members = [{entry.identity for entry in getattr(part, what)} for part in splits.values()]
        assert sum(map(len, members)) == len(set.union(*members))


def test_a_still_scene_has_no_flow(roots):
    still = source(roots, num_frames=1)
    assert Flow not in still.kinds
    assert still[0].shape.num_frames == 1


def test_unknown_categories_and_corrupt_files(roots):
    scenes = source(roots)
    odd = [entry for entry in roots[2].entries if entry.category == "moods"]
    expected = {"cut-out: category is not known": 1} if odd[0].split == "train" else {}
    assert scenes.skipped == expected
    for entry in scenes.entries:
        (roots[0] / entry.path).write_bytes(b"not a picture")
    with pytest.raises(UnusableSampleError, match=r"corrupt picture$"):
        scenes[0]


def test_without_cutouts_that_may_train_it_is_said_why(tmp_path, roots, cache, select, make):
    stamps = select(
        {f"{STAMPS}/food/c{seed}.png": make.cutout(seed) for seed in range(5)},
        name="gnu",
        licence=make.copyleft,
    )
    prepare(tmp_path / "gnu", selections=[stamps], converter=CutoutConverter(), cache=cache)
    with pytest.raises(ValueError, match=r"has 0 cut-outs .* copyleft .* any_licence=True"):
        source((tmp_path / "gnu", roots[1]))
    assert len(source((tmp_path / "gnu", roots[1]), any_licence=True)) > 0


@pytest.mark.parametrize(
    "options",
    [{"num_things": (0, 2)}, {"extent": (0.5, 0.2)}, {"max_speed": -1.0}, {"scenes_per_photo": 0}],
)
def test_rules_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match="must"):
        SceneRule(**options)
