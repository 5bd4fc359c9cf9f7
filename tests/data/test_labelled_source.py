"""Sources with pseudo labels, and labellers as users name them."""

import numpy as np
import pytest

from graph_files import write_answer
from lavin_dit.data.detections import BoxLabels, FrameBoxes
from lavin_dit.data.labelled_source import LabelledSource, labeller_from_words
from lavin_dit.data.pseudo_labels import CannyEdges, ForegroundLabels
from lavin_dit.data.source_choice import SourceChoice
from lavin_dit.datasets.source import Source, UnusableSampleError
from lavin_dit.vision.codecs.boxes import Boxes
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.edges import Edges
from lavin_dit.vision.codecs.keypoints import Keypoints
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.sample import Sample


class Plain:
    """Two pictures without annotations: a bright one, and a dark one."""

    name, split, kinds, skipped = "plain", "train", (), {"torn": 2}

    def __len__(self):
        return 2

    def __getitem__(self, index):
        pixels = np.full((1, 37, 53, 3), (200, 20)[index], dtype=np.uint8)
        return Sample(rgb=Rgb(pixels=pixels), annotations=(), name=f"p{index}")


def brightness(frame):
    return frame.mean(axis=-1, dtype=np.float32, keepdims=True) / 255


MASKS = ForegroundLabels(name="bright", function=brightness)
THINGS = BoxLabels(
    name="everywhere",
    function=lambda frame: FrameBoxes(
        corners_px=np.float32([[1, 2, 30, 40]]), classes=np.int32([3])
    ),
    class_names={3: "thing"},
)


def test_samples_are_labelled_or_refused():
    source = LabelledSource(Plain(), [THINGS, MASKS])
    assert isinstance(source, Source)
    assert (source.name, source.split) == ("plain + everywhere + bright", "train")
    assert (len(source), source.skipped) == (2, {"torn": 2})
    assert source.kinds == source[0].kinds == (Boxes, Mask)
    assert source.class_names == {3: "thing"}
    with pytest.raises(UnusableSampleError, match="bright: no foreground"):
        source[1]
    with pytest.raises(IndexError):
        LabelledSource(Plain(), [])[2]


def test_what_is_there_is_not_labelled_again():
    with pytest.raises(ValueError, match="has Boxes already"):
        LabelledSource(Plain(), [THINGS, THINGS])
    once = LabelledSource(Plain(), [THINGS])
    with pytest.raises(ValueError, match=r"plain \+ everywhere has Boxes already"):
        LabelledSource(once, [THINGS])
    named = Plain()
    named.class_names = {1: "ann"}
    with pytest.raises(ValueError, match="numbers its classes otherwise"):
        LabelledSource(named, [THINGS])


def test_labellers_are_named_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert labeller_from_words("edges") == CannyEdges()
    write_answer(tmp_path / "n.json", answer=np.zeros((1, 6, 56)))
    kinds = {"pose": Keypoints, "boxes": Boxes, "depth": Depth, "foreground": Mask}
    for name, kind in kinds.items():
        labeller = labeller_from_words(f"{name}=n.json")
        assert labeller.kind is kind
        assert "n.json" in labeller.name
    (tmp_path / "mine.py").write_text(
        "from lavin_dit.data.pseudo_labels import ForegroundLabels\n"
        "best = ForegroundLabels(name='mine', function=abs)\n"
        "number = 7\n"
    )
    assert labeller_from_words("mine.py:best").name == "mine"
    with pytest.raises(ValueError, match=r"number of mine\.py is no labeller"):
        labeller_from_words("mine.py:number")


@pytest.mark.parametrize(
    "words", ["colour", "pose", "pose=", "edges=n.onnx", "normals=n.onnx", "pose:n.json"]
)
def test_words_that_name_no_labeller(words):
    with pytest.raises(ValueError, match="labels are edges, boxes=FILE, depth=FILE, "):
        labeller_from_words(words)


@pytest.mark.parametrize("words", ["pose=gone.json", "gone.py:name"])
def test_files_that_are_not_there(words):
    with pytest.raises(FileNotFoundError, match="gone"):
        labeller_from_words(words)


def test_a_choice_of_source_names_labels():
    choice = SourceChoice.parse("world?length=3&labels=edges&size=64x96")
    assert (choice.settings, choice.labels) == (("length=3", "size=64x96"), ("edges",))
    source = choice.open(num_frames=1)
    assert source.kinds[-1] is Edges
    assert source.name.startswith("world + canny")
