"""The CUDA path, in Numba's simulator: the same kernels, run as plain Python, pixel by pixel."""

import os
import subprocess
import sys

import numpy as np
import pytest

from lavin_dit.datasets.world.looks import Looks
from lavin_dit.datasets.world.packing import pack
from lavin_dit.datasets.world.physics import simulate
from lavin_dit.datasets.world.renderer import render
from lavin_dit.datasets.world.sampling import draw_scene
from lavin_dit.vision.geometry import Size

SIZE = Size(height=9, width=11)
SEED = 3

RENDER = f"""
import sys
import numpy as np
from lavin_dit.datasets.world.looks import Looks
from lavin_dit.datasets.world.packing import pack
from lavin_dit.datasets.world.physics import simulate
from lavin_dit.datasets.world.renderer import render
from lavin_dit.datasets.world.sampling import draw_scene
from lavin_dit.vision.geometry import Size

size = Size(height={SIZE.height}, width={SIZE.width})
spec = draw_scene(Looks(split="test"), np.random.default_rng({SEED}), num_frames=1)
rendering = render(
    pack(spec, simulate(spec), size=size), size=size, optics=spec.optics, device="cuda"
)
np.savez(sys.argv[1], rgb=rendering.rgb, **rendering.buffers._asdict())
"""


def test_cuda_sees_what_the_cpu_sees(tmp_path):
    path = tmp_path / "cuda.npz"
    environment = os.environ | {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"}
    subprocess.run(
        [sys.executable, "-c", RENDER, str(path)], env=environment, check=True, timeout=200
    )
    theirs = np.load(path)
    spec = draw_scene(Looks(split="test"), np.random.default_rng(SEED), num_frames=1)
    ours = render(pack(spec, simulate(spec), size=SIZE), size=SIZE, optics=spec.optics)
    buffers = ours.buffers
    np.testing.assert_array_equal(theirs["parts"], buffers.parts)
    np.testing.assert_array_equal(theirs["occlusion"], buffers.occlusion)
    np.testing.assert_allclose(theirs["depth"], buffers.depth, rtol=2e-5)
    np.testing.assert_allclose(theirs["normals"], buffers.normals, atol=2e-3)
    np.testing.assert_allclose(theirs["flow"], buffers.flow, atol=1e-3)
    difference = np.abs(theirs["rgb"].astype(int) - ours.rgb)
    assert np.mean(difference > 3) < 0.05  # a pattern's border may fall to either side


@pytest.mark.gpu
def test_a_gpu_sees_what_the_cpu_sees():
    size = Size(height=61, width=83)
    spec = draw_scene(Looks(split="train"), np.random.default_rng(1), num_frames=3)
    scene = pack(spec, simulate(spec), size=size)
    ours = render(scene, size=size, optics=spec.optics).buffers
    theirs = render(scene, size=size, optics=spec.optics, device="cuda").buffers
    assert np.mean(ours.parts != theirs.parts) < 1e-3
    same = ours.parts == theirs.parts
    np.testing.assert_allclose(theirs.depth[same], ours.depth[same], rtol=1e-4)
    np.testing.assert_allclose(theirs.flow[:, same], ours.flow[:, same], atol=5e-3)
