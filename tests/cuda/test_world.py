"""The renderer's CUDA kernels see what the CPU's see.

The scene, of 68 parts and with people, and what a CPU sees of it are stored in ``world.npz``, so
that neither physics nor the CPU's kernels are needed here. It is made anew by ``PYTHONPATH=tests
python tests/cuda/test_world.py``.
"""

from pathlib import Path

import numpy as np
import pytest

from lavin_dit.datasets.world.arrays import Buffers, SceneArrays, empty_buffers
from lavin_dit.datasets.world.tiling import list_objects
from lavin_dit.vision.geometry import Size

pytest.importorskip("numba")

STORED = Path(__file__).with_name("world.npz")
SIZE = Size(height=41, width=59)
NUM_FRAMES = 2
NUM_EDGE_SAMPLES = 2


def stored():
    """The scene, and what was seen of it."""
    tensors = np.load(STORED)
    scene = SceneArrays(*(tensors[f"scene.{name}"] for name in SceneArrays._fields))
    return scene, Buffers(*(tensors[name] for name in Buffers._fields))


def rendered(scene, device):
    buffers = empty_buffers(NUM_FRAMES, SIZE.height, SIZE.width)
    tiles = list_objects(scene, size=SIZE)
    if device == "cuda":
        from lavin_dit.datasets.world.kernels.cuda import render_frames

        render_frames(scene, tiles, buffers, NUM_EDGE_SAMPLES)
    else:
        from lavin_dit.datasets.world.kernels.cpu import render_frames

        edges = np.zeros((SIZE.height, SIZE.width), dtype=np.bool_)
        render_frames(scene, tiles, buffers, edges, NUM_EDGE_SAMPLES)
    return buffers


def assert_same(found, expected, *, other):
    """Compare two renderings; ``other`` is the share of pixels that may fall to either side."""
    assert (found.parts != expected.parts).mean() <= other
    same = found.parts == expected.parts
    assert (found.occlusion[:, same] != expected.occlusion[:, same]).mean() <= other
    np.testing.assert_allclose(found.depth[same], expected.depth[same], rtol=1e-4)
    np.testing.assert_allclose(found.flow[:, same], expected.flow[:, same], atol=5e-3)
    apart = np.abs(found.normals - expected.normals).max(axis=-1)[same]
    assert (apart > 2e-3).mean() <= other
    brightness = np.maximum(expected.radiance.max(axis=-1), 1e-2)
    apart = np.abs(found.radiance - expected.radiance).max(axis=-1) / brightness
    assert (apart > 0.02).mean() <= 10 * other  # the border of a pattern moves by a hair


def test_what_is_stored_is_what_a_cpu_sees():
    scene, expected = stored()
    assert len(np.unique(expected.parts)) > 20
    assert_same(rendered(scene, "cpu"), expected, other=1e-3)


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore")  # so small a picture does not fill a GPU, Numba warns
def test_a_gpu_sees_what_a_cpu_sees():
    cuda = pytest.importorskip("numba.cuda")
    if not cuda.is_available():
        pytest.skip("Numba finds no CUDA device")
    scene, expected = stored()
    assert_same(rendered(scene, "cuda"), expected, other=2e-3)


def remake():
    from lavin_dit.datasets.world.looks import Looks
    from lavin_dit.datasets.world.packing import pack
    from lavin_dit.datasets.world.physics import simulate
    from lavin_dit.datasets.world.sampling import draw_scene

    looks = Looks(split="train")
    spec = draw_scene(looks, np.random.default_rng(1), num_frames=NUM_FRAMES)
    scene = pack(spec, simulate(spec), size=SIZE).arrays
    named = {f"scene.{name}": array for name, array in scene._asdict().items()}
    np.savez_compressed(STORED, **named, **rendered(scene, "cpu")._asdict())


if __name__ == "__main__":
    remake()
