from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from lavin_dit import LavinDiTPipeline
from lavin_dit.jdit.config import ContextAttention
from lavin_dit.pipeline.clips import Clip, load_clip
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.sampling import AVERAGED_TASKS, RESTORATION_TASKS
from lavin_dit.pipeline.seeds import derived_seed
from lavin_dit.vision.task import discover_tasks
from pictures import picture
from random_networks import random_pipeline

BOTH = pytest.mark.parametrize("setting", ["joint", "causal"])
QUIET = {"progress": False}


def assert_same(found: object, expected: object, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found.pixels, expected.pixels, atol=tolerance, rtol=0)


@BOTH
@pytest.mark.parametrize("size", [(33, 70), (20, 9), (64, 96), (2, 3)])
def test_the_result_has_the_querys_size(
    setting: ContextAttention, size: tuple[int, int], pairs_folder: Path
) -> None:
    query = picture(*size, seed=1)
    prediction = random_pipeline(setting)(query, context=pairs_folder, **QUIET)
    assert prediction.image.size == (size[1], size[0])
    assert prediction.array.shape == (1, *size, 3)
    assert len(prediction.pair_names) == 3


@BOTH
def test_context_as_folder_list_task_and_file_is_one_and_the_same(
    setting: ContextAttention, pairs_folder: Path, tmp_path: Path
) -> None:
    pipe, query = random_pipeline(setting), picture(40, 40, seed=1)
    folder = pipe(query, context=pairs_folder, num_context_pairs=4, **QUIET)
    listed = [
        (pairs_folder / f"p{i}_input.png", load_clip(pairs_folder / f"p{i}_target.png"))
        for i in range(4)
    ]
    assert_same(pipe(query, context=listed, **QUIET), folder)
    task = pipe.compile_context(pairs_folder, num_context_pairs=4)
    assert_same(pipe(query, context=task, **QUIET), folder)
    path = task.save(tmp_path / "tasks" / "my.safetensors")
    assert_same(pipe(query, context=path, **QUIET), folder, tolerance=0)
    assert_same(random_pipeline(setting)(query, context=str(path), **QUIET), folder, tolerance=0)


@BOTH
def test_appending_pairs_equals_compiling_them_together(
    setting: ContextAttention, pairs_folder: Path
) -> None:
    pipe = random_pipeline(setting)
    together = pipe.compile_context(pairs_folder, num_context_pairs=4)
    task = pipe.compile_context([(pairs_folder / "p0_input.png", pairs_folder / "p0_target.png")])
    for i in range(1, 4):
        pair = (pairs_folder / f"p{i}_input.png", pairs_folder / f"p{i}_target.png")
        task = pipe.append_pair(task, pair, name=f"p{i}")
    assert task.pair_names == ("0", "p1", "p2", "p3")
    torch.testing.assert_close(task.latent, together.latent, atol=1e-5, rtol=0)
    query = picture(31, 50, seed=4)
    assert_same(pipe(query, context=task, **QUIET), pipe(query, context=together, **QUIET))


@BOTH
def test_a_prediction_does_not_depend_on_its_neighbours(
    setting: ContextAttention, pairs_folder: Path
) -> None:
    pipe = random_pipeline(setting)
    queries = [picture(30, 40, seed=1), picture(50, 20, seed=2), picture(9, 9, seed=3)]
    together = pipe(queries, context=pairs_folder, batch_size=3, **QUIET)
    one_by_one = pipe(queries, context=pairs_folder, batch_size=1, **QUIET)
    for query, batched, single in zip(queries, together, one_by_one, strict=True):
        assert_same(batched, single)
        assert_same(pipe(query, context=pairs_folder, **QUIET), single)


def test_the_seed_decides_and_nothing_else(pairs_folder: Path) -> None:
    pipe, query = random_pipeline(), picture(40, 40, seed=1)
    context = pipe.compile_context(pairs_folder)
    first = pipe(query, context=context, seed=1, **QUIET)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002 - the point is that it does nothing
    assert_same(pipe(query, context=context, seed=1, **QUIET), first, tolerance=0)
    other = pipe(query, context=context, seed=2, **QUIET)
    assert (other.pixels - first.pixels).abs().max() > 0.01


@BOTH
@pytest.mark.parametrize("fit", ["pad", "tile"])
def test_several_answers_are_averaged(
    setting: ContextAttention, fit: Literal["pad", "tile"], pairs_folder: Path
) -> None:
    """The mean of samples has the mean of their latents, and the first starts from the seed."""
    pipe, query = random_pipeline(setting), picture(70, 60, seed=1)
    call = {"context": pipe.compile_context(pairs_folder, fit=fit), "seed": 3, **QUIET}
    mean, one = (pipe(query, num_samples=count, **call) for count in (3, 1))
    assert_same(one, pipe(query, **call), tolerance=0)
    further = [derived_seed(3, "further sample", index=index) for index in (1, 2)]
    samples = [one, *(pipe(query, **{**call, "seed": seed}) for seed in further)]
    expected = torch.stack([sample.latent for sample in samples]).mean(0)
    torch.testing.assert_close(mean.latent, expected, atol=1e-5, rtol=0)
    assert (mean.latent - one.latent).abs().max() > 1e-2


@BOTH
def test_samples_of_neighbours_are_kept_apart(
    setting: ContextAttention, pairs_folder: Path
) -> None:
    pipe = random_pipeline(setting)
    queries = [picture(40, 40, seed=seed) for seed in (1, 2, 3)]
    call = {"context": pairs_folder, "num_samples": 2, "seed": 3, **QUIET}
    together = list(pipe.stream(queries, batch_size=3, **call))
    for query, found in zip(queries, together, strict=True):
        torch.testing.assert_close(found.latent, pipe(query, **call).latent, atol=1e-5, rtol=0)


def test_tasks_that_gain_by_it_are_averaged_by_themselves() -> None:
    pipe, query = random_pipeline(), picture(40, 40, seed=1)
    pipe.defaults = replace(pipe.defaults, num_samples=2)
    context = [(query, picture(40, 40, seed=2))]

    def latent(**settings: Any) -> torch.Tensor:
        return pipe(query, context=context, fit="pad", **settings, **QUIET).latent

    one, two = latent(num_samples=1), latent(num_samples=2)
    assert (two - one).abs().max() > 1e-2
    for task, expected in (("depth_estimation", two), ("panoptic_segmentation", one), (None, two)):
        torch.testing.assert_close(latent(task=task), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(latent(task="deraining", num_samples=1), one, atol=1e-5, rtol=0)
    assert set(discover_tasks()) > AVERAGED_TASKS


def test_restorations_have_guidance_of_their_own() -> None:
    pipe, query = random_pipeline(), picture(40, 40, seed=1)
    pipe.defaults = replace(pipe.defaults, guidance_scale=3.0, restoration_guidance_scale=1.5)
    context = [(query, picture(40, 40, seed=2))]

    def latent(**settings: Any) -> torch.Tensor:
        return pipe(query, context=context, fit="pad", num_samples=1, **settings, **QUIET).latent

    weak, strong = latent(guidance_scale=1.5), latent(guidance_scale=3.0)
    assert (weak - strong).abs().max() > 1e-2
    for task, expected in (("deraining", weak), ("depth_estimation", strong), (None, strong)):
        torch.testing.assert_close(latent(task=task), expected, atol=1e-5, rtol=0)
    told = latent(task="deraining", guidance_scale=3.0)
    torch.testing.assert_close(told, strong, atol=1e-5, rtol=0)
    pipe.defaults = replace(pipe.defaults, restoration_guidance_scale=None)
    torch.testing.assert_close(latent(task="deraining"), strong, atol=1e-5, rtol=0)
    assert set(discover_tasks()) > RESTORATION_TASKS


@BOTH
def test_context_and_query_both_matter(setting: ContextAttention, pairs_folder: Path) -> None:
    pipe, query = random_pipeline(setting), picture(40, 40, seed=1)
    first = pipe(query, context=pairs_folder, **QUIET)
    other_context = [(picture(40, 40, seed=7), picture(40, 40, seed=8))]
    for changed in (
        pipe(query, context=other_context, **QUIET),
        pipe(picture(40, 40, seed=9), context=pairs_folder, **QUIET),
        pipe(query, context=pairs_folder, guidance_scale=1.0, **QUIET),
        pipe(query, context=pairs_folder, num_steps=5, **QUIET),
        pipe(query, context=pairs_folder, solver="heun", **QUIET),
        pipe(query, context=pairs_folder, grid="uniform", **QUIET),
        pipe(query, context=pairs_folder, fit="stretch", **QUIET),
        pipe(query, context=pairs_folder, height=48, **QUIET),
    ):
        assert (changed.pixels - first.pixels).abs().max() > 1e-3


@BOTH
def test_clips(setting: ContextAttention, tmp_path: Path) -> None:
    """Queries of 3 frames, answered with 3; a target longer than its input sets the length."""
    pipe = random_pipeline(setting)
    clip = np.stack([picture(30, 44, seed=seed) for seed in range(3)])
    prediction = pipe(
        Clip(frames=clip, frames_per_second=10.0, name="walk"), context=[(clip, clip)], **QUIET
    )
    assert prediction.clip.frames.shape == clip.shape
    assert prediction.latent.shape[1] == 2
    assert prediction.save(tmp_path / "walk.mp4").exists()
    with pytest.raises(ValueError, match="a clip of 3 frames"):
        _ = prediction.image
    longer = np.concatenate([clip, clip, clip])
    future = pipe(clip[0], context=[(clip[:1], longer)], **QUIET)
    assert future.clip.num_frames == 9
    mixed = pipe([clip[0], clip, clip[1]], context=[(clip, clip)], batch_size=2, **QUIET)
    assert [p.clip.num_frames for p in mixed] == [1, 3, 1]


def test_targets_of_another_length_than_the_tasks() -> None:
    pipe = random_pipeline()
    clip = np.stack([picture(32, 48, seed=seed) for seed in range(5)])
    task = pipe.compile_context([(clip[:1], clip)])
    with pytest.raises(ValueError, match="as many frames as inputs in the new pair, but targets"):
        pipe.append_pair(task, (clip, clip), name="other")
    with pytest.raises(ValueError, match="got targets of 1, 5 frames"):
        pipe.compile_context([(clip[:1], clip), (clip, clip[:1])])


def test_only_the_latent(pairs_folder: Path) -> None:
    prediction = random_pipeline()(
        picture(9, 9, seed=1), context=pairs_folder, output_type="latent", **QUIET
    )
    assert prediction.latent.shape == (16, 1, 4, 6)
    with pytest.raises(ValueError, match="only the latent"):
        _ = prediction.image


@BOTH
def test_saved_and_loaded_pipelines_agree(
    setting: ContextAttention, pairs_folder: Path, tmp_path: Path
) -> None:
    pipe, query = random_pipeline(setting), picture(40, 40, seed=1)
    expected = pipe(query, context=pairs_folder, **QUIET)
    pipe.save_pretrained(tmp_path / "saved", max_shard_bytes=100_000)
    assert len(list((tmp_path / "saved" / "jdit").glob("*.safetensors"))) > 1
    loaded = LavinDiTPipeline.from_pretrained(tmp_path / "saved", device="cpu")
    assert loaded.defaults == pipe.defaults
    assert_same(loaded(query, context=pairs_folder, **QUIET), expected)


@BOTH
@pytest.mark.parametrize("offload", ["model", "block"])
def test_offloading_changes_no_number(
    setting: ContextAttention, offload: str, pairs_folder: Path, tmp_path: Path
) -> None:
    pipe, query = random_pipeline(setting), picture(40, 40, seed=1)
    pipe.save_pretrained(tmp_path / "saved")
    offloaded = LavinDiTPipeline.from_pretrained(tmp_path / "saved", device="cpu", offload=offload)
    assert_same(
        offloaded(query, context=pairs_folder, **QUIET),
        pipe(query, context=pairs_folder, **QUIET),
    )


def test_block_offloading_moves_one_block_at_a_time() -> None:
    """The meta device stands in for an accelerator: parameters there are moved, the rest is not."""
    from lavin_dit.pipeline.devices import resident

    jdit = random_pipeline().jdit
    placed: list[set[int]] = []

    def look(_module: object, _inputs: object) -> None:
        placed.append(
            {index for index, block in enumerate(jdit.blocks) if next(block.parameters()).is_meta}
        )

    meta = torch.device("meta")
    with resident(jdit, device=meta, offload="block"):
        for block in jdit.blocks:
            block.register_forward_pre_hook(look)
        velocity = jdit(
            torch.zeros(1, 16, 1, 4, 6, device=meta),
            torch.zeros(1, device=meta),
            torch.zeros(1, 16, 3, 4, 6, device=meta),
        )
    assert velocity.is_meta
    assert placed == [{0}, {1}]
    assert all(not parameter.is_meta for parameter in jdit.parameters())


def test_bfloat16_runs_and_stays_near(pairs_folder: Path) -> None:
    query = picture(40, 40, seed=1)
    exact = random_pipeline("causal")(query, context=pairs_folder, **QUIET)
    rounded = random_pipeline("causal").to(dtype=torch.bfloat16)(
        query, context=pairs_folder, **QUIET
    )
    assert (rounded.pixels - exact.pixels).abs().mean() < 0.03


def test_tiled_autoencoding_runs_and_stays_near(pairs_folder: Path) -> None:
    pipe, query = random_pipeline(), picture(40, 40, seed=1)
    whole = pipe(query, context=pairs_folder, **QUIET)
    pipe.networks.tile_px = 512
    assert_same(pipe(query, context=pairs_folder, **QUIET), whole, tolerance=0)
    pipe.networks.tile_px = 16
    tiled = pipe(query, context=pairs_folder, **QUIET)
    assert tiled.pixels.shape == whole.pixels.shape


def test_posterior_samples_are_drawn_from_the_seed(pairs_folder: Path) -> None:
    pipe, query = random_pipeline(), picture(40, 40, seed=1)
    mode = pipe(query, context=pairs_folder, **QUIET)
    pipe.networks.posterior = "sample"
    sampled = pipe(query, context=pairs_folder, **QUIET)
    assert_same(pipe(query, context=pairs_folder, **QUIET), sampled, tolerance=0)
    assert (sampled.pixels - mode.pixels).abs().max() > 1e-3
    others = [picture(33, 20, seed=2), query]
    assert_same(pipe(others, context=pairs_folder, batch_size=2, **QUIET)[1], sampled)


def test_every_clip_has_posterior_noise_of_its_own() -> None:
    pipe = random_pipeline()
    pipe.networks.posterior = "sample"
    same = picture(32, 48, seed=1)
    task = pipe.compile_context([(same, same)])
    appended = pipe.append_pair(task, (same, same), name="again")
    together = pipe.compile_context([(same, same), (same, same)])
    torch.testing.assert_close(appended.latent, together.latent)
    frames = together.latent[0].unbind(1)
    for index, frame in enumerate(frames):
        for other in frames[index + 1 :]:
            assert (frame - other).abs().max() > 1e-3


@pytest.mark.compile
@BOTH
def test_a_compiled_pipeline_agrees(setting: ContextAttention, pairs_folder: Path) -> None:
    query = picture(40, 40, seed=1)
    expected = random_pipeline(setting)(query, context=pairs_folder, **QUIET)
    compiled = random_pipeline(setting).compile(backend="eager", fullgraph=True)
    assert_same(compiled(query, context=pairs_folder, **QUIET), expected)


def test_presets_can_be_built(tmp_path: Path) -> None:
    pipe = LavinDiTPipeline.from_preset("nano", st_vae="nano", seed=3, device="cpu")
    again = LavinDiTPipeline.from_preset("nano", st_vae="nano", seed=3, device="cpu")
    assert pipe.networks.fingerprint() == again.networks.fingerprint()
    with pytest.raises(ValueError, match=r"unknown J-DiT preset '7b'; there are nano, 0\.1b"):
        LavinDiTPipeline.from_preset("7b", st_vae="nano", seed=0)


def test_a_task_of_another_model_canvas_or_fit(pairs_folder: Path, tmp_path: Path) -> None:
    pipe, query = random_pipeline("causal"), picture(40, 40, seed=1)
    path = pipe.compile_context(pairs_folder).save(tmp_path / "task.safetensors")
    with pytest.raises(ValueError, match="belongs to another model"):
        random_pipeline("joint")(query, context=path, **QUIET)
    with torch.no_grad():
        pipe.jdit.prompt_embed.mul_(2)
    with pytest.raises(ValueError, match="belongs to another model"):
        pipe(query, context=path, **QUIET)
    other_norm = random_pipeline("causal")
    other_norm.jdit.config = replace(other_norm.jdit.config, sandwich_norm=False)
    with pytest.raises(ValueError, match="belongs to another model"):
        other_norm(query, context=path, **QUIET)
    pipe = random_pipeline("causal")
    with pytest.raises(ValueError, match="built at 32x48 with fit 'pad', but 64x48"):
        pipe(query, context=path, height=64, **QUIET)
    with pytest.raises(ValueError, match="with fit 'stretch' is asked for"):
        pipe(query, context=path, fit="stretch", **QUIET)
    with pytest.raises(ValueError, match="num_context_pairs draws from a folder"):
        pipe(query, context=path, num_context_pairs=2, **QUIET)


def test_damaged_compiled_tasks(pairs_folder: Path, tmp_path: Path) -> None:
    task = random_pipeline("causal").compile_context(pairs_folder)
    path = task.save(tmp_path / "task.safetensors")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        CompiledTask.load(path)
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="not a compiled task"):
        CompiledTask.load(path)
    with pytest.raises(FileNotFoundError, match="no such compiled task"):
        CompiledTask.load(tmp_path / "absent.safetensors")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"guidance_scale": -1.0}, "guidance_scale must be a finite number of at least 0, got -1"),
        ({"solver": "rk45"}, "solver must be one of euler, heun, adams_bashforth, got 'rk45'"),
        ({"grid": "cosine"}, "grid must be one of linear_quadratic, uniform, got 'cosine'"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"height": 0}, "height and width must be at least 1, got 0x48"),
        ({"num_context_pairs": 0}, "num_context_pairs must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range(
    settings: dict[str, object], message: str, pairs_folder: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        random_pipeline()(picture(9, 9, seed=0), context=pairs_folder, **settings, **QUIET)


def test_devices_that_are_not_there() -> None:
    if torch.cuda.is_available():
        with pytest.raises(ValueError, match="but there are"):
            random_pipeline().to("cuda:99")
    else:
        with pytest.raises(ValueError, match="there is no CUDA device; use 'cpu'"):
            random_pipeline().to("cuda")
    with pytest.raises(ValueError, match="unknown device 'gpu'"):
        random_pipeline().to("gpu")
    with pytest.raises(ValueError, match="device meta is none that is supported"):
        random_pipeline().to("meta")


def test_a_field_of_a_configuration_that_came_later_changes_no_fingerprint() -> None:
    networks = random_pipeline().networks
    before_there_was_a_patch_step = "bcc97e7b-"
    assert networks.fingerprint().startswith(before_there_was_a_patch_step)
    networks.jdit.config = replace(networks.jdit.config, rope_patch_step=0.5)
    assert not networks.fingerprint().startswith(before_there_was_a_patch_step)
