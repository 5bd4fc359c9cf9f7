"""The model can be traced: no graph breaks, no control flow on values."""

import pytest
import torch
from torch import nn

pytestmark = pytest.mark.compile


class RoundTrip(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        latent = self.model.normalize(self.model.encode(clip).mode())
        return self.model.decode(self.model.denormalize(latent))


@pytest.mark.parametrize("num_frames", [1, 5])
def test_compile_without_graph_breaks(causal, new_clip, num_frames):
    clip, round_trip = new_clip(1, 3, num_frames, 16, 24), RoundTrip(causal)
    compiled = torch.compile(round_trip, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(clip), round_trip(clip), atol=1e-5, rtol=0)


@pytest.mark.parametrize("num_frames", [1, 5])
def test_export(causal, new_clip, num_frames):
    clip, round_trip = new_clip(1, 3, num_frames, 16, 24), RoundTrip(causal)
    exported = torch.export.export(round_trip, (clip,), strict=False).module()
    torch.testing.assert_close(exported(clip), round_trip(clip), atol=1e-5, rtol=0)
