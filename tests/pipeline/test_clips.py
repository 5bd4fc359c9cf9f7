import struct
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from lavin_dit.pipeline.clips import Clip, load_clip, most_pixels, save_clip


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_every_kind_of_source_gives_the_same_pixels(tmp_path: Path) -> None:
    pixels = picture(7, 11, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sources = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(pixels),
        pixels,
        pixels[None],
        pixels / 255.0,
        Clip(frames=pixels[None]),
    ]
    for source in sources:
        np.testing.assert_array_equal(load_clip(source).frames, pixels[None])


def test_grey_palette_transparent_and_sixteen_bit_images(tmp_path: Path) -> None:
    grey = picture(5, 9)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(load_clip(tmp_path / "grey.png").frames[0, ..., 2], grey)
    deep = (grey.astype(np.uint16) * 257)[..., None].squeeze()
    Image.fromarray(deep).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(load_clip(tmp_path / "deep.png").frames[0, ..., 0], grey)
    rgba = picture(5, 9, 4)
    np.testing.assert_array_equal(load_clip(Image.fromarray(rgba)).frames[0], rgba[..., :3])
    palette = Image.fromarray(grey).convert("P")
    palette.info["transparency"] = bytes(range(256))
    assert load_clip(palette).frames.shape == (1, 5, 9, 3)


def test_photos_are_turned_upright(tmp_path: Path) -> None:
    pixels = picture(4, 6, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(
        load_clip(tmp_path / "turned.png").frames[0], np.rot90(pixels, k=-1)
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_pillows_own(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(picture(4, 6, 3)).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(load_clip(path).frames[0], expected)


def test_odd_tags_beside_the_orientation_cost_nothing(tmp_path: Path) -> None:
    def tag(number: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack("<HHI", number, kind, count) + value

    width_as_text = tag(0x100, 2, 3, b"40\0\0")
    orientation = tag(0x112, 3, 1, b"\6\0\0\0")
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + width_as_text + orientation
    path = tmp_path / "odd.jpg"
    Image.new("RGB", (40, 30)).save(path, exif=exif + bytes(4))
    assert load_clip(path).size == (40, 30)


def test_of_an_animation_the_first_picture_is_taken_and_that_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [Image.new("RGB", (9, 7), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    clip = load_clip(tmp_path / "a.gif")
    assert clip.num_frames == 1
    assert tuple(clip.frames[0, 0, 0]) == (255, 0, 0)
    assert "a.gif: the first of its 3 pictures is taken" in caplog.text


def test_a_shorter_clip_leaves_no_frames_of_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "notes.png").write_bytes(b"mine")
    for length in (6, 3):
        save_clip(Clip(frames=picture(length, 6, 4, 3)), tmp_path / "clip")
    assert len(list((tmp_path / "clip").glob("0*.png"))) == 3
    assert (tmp_path / "clip" / "notes.png").is_file()


@pytest.mark.parametrize(("height", "matrix"), [(720, 1), (718, 5)])
def test_colours_of_videos_say_which_matrix_they_are_by(
    tmp_path: Path, height: int, matrix: int
) -> None:
    frames = np.full((1, height, 64, 3), (200, 30, 40), dtype=np.uint8)
    path = save_clip(Clip(frames=np.repeat(frames, 2, axis=0)), tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert frame.colorspace == matrix
        luma = frame.to_ndarray()[0, 0]
    weights = {1: (0.2126, 0.7152, 0.0722), 5: (0.299, 0.587, 0.114)}[matrix]
    assert luma == pytest.approx(16 + 219 / 255 * np.dot(weights, (200, 30, 40)), abs=1.5)
    assert np.abs(load_clip(path).frames.astype(int) - frames).max() <= 3


def test_an_hd_video_that_does_not_say_is_taken_for_bt709(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = 720, 64, "yuv420p"
        pixels = np.full((720, 64, 3), (200, 30, 40), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(stream.encode())
    assert np.abs(load_clip(path).frames[0].astype(int) - pixels).max() <= 3


def test_a_webm_is_written_and_read(tmp_path: Path) -> None:
    frames = np.repeat(picture(1, 4, 6, 3).repeat(8, axis=1).repeat(8, axis=2), 3, axis=0)
    clip = load_clip(save_clip(Clip(frames=frames, frames_per_second=10.0), tmp_path / "a.webm"))
    assert clip.num_frames == 3
    assert clip.frames_per_second == pytest.approx(10.0)
    assert np.abs(clip.frames.astype(int) - frames).mean() < 20


def test_a_folder_of_frames_is_a_clip(tmp_path: Path) -> None:
    frames = picture(3, 6, 4, 3)
    save_clip(Clip(frames=frames), tmp_path / "clip")
    assert sorted(path.name for path in (tmp_path / "clip").iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
    ]
    np.testing.assert_array_equal(load_clip(tmp_path / "clip").frames, frames)


@pytest.mark.parametrize("size", [(32, 48), (33, 47)])
def test_a_video_comes_back_nearly_as_it_was(tmp_path: Path, size: tuple[int, int]) -> None:
    rows, cols = np.mgrid[0 : size[0], 0 : size[1]]
    frames = np.stack(
        [np.stack([rows * 4 + 9 * t, cols * 3, rows + cols], axis=-1) for t in range(5)]
    ).astype(np.uint8)
    save_clip(Clip(frames=frames, frames_per_second=12.0), tmp_path / "clip.mp4")
    found = load_clip(tmp_path / "clip.mp4")
    assert found.frames_per_second == 12.0
    assert found.frames.shape == frames.shape
    assert np.abs(found.frames.astype(int) - frames).mean() < 4
    assert not list(tmp_path.glob(".*"))


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7072, 20000])
def test_enormous_images_are_refused_before_they_are_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(side, side))
    with pytest.raises(ValueError, match=r"bomb\.png: .*(megapixels, more than|too large)"):
        load_clip(tmp_path / "bomb.png")


def test_broken_images(tmp_path: Path) -> None:
    Image.fromarray(picture(64, 64, 3)).save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "clip.mp4").write_text("not a video")
    (tmp_path / "frames").mkdir()
    for name, message in {
        "cut.png": "unreadable image",
        "empty.png": "not an image",
        "text.jpg": "not an image",
        "clip.mp4": "unreadable video",
        "frames": "at least one frame",
    }.items():
        with pytest.raises(ValueError, match=message) as caught:
            load_clip(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_clip(tmp_path / "absent.png")


@pytest.mark.unchecked
@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (np.zeros((1, 9, 3), np.uint8), ValueError, "at least 2 pixels, got 1x9"),
        (np.zeros((0, 9, 3), np.uint8), ValueError, "at least 2 pixels, got 0x9"),
        (np.zeros((0, 9, 9, 3), np.uint8), ValueError, "at least one frame"),
        (np.zeros((9, 9, 4), np.uint8), ValueError, r"must be \(h, w\)"),
        (np.zeros((9, 9, 3), np.int64), ValueError, "got int64"),
        (np.full((9, 9, 3), 1.5), ValueError, r"in \[0, 1\]"),
        (np.full((9, 9, 3), np.nan), ValueError, "finite"),
        (17, TypeError, "got int"),
    ],
)
def test_sources_that_are_no_pictures(source: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_clip(source)


def test_a_longer_clip_is_not_squeezed_into_an_image(tmp_path: Path) -> None:
    clip = Clip(frames=picture(2, 8, 8, 3))
    with pytest.raises(ValueError, match="2 frames does not fit an image"):
        save_clip(clip, tmp_path / "clip.png")
    with pytest.raises(ValueError, match="unknown ending"):
        save_clip(clip, tmp_path / "clip.xyz")


def test_frames_of_different_sizes(tmp_path: Path) -> None:
    Image.fromarray(picture(8, 8, 3)).save(tmp_path / "0.png")
    Image.fromarray(picture(8, 9, 3)).save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"1\.png: the frames of a clip must have one size"):
        load_clip(tmp_path)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf")])
def test_the_largest_picture_has_a_size(size: float) -> None:
    with pytest.raises(ValueError, match="max_megapixels must be above 0"):
        most_pixels(size)


def test_a_video_of_a_phone_held_upright_is_upright(tmp_path: Path) -> None:
    frames = np.zeros((3, 32, 48, 3), dtype=np.uint8)
    frames[:, :8, :8] = 255  # a mark in the corner of what the camera stores
    path = save_clip(Clip(frames=frames), tmp_path / "clip.mp4")
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44
    quarter_turn = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 32 << 16, 0, 1 << 30)
    content[start : start + len(quarter_turn)] = quarter_turn
    path.write_bytes(content)
    found = load_clip(path).frames
    assert found.shape == (3, 48, 32, 3)
    assert found[:, :8, -8:].min() > 200
    assert found[:, 12:].max() < 60


@pytest.mark.parametrize("speed", [12.5, 29.97, 0.5])
def test_a_video_keeps_its_speed(tmp_path: Path, speed: float) -> None:
    frames = np.zeros((3, 32, 48, 3), dtype=np.uint8)
    path = save_clip(Clip(frames=frames, frames_per_second=speed), tmp_path / "clip.mp4")
    assert load_clip(path).frames_per_second == pytest.approx(speed)
