import numpy as np
import pytest

from lavin_dit.datasets.kinetics import Kinetics
from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.datasets.ucf101 import Ucf101
from lavin_dit.datasets.video_files import ClipCut, read_clip
from lavin_dit.vision.geometry import ClipShape


@pytest.fixture
def ucf101(tmp_path, write_video):
    videos = tmp_path / "UCF-101"
    for name, frames in (("Archery/v_Archery_g01_c01", 20), ("Biking/v_Biking_g02_c03", 9)):
        write_video(videos / f"{name}.avi", frames=frames)
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text(
        "Archery/v_Archery_g01_c01.avi 3\r\nBiking/v_Biking_g02_c03.avi 11\r\n"
        "Biking/v_Biking_g09_c09.avi 11\r\n"
    )
    (lists / "testlist02.txt").write_text("Biking/v_Biking_g02_c03.avi\n")
    return tmp_path


def test_middle_clip_of_each_listed_video(ucf101, frame_numbers):
    source = Ucf101(ucf101, cut=ClipCut(num_frames=5))
    assert len(source) == 2
    sample = source[0]
    assert sample.name == "Archery/v_Archery_g01_c01.avi#0"
    assert sample.shape == ClipShape(num_frames=5, height=48, width=80)
    assert frame_numbers(sample.rgb) == [7, 8, 9, 10, 11]
    assert frame_numbers(source[1].rgb) == [2, 3, 4, 5, 6]
    assert source.skipped == {"video is missing": 1}
    assert len(Ucf101(ucf101, split="test", fold=2)) == 1


def test_several_clips_with_steps(ucf101, frame_numbers):
    source = Ucf101(ucf101, cut=ClipCut(num_frames=3, frame_step=4, clips_per_video=3))
    assert len(source) == 6
    numbers = [frame_numbers(source[index].rgb) for index in (0, 1, 2, 3, 5)]
    # Frame 0 to 8 is the only one that fits into the second video.
    assert numbers == [[0, 4, 8], [6, 10, 14], [11, 15, 19], [0, 4, 8], [0, 4, 8]]
    assert source[2].name == "Archery/v_Archery_g01_c01.avi#2"


def test_video_shorter_than_the_clip_is_refused(ucf101):
    source = Ucf101(ucf101, cut=ClipCut(num_frames=10))
    assert source[0].shape.num_frames == 10
    with pytest.raises(UnusableSampleError, match="video has fewer than 10 frames") as caught:
        source[1]
    assert caught.value.name == "Biking/v_Biking_g02_c03.avi#0"
    with pytest.raises(UnusableSampleError, match="video has fewer than 11 frames"):
        Ucf101(ucf101, cut=ClipCut(num_frames=6, frame_step=2))[1]


@pytest.mark.parametrize("claimed", [0, 5, 90])
def test_number_of_frames_in_the_header_may_be_wrong(ucf101, monkeypatch, claimed, frame_numbers):
    monkeypatch.setattr("lavin_dit.datasets.video_files._frames_in_header", lambda path: claimed)
    path = ucf101 / "UCF-101/Archery/v_Archery_g01_c01.avi"
    cut = ClipCut(num_frames=5, clips_per_video=2)
    last = read_clip(path, cut, clip=1, name="x")
    assert frame_numbers(last) == ([0, 1, 2, 3, 4] if claimed == 5 else [15, 16, 17, 18, 19])


def test_corrupt_video_is_refused(ucf101):
    (ucf101 / "UCF-101/Archery/v_Archery_g01_c01.avi").write_bytes(b"RIFF nothing")
    with pytest.raises(UnusableSampleError, match="video cannot be decoded"):
        Ucf101(ucf101)[0]


def test_video_that_vanishes_is_refused(ucf101):
    source = Ucf101(ucf101)
    (ucf101 / "UCF-101/Archery/v_Archery_g01_c01.avi").unlink()
    with pytest.raises(UnusableSampleError, match="video is missing"):
        source[0]


def test_wrong_settings_are_refused(ucf101):
    with pytest.raises(ValueError, match="folds 1, 2 and 3, got 4"):
        Ucf101(ucf101, fold=4)
    with pytest.raises(ValueError, match="at least 1"):
        ClipCut(num_frames=0)
    with pytest.raises(LayoutError, match=r"ucfTrainTestlist/trainlist02.txt does not exist"):
        Ucf101(ucf101, fold=2)


@pytest.fixture(params=["", "abseiling/"])
def kinetics(request, tmp_path, write_video):
    name = "-0A8fqWGz7A_000032_000042.mp4"
    write_video(tmp_path / f"train/{request.param}{name}", frames=8, height=32, width=56)
    write_video(tmp_path / f"train/{request.param}not_listed_000001_000011.mp4", frames=3)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/train.csv").write_text(
        "label,youtube_id,time_start,time_end,split\n"
        "abseiling,-0A8fqWGz7A,32,42,train\nzumba,gone_from_yt,5,15,train\n"
    )
    return tmp_path


def test_kinetics_list_decides(kinetics, frame_numbers):
    source = Kinetics(kinetics, cut=ClipCut(num_frames=5))
    assert len(source) == 1
    sample = source[0]
    assert sample.name.endswith("-0A8fqWGz7A_000032_000042.mp4#0")
    assert sample.shape == ClipShape(num_frames=5, height=32, width=56)
    assert frame_numbers(sample.rgb) == [1, 2, 3, 4, 5]
    assert source.skipped == {"video is missing": 1}


def test_kinetics_missing_parts_are_named(kinetics):
    with pytest.raises(LayoutError, match="val does not exist"):
        Kinetics(kinetics, split="val")
    (kinetics / "val").mkdir()
    with pytest.raises(LayoutError, match=r"annotations/val.csv or .*val.csv"):
        Kinetics(kinetics, split="val")
    (kinetics / "val.csv").write_text("label,youtube_id,time_start,time_end,split\na,b,1,2,val\n")
    with pytest.raises(LayoutError, match="none of the 1 listed videos"):
        Kinetics(kinetics, split="val")


def test_default_clip_is_thirteen_frames(ucf101):
    pixels = Ucf101(ucf101)[0].rgb.pixels
    assert pixels.shape == (13, 48, 80, 3)
    assert np.ptp(pixels.mean(axis=(1, 2, 3))) > 50
