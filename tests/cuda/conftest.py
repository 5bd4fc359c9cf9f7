"""What the tests of a CUDA device share: the device, exact float32, and how far off is too far."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def gpu() -> Iterator[torch.device]:
    """The device; products and convolutions of float32 are float32's, not TensorFloat-32's."""
    places = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = "ieee"
    yield torch.device("cuda")
    for place, precision in zip(places, before, strict=True):
        place.fp32_precision = precision


@pytest.fixture
def assert_near():
    """Compare with what a CPU computed, by the largest value there."""

    def compare(found: torch.Tensor, expected: torch.Tensor, share: float) -> None:
        assert found.dtype == expected.dtype
        atol = share * max(1.0, expected.abs().max().item())
        torch.testing.assert_close(found.cpu(), expected, atol=atol, rtol=0)

    return compare
