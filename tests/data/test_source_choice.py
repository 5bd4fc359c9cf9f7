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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cutouts=x?any_licence=no", "cutouts, any_licence: it is true or false, got 'no'"),
        ("ucf101=x?cut=2", "ucf101 has no setting 'cut'"),
        ("world?kinds=depht", "there is no kind depht; there are boxes, depth, "),
        ("world?length=4&kinds=depth", "world always has all its kinds: leave depth out"),
    ],
)
def test_settings_that_mean_nothing_are_refused(words, message):
    with pytest.raises(ValueError, match=message):
        SourceChoice.parse(words).open()


@pytest.mark.unchecked
def test_a_depth_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="smooth"):
        SourceChoice.parse("nyuv2=x?depth=smooth").open()


def test_truth_values_are_read_however_they_are_written(monkeypatch):
    class Licensed:
        def __init__(self, folder, *, any_licence=False):
            self.any_licence = any_licence

    monkeypatch.setattr(SourceChoice, "_constructor", lambda self: Licensed)
    for word, value in (("true", True), ("False", False), ("TRUE", True)):
        found = SourceChoice.parse(f"mine=x?any_licence={word}").open()
        assert found.any_licence is value


def test_kinds_can_be_chosen(tmp_path):
    source = SceneSource(length=4, kinds=(Instances, Depth))
    prepare_shards(source, tmp_path, settings=ShardSettings(samples_per_shard=4))
    assert set(SourceChoice.parse(f"shards={tmp_path}").open().kinds) == {Instances, Depth}
    assert SourceChoice.parse(f"shards={tmp_path}?kinds=depth").open().kinds == (Depth,)
    labelled = SourceChoice.parse(f"shards={tmp_path}?kinds=depth&labels=edges").open()
    assert set(labelled.kinds) == {Depth, Edges}
    both = SourceChoice.parse(f"shards={tmp_path}?kinds=depth,instances").open()
    assert set(both.kinds) == {Instances, Depth}


def test_labelled_shards_of_the_world_are_its_samples(tmp_path):
    source = SceneSource(length=4, kinds=(Depth,), name="world + canny")
    prepare_shards(source, tmp_path, settings=ShardSettings(samples_per_shard=4))
    assert samples(f"shards={tmp_path}") == samples("world")
