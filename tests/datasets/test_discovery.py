import subprocess
import sys

import pytest

from lavin_dit.datasets import discovery
from lavin_dit.datasets.discovery import class_name_of, source_class, source_names

PAPER = {
    "ade20k", "cityscapes", "coco", "imagenet", "kinetics", "kubric", "nyuv2", "objects365",
    "pascal5i", "ucf101",
}  # fmt: skip
SHARED = {"source", "layout", "discovery", "pictures", "coco_format", "tfrecord", "video_files"}


def test_all_data_sets_of_the_paper_are_found():
    assert set(source_names()) >= PAPER
    assert not SHARED & set(source_names())
    assert list(source_names()) == sorted(source_names())


@pytest.mark.parametrize("name", sorted(PAPER))
def test_names_lead_to_classes(name):
    found = source_class(name)
    assert found.name == name
    assert found.__name__ == class_name_of(name)
    assert found.__module__ == f"lavin_dit.datasets.{name}"


def test_unknown_name_lists_those_that_there_are():
    with pytest.raises(ValueError, match=r"no source 'ms_coco'; there are .*coco, .*pascal5i"):
        source_class("ms_coco")


def test_a_package_is_a_source_if_it_offers_the_class(tmp_path, monkeypatch):
    for name, code in {
        "big_buck/__init__.py": "from lavin_dit.datasets.big_buck.source import BigBuck",
        "tools/__init__.py": "from lavin_dit.datasets.big_buck.source import BigBuck",
        "renamed/__init__.py": "from lavin_dit.datasets.big_buck.source import BigBuck as Renamed",
        "small.py": "class Small: ...",
        "borrowed.py": "from lavin_dit.datasets.small import Borrowed",
        "no_code/data.txt": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    monkeypatch.setattr(discovery, "__file__", str(tmp_path / "discovery.py"))
    assert source_names() == ("big_buck", "renamed", "small")


def test_looking_for_sources_imports_none_of_them():
    code = (
        "import sys; from lavin_dit.datasets.discovery import source_names; source_names(); "
        "print(sorted(name for name in sys.modules if name.startswith('lavin_dit.datasets.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == ("['lavin_dit.datasets.discovery', 'lavin_dit.datasets.source']")


def test_sources_load_neither_torch_nor_optional_packages():
    modules = ", ".join(f"lavin_dit.datasets.{name}" for name in sorted(PAPER))
    heavy = {"torch", "cv2", "scipy", "h5py"}
    code = f"import sys, {modules}; print({heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
