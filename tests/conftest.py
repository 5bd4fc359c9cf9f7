from pathlib import Path

import pytest
import torch
from PIL import Image

from pictures import picture

# Tests run side by side, and threads of several torches on few cores wait for one another.
torch.set_num_threads(1)


@pytest.fixture
def pairs_folder(tmp_path: Path) -> Path:
    """Four pairs of different sizes."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for index, (height, width) in enumerate([(37, 50), (64, 31), (20, 20), (33, 70)]):
        for half in ("input", "target"):
            pixels = picture(height, width, seed=10 * index + len(half))
            Image.fromarray(pixels).save(folder / f"p{index}_{half}.png")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
