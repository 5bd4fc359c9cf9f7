import sys

import numpy as np
import pytest
from PIL import Image

from lavin_dit.datasets.layout import LayoutError
from lavin_dit.datasets.nyuv2 import EIGEN_CROP, Nyuv2
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.codecs.normals import Normals
from lavin_dit.vision.geometry import ClipShape, Size

h5py = pytest.importorskip("h5py", reason="the extra data is not installed")
savemat = pytest.importorskip("scipy.io", reason="the extra data is not installed").savemat

HEIGHT, WIDTH, NUMBER = 36, 48, 4


def arrays():
    """As MATLAB sees them: rows, columns, channels, pictures."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (HEIGHT, WIDTH, 3, NUMBER), dtype=np.uint8)
    down = np.arange(HEIGHT)[:, None, None] * 0.002
    right = np.arange(WIDTH)[None, :, None] * 0.003
    filled = (2 + np.arange(NUMBER) + down + right).astype(np.float32)
    raw = filled.copy()
    raw[3, 5] = 0
    raw[4, 6] = np.nan
    return images, filled, raw


@pytest.fixture
def root(tmp_path):
    images, filled, raw = arrays()
    with h5py.File(tmp_path / "nyu_depth_v2_labeled.mat", "w") as file:
        # MATLAB stores its first axis fastest: HDF5 has all axes in reverse order.
        file["images"] = images.transpose(3, 2, 1, 0)
        file["depths"] = filled.transpose(2, 1, 0)
        file["rawDepths"] = raw.transpose(2, 1, 0)
    splits = {"trainNdxs": np.array([[2], [4]]), "testNdxs": np.array([[3], [1]])}
    savemat(tmp_path / "splits.mat", splits)
    return tmp_path


def test_pictures_and_measured_depth(root):
    images, _, raw = arrays()
    source = Nyuv2(root)
    assert len(source) == 2
    sample = source[1]
    assert sample.name == "000002"  # number 3 of MATLAB's
    assert sample.shape == ClipShape(num_frames=1, height=HEIGHT, width=WIDTH)
    np.testing.assert_array_equal(sample.rgb.pixels[0], images[..., 2])
    depth = sample[Depth]
    holes = ~depth.valid[0]
    assert {tuple(place) for place in np.argwhere(holes).tolist()} == {(3, 5), (4, 6)}
    np.testing.assert_array_equal(depth.metres[depth.valid], raw[..., 2][~holes])


def test_filled_depth_and_other_splits(root):
    assert Nyuv2(root, depth="filled")[0][Depth].valid.all()
    assert [Nyuv2(root, split="train")[index].name for index in (0, 1)] == ["000001", "000003"]
    assert len(Nyuv2(root, split="all")) == 4


def test_computed_normals_face_the_camera(root):
    normals = Nyuv2(root, kinds=(Normals,))[0][Normals]
    assert normals.valid[0, 10:-10, 10:-10].all()
    assert not normals.valid[0, 0].any()
    # Farther to the right, as a corridor's left wall: it faces right. Farther downward, as a
    # ceiling: it faces down.
    right, up, toward = normals.vectors[0, HEIGHT // 2, WIDTH // 2]
    assert right > 0.5
    assert up < -0.3
    assert toward > 0.3


def slope_normals(root):
    """What the normals of the scene are, from points and differences."""
    focal, centre = (518.85790, 519.46961), (325.08244, 253.23616)
    depth = arrays()[1][..., 0].astype(float)
    x = (np.arange(WIDTH) + 0.5 - centre[0]) / focal[0] * depth
    y = (np.arange(HEIGHT) + 0.5 - centre[1])[:, None] / focal[1] * depth
    points = np.stack([x, -y, -depth], axis=-1)
    across = np.gradient(points, axis=1)
    upward = -np.gradient(points, axis=0)
    vectors = np.cross(across, upward)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_computed_normals_are_those_of_the_points(root):
    normals = Nyuv2(root, kinds=(Normals,))[0][Normals]
    inside = normals.valid[0]
    cosine = np.sum(slope_normals(root)[inside] * normals.vectors[0][inside], axis=-1)
    assert np.degrees(np.arccos(cosine.min())) < 2


def publish(root, vectors):
    folder = root / "normals"
    folder.mkdir(exist_ok=True)
    levels = np.rint((vectors + 1) * 127.5).astype(np.uint8)
    levels[0, :3] = 0
    for number in (0, 2):
        Image.fromarray(levels).save(folder / f"{number:06d}_normal.png")
    return folder


def test_published_normals(root):
    ours = slope_normals(root)
    folder = publish(root, ours * [-1, 1, 1])
    normals = Nyuv2(root, kinds=(Depth, Normals), normals=folder)[0][Normals]
    assert not normals.valid[0, 0, :3].any()
    assert normals.valid.sum() == HEIGHT * WIDTH - 3
    np.testing.assert_allclose(normals.vectors[0, 1:], ours[1:], atol=0.01)


@pytest.mark.parametrize("signs", [(-1, -1, 1), (-1, 1, -1), (1, -1, -1)])
def test_published_normals_of_other_axes_are_refused(root, signs):
    folder = publish(root, slope_normals(root) * signs)
    best = tuple(np.array(signs) * [-1, 1, 1])
    with pytest.raises(ValueError, match="does not fit the depth") as caught:
        Nyuv2(root, kinds=(Normals,), normals=folder)
    assert f"with signs {tuple(int(sign) for sign in best)}" in str(caught.value)


def test_eigen_crop():
    EIGEN_CROP.check_inside(Size(height=480, width=640))
    assert (EIGEN_CROP.top + EIGEN_CROP.height, EIGEN_CROP.left + EIGEN_CROP.width) == (471, 601)


def test_depth_that_is_nowhere_valid_is_refused(root):
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "r+") as file:
        file["rawDepths"][0] = np.nan
    with pytest.raises(UnusableSampleError, match="depth is nowhere valid"):
        Nyuv2(root)[0]


def test_broken_files_are_refused(root):
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "r+") as file:
        del file["rawDepths"]
    source = Nyuv2(root)
    with pytest.raises(UnusableSampleError, match="rawDepths cannot be read"):
        source[0]
    (root / "nyu_depth_v2_labeled.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(UnusableSampleError, match="images cannot be read"):
        source[0]


def test_missing_files_and_packages_are_named(root, monkeypatch, tmp_path):
    with pytest.raises(LayoutError, match=r"000000_normal.png does not exist"):
        Nyuv2(root, kinds=(Normals,), normals=tmp_path / "nowhere")
    (root / "splits.mat").unlink()
    with pytest.raises(LayoutError, match=r"splits.mat does not exist"):
        Nyuv2(root)
    monkeypatch.setattr("lavin_dit.datasets.nyuv2.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs h5py: pip install 'lavin-dit\[data\]'"):
        Nyuv2(root)


def test_importing_the_source_needs_no_extra():
    assert "lavin_dit.datasets.nyuv2" in sys.modules
    source = sys.modules["lavin_dit.datasets.nyuv2"]
    assert not hasattr(source, "h5py")
