"""What is drawn after a query on a CUDA device is what is drawn on a CPU."""

import numpy as np
import pytest
import torch

from lavin_dit.pipeline.outlines import drawn_after, enlarged_after, measured_outlines

pytestmark = pytest.mark.gpu


def test_drawing_is_the_cpus() -> None:
    rows, cols = np.mgrid[:64, :96]
    disc = ((rows - 30) ** 2 + (cols - 50) ** 2 < 300)[None, ..., None]
    query = np.where(disc, [40, 160, 80], [200, 60, 40]).astype(np.uint8)
    target = np.where(disc, 255, [0, 0, 0]).astype(np.uint8)
    outlines = measured_outlines(query, target)
    assert outlines.share > 0
    painted = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    large = query.repeat(2, axis=1).repeat(2, axis=2)
    found = {}
    for device in ("cpu", "cuda"):
        drawn = drawn_after(painted.to(device), query, outlines=outlines)
        found[device] = drawn.cpu(), enlarged_after(drawn, large, outlines=outlines).cpu()
    for on_cpu, on_gpu in zip(*found.values(), strict=True):
        # Colours at the edge of a bin may fall to either side of it.
        assert (on_cpu - on_gpu).abs().mean() < 1e-4
        torch.testing.assert_close(on_gpu, on_cpu, atol=0.02, rtol=0)
