"""Latents held by the device are those of the files."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lavin_dit.training.latent_storage import (
    CachedEntry,
    LatentFiles,
    Members,
    ResidentLatents,
    open_latents,
)

CPU = torch.device("cpu")
NUM_PAIRS = 4


@pytest.fixture
def folder(tmp_path):
    """Two entries of images, one of clips; the last chunk of each is shorter."""
    entries = []
    generator = torch.Generator().manual_seed(0)
    for number, (shape, lengths) in enumerate((((1, 1), (3, 2)), ((1, 2), (2,)), ((1, 1), (3, 1)))):
        chunks = tuple(f"{number}-{chunk}.safetensors" for chunk in range(len(lengths)))
        for chunk, length in zip(chunks, lengths, strict=True):
            tensors = {
                part: torch.randn(length, NUM_PAIRS, 2, frames, 2, 6, generator=generator).half()
                for part, frames in zip(("inputs", "targets"), shape, strict=True)
            }
            save_file(tensors, tmp_path / chunk)
        entries.append(
            CachedEntry(
                task=f"task {number}",
                source="source",
                weight=1.0,
                shape=shape,
                chunks=chunks,
                num_episodes=sum(lengths),
            )
        )
    return tmp_path, entries


@pytest.mark.parametrize(
    "places", [[(0, 4), (2, 0), (2, 3), (0, 0)], [(1, 1), (1, 0)]], ids=["images", "clips"]
)
def test_a_gather_equals_the_files(folder, places):
    path, entries = folder
    random = np.random.default_rng(0)
    wanted = [Members(*place, random.permutation(NUM_PAIRS)[:3]) for place in places]
    files = LatentFiles(path, entries, device=CPU)
    resident = ResidentLatents(path, entries, device=CPU)
    for found, expected in zip(resident.read(wanted), files.read(wanted), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, atol=0.0, rtol=0.0)
    assert resident.picture_size(places[0][0]) == files.picture_size(places[0][0]) == (2, 6)


def test_a_cpu_reads_files_as_they_are_used(folder):
    assert isinstance(open_latents(*folder, device=CPU), LatentFiles)
