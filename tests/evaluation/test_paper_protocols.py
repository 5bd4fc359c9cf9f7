"""The paper's protocols on tiny trees of the real layouts."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavin_dit.evaluation.evaluate import Run, Settings
from lavin_dit.evaluation.library import Library, MissingDataError
from lavin_dit.evaluation.protocol import discover_protocols, find_protocol
from lavin_dit.vision.geometry import Size

SIZE = Size(height=48, width=64)
PAPER = [p.name for p in discover_protocols().values() if not p.is_offline]


class Copying:
    """Gives the first example's target."""

    name = "model"

    def predict(self, questions):
        return [question.targets[0] for question in questions]


def save(path: Path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG")


def write_imagenet(root, rng):
    for number in range(1, 6):
        name = f"ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_{number:08d}.JPEG"
        save(root / name, rng.integers(0, 256, (50 + number, 60, 3), dtype=np.uint8))


def write_nyuv2(root, rng):
    h5py = pytest.importorskip("h5py")
    savemat = pytest.importorskip("scipy.io").savemat
    root.mkdir(parents=True)
    across = np.linspace(0, 1, 640, dtype=np.float32)
    depth = np.stack(
        [2 + number + (1 + number) * across + np.zeros((480, 1)) for number in range(6)]
    )
    depth = depth.astype(np.float32)
    raw = depth.copy()
    raw[:, ::3] = 0
    raw[:, 200:202] = 11.0  # beyond what counts
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"] = rng.integers(0, 256, (6, 3, 640, 480), dtype=np.uint8)
        file["depths"] = depth.transpose(0, 2, 1)
        file["rawDepths"] = raw.transpose(0, 2, 1)
    numbers = {"trainNdxs": np.array([[1], [2], [3], [5]]), "testNdxs": np.array([[4], [6]])}
    savemat(root / "splits.mat", numbers)


def write_pascal(root, rng):
    base = root / "VOCdevkit/VOC2012"
    names = []
    for fold in range(4):
        for number in range(3):
            name, label = f"2008_{100 * fold + number:06d}", 5 * fold + 1 + number // 3
            names.append(name)
            save(
                base / f"JPEGImages/{name}.jpg", rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
            )
            mask = np.zeros((90, 120), np.uint8)
            mask[10:50, 5 + 9 * number : 60 + 9 * number] = label
            save(base / f"SegmentationClassAug/{name}.png", mask)
            left = 5 + 9 * number
            box = f"<xmin>{left + 1}</xmin><ymin>11</ymin><xmax>{left + 30}</xmax><ymax>50</ymax>"
            from lavin_dit.datasets.pascal5i import CLASS_NAMES

            text = (
                "<annotation><size><width>120</width><height>90</height></size><object>"
                f"<name>{CLASS_NAMES[label - 1]}</name><bndbox>{box}</bndbox></object></annotation>"
            )
            (base / "Annotations").mkdir(exist_ok=True)
            (base / f"Annotations/{name}.xml").write_text(text)
    (base / "ImageSets/Segmentation").mkdir(parents=True)
    (base / "ImageSets/Segmentation/val.txt").write_text("\n".join(names) + "\n")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    write_imagenet(folder / "imagenet", rng)
    write_nyuv2(folder / "nyuv2", rng)
    write_pascal(folder / "pascal", rng)
    return folder


def run(data, tmp_path, predictor=None, **settings):
    return Run(
        library=Library(folder=data, split="test", size=SIZE),
        output=tmp_path,
        settings=Settings(num_pairs=2, **settings),
        predictor=predictor,
    )


def test_all_ten_are_there():
    tasks = {name.split("-")[1] for name in PAPER}
    assert tasks == {
        "colorization", "inpainting", "deraining", "motion_deblurring", "depth_estimation",
        "surface_normal_estimation", "depth_to_image", "normal_to_image",
        "single_object_detection", "foreground_segmentation",
    }  # fmt: skip
    assert len(PAPER) == 8 + 2 * 4  # two of them have four folds


@pytest.mark.parametrize("name", PAPER)
def test_every_protocol_runs_and_the_painted_truth_is_right(name, data, tmp_path):
    protocol = find_protocol(name)
    outcome = run(data, tmp_path, Copying(), num_queries=2).evaluate(protocol)
    totals = {who: own[protocol.primary].value for who, own in outcome.totals.items()}
    assert np.isfinite(list(totals.values())).all()
    assert len(outcome.scored["model"]) == 2
    perfect = {"iou": 0.95, "box_miou": 0.9}  # stretched to fewer pixels, borders move
    if protocol.primary in perfect:
        assert totals["painted truth"] >= perfect[protocol.primary]
    elif protocol.primary == "abs_rel_lstsq":
        assert totals["painted truth"] < 0.01
    elif protocol.primary == "mean_deg":
        assert totals["painted truth"] < 3


def test_depth_is_compared_at_full_size_inside_the_crop(data, tmp_path):
    cases, _ = run(data, tmp_path).cases(find_protocol("nyuv2-depth_estimation"))
    first = next(iter(cases))
    assert first.episode.query_name == "000003"  # MATLAB's number 4
    assert set(first.episode.context_names) <= {"000000", "000001", "000002", "000004"}
    assert first.whole_sample().shape.size == Size(height=480, width=640)


def test_examples_of_pascal_are_of_the_query_s_class(data, tmp_path):
    cases, _ = run(data, tmp_path, num_queries=5).cases(
        find_protocol("pascal5i-foreground_segmentation-2")
    )
    asked = list(cases)
    assert {case.group for case in asked} == {"bus"}
    names = [case.episode.query_name for case in asked]
    assert len(set(names[:3])) == 3
    assert names[3:] == names[:2]  # and begins again
    for case in asked:
        assert case.episode.query_name not in case.episode.context_names


def test_data_that_are_not_there_are_asked_for(tmp_path):
    for folder, words in ((None, "--data"), (tmp_path, "imagenet")):
        with pytest.raises(MissingDataError, match=words):
            run(folder, tmp_path).evaluate(find_protocol("imagenet-deraining"))
