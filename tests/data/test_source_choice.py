"""Which samples a user's words mean is known without reading any."""

import pytest

from lavin_dit.data.prepare import prepare_shards
from lavin_dit.data.shard_writer import ShardSettings
from lavin_dit.data.source_choice import SourceChoice
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.instances import Instances
from scene_source import SceneSource


def samples(words):
    return SourceChoice.parse(words).samples()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("coco=/data/coco", "coco=/data/../data/coco?split=train"),
        ("photos=/data/photos", "photos=/data/photos?any_licence=True&split=train"),
        ("nyuv2=/data/nyuv2?depth=filled", "nyuv2=/data/nyuv2?split=test"),
        ("world", "world?size=32x48&length=7"),
        ("ucf101=/data/ucf101", "ucf101=/data/ucf101?fold=1"),
    ],
)
def test_the_same_samples(one, other):
    assert samples(one) == samples(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("coco=/data/coco", "coco=/data/coco?split=val"),
        ("coco=/data/coco", "coco=/data/small"),
        ("photos=/data/real", "clips=/data/real"),
        ("world", "world?split=validation"),
        ("ucf101=/data/ucf101", "ucf101=/data/ucf101?fold=2"),
        ("kubric=/data/kubric?variant=movi_d", "kubric=/data/kubric"),
    ],
)
def test_other_samples(one, other):
    assert samples(one) != samples(other)


def test_shards_have_an_address(tmp_path):
    prepare_shards(SceneSource(length=4), tmp_path, settings=ShardSettings(samples_per_shard=4))
    address = f"file://{tmp_path}"
    source = SourceChoice.parse(f"shards={address}?verify=False").open()
    assert len(source) == 4
    assert samples(f"shards={address}") == ("shards", address)


def test_labels_do_not_replace_what_a_source_has(tmp_path):
    source = SceneSource(length=4, kinds=(Instances, Depth))
    prepare_shards(source, tmp_path / "shards", settings=ShardSettings(samples_per_shard=4))
    (tmp_path / "mine.py").write_text(
        "from lavin_dit.data.pseudo_labels import DepthLabels\n"
        "depth = DepthLabels(name='mine', function=lambda frame: frame[..., :1])\n"
    )
    choice = SourceChoice.parse(f"shards={tmp_path}/shards?labels={tmp_path}/mine.py:depth")
    for kinds in (None, (Depth,), (Instances,)):
        with pytest.raises(ValueError, match="shards has Depth already, and labels do not replace"):
            choice.open(kinds=kinds)


def test_labels_are_added_to_what_a_source_has(tmp_path):
    prepare_shards(SceneSource(length=4), tmp_path, settings=ShardSettings(samples_per_shard=4))
    choice = SourceChoice.parse(f"shards={tmp_path}?labels=edges")
    assert choice.open(kinds=(Edges, Depth))[0].kinds == (Depth, Edges)


def test_only_shards_have_an_address():
    with pytest.raises(ValueError, match=r"coco is read from a folder .* not from s3://data/coco"):
        SourceChoice.parse("coco=s3://data/coco").open()


def test_what_is_no_source_is_told():
    with pytest.raises(ValueError, match="there is no source 'nowhere'"):
        samples("nowhere")
