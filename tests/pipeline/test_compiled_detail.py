import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lavin_dit import LavinDiTPipeline
from lavin_dit.pipeline.compiled_task import FORMAT_VERSION, CompiledTask
from pictures import picture
from random_networks import random_pipeline

QUIET: dict[str, Any] = {"progress": False}


def photos(count: int) -> list[np.ndarray]:
    return [picture(32, 48, seed=seed) for seed in range(count)]


def faded(photo: np.ndarray) -> np.ndarray:
    """A target that has half of its input's contrast."""
    return (photo // 2 + 60).astype(np.uint8)


def restoring_context() -> list[tuple[np.ndarray, np.ndarray]]:
    return [(photo, photo) for photo in photos(3)]


def keeping_pipeline() -> LavinDiTPipeline:
    pipeline = random_pipeline("causal")
    pipeline.defaults = replace(pipeline.defaults, keep_detail=True, num_steps=2)
    return pipeline


def test_a_compiled_task_knows_what_targets_keep(tmp_path: Path) -> None:
    pipeline, query = keeping_pipeline(), picture(32, 48, seed=9)
    pairs = [(photo, faded(photo)) for photo in photos(3)]
    task = pipeline.compile_context(pairs)
    loaded = CompiledTask.load(task.save(tmp_path / "task.safetensors"))
    assert loaded.detail is not None
    assert task.detail is not None
    assert (loaded.detail.fine, loaded.detail.coarse) == (task.detail.fine, task.detail.coarse)
    assert torch.equal(loaded.detail.changes.counts, task.detail.changes.counts)
    direct = pipeline(query, context=pairs, **QUIET)
    from_file = pipeline(query, context=loaded, **QUIET)
    assert direct.pixels is not None
    assert from_file.pixels is not None
    assert torch.equal(direct.pixels, from_file.pixels)
    begun = pipeline.compile_context(pairs[:2])
    appended = pipeline.append_pair(begun, pairs[2], name="2")
    assert appended.detail is not None
    assert appended.detail.fine.share == pytest.approx(task.detail.fine.share)
    assert appended.detail.coarse.share == pytest.approx(task.detail.coarse.share)
    torch.testing.assert_close(
        appended.detail.changes.counts, task.detail.changes.counts, atol=3, rtol=0
    )


def test_a_task_compiled_without_detail_stays_so() -> None:
    pipeline, query = keeping_pipeline(), picture(32, 48, seed=9)
    task = pipeline.compile_context(restoring_context(), keep_detail=False)
    assert task.detail is None
    assert pipeline.append_pair(task, restoring_context()[0], name="more").detail is None
    pipeline(query, context=task, **QUIET)
    with pytest.raises(ValueError, match="compile it again with keep_detail"):
        pipeline(query, context=task, keep_detail=True, **QUIET)


def test_what_was_compiled_with_detail_can_be_used_without() -> None:
    pipeline = keeping_pipeline()
    task = pipeline.compile_context(restoring_context())
    assert task.detail is not None
    assert pipeline.compile_context(task) is task
    assert pipeline.compile_context(task, keep_detail=False).detail is None
    pipeline.defaults = replace(pipeline.defaults, keep_detail=False)
    query = picture(32, 48, seed=9)
    own_choice, told = (
        pipeline(query, context=task, keep_detail=keep, **QUIET).pixels for keep in (None, True)
    )
    assert not torch.equal(own_choice, told)


def test_files_of_before_are_read_and_keep_what_they_know(tmp_path: Path) -> None:
    pipeline = keeping_pipeline()
    task = pipeline.compile_context(restoring_context())
    assert task.detail is not None
    paths = {version: tmp_path / f"{version}.safetensors" for version in range(1, FORMAT_VERSION)}
    for version, path in paths.items():
        rewritten(task.save(path), version=version)
    for version in (1, 2):
        assert CompiledTask.load(paths[version]).detail is None
    third = CompiledTask.load(paths[3]).detail
    assert third is not None
    assert (third.fine, third.coarse) == (task.detail.fine, task.detail.coarse)
    assert not third.changes.counts.any()
    fourth = CompiledTask.load(paths[4]).detail
    assert fourth is not None
    assert torch.equal(fourth.changes.counts, task.detail.changes.counts)
    assert fourth.outlines.num_frames == 0
    assert fourth.outlines.share == 0


def rewritten(path: Path, *, version: int) -> None:
    """Make a compiled task's file one of another version, without what that did not know."""
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["task"]) | {"version": version}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del header["detail"]["outlines"]
    tensors = {name: one for name, one in tensors.items() if not name.startswith("outlines.")}
    if version < 4:
        del tensors["changes"]
        del header["detail"]["colour_square"]
    if version == 1:
        del header["detail"]
    save_file(tensors, path, metadata={"task": json.dumps(header)})


@pytest.mark.parametrize("lost", ["changes", "outlines.counts"])
def test_a_file_that_lost_a_tensor_is_refused(lost: str, tmp_path: Path) -> None:
    path = keeping_pipeline().compile_context(restoring_context()).save(tmp_path / "task")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del tensors[lost]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ValueError, match=f"the compiled task lacks '{lost}'"):
        CompiledTask.load(path)


@pytest.mark.parametrize("lost", ["spread", "change", "num_frames"])
def test_a_header_that_lost_a_number_is_refused(lost: str, tmp_path: Path) -> None:
    path = keeping_pipeline().compile_context(restoring_context()).save(tmp_path / "task")
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["task"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del header["detail"]["outlines"][lost]
    save_file(tensors, path, metadata={"task": json.dumps(header)})
    with pytest.raises(ValueError, match=f"the compiled task lacks '{lost}'"):
        CompiledTask.load(path)
