import dataclasses
import json
from collections import Counter
from itertools import groupby

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_flow_match_heun_discrete import FlowMatchHeunDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from PIL import Image

from lavin_dit.interop.diffusers import (
    JDiTModel,
    LavinDiTDiffusionPipeline,
    LavinDiTPipelineOutput,
    STVAEModel,
)
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.pipeline import LavinDiTPipeline
from lavin_dit.weights.defaults import PipelineDefaults
from random_networks import random_jdit, random_pipeline, random_st_vae

CLOSE = {"rtol": 0.0, "atol": 1e-5}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def quiet(pipe: LavinDiTDiffusionPipeline) -> LavinDiTDiffusionPipeline:
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def pipe(core) -> LavinDiTDiffusionPipeline:
    return quiet(LavinDiTDiffusionPipeline.from_core(core))


@pytest.fixture
def causal_pipe() -> LavinDiTDiffusionPipeline:
    return quiet(LavinDiTDiffusionPipeline.from_core(random_pipeline("causal")))


def latents_of(pipe, query, pairs, **settings) -> torch.Tensor:
    settings = {"generator": seeded(3), "output_type": "latent"} | settings
    return pipe(query, context=pairs, **settings).frames[0]


class TestResult:
    @pytest.mark.parametrize("guidance_scale", [1.0, 2.5])
    def test_is_the_cores(self, core, pipe, pairs, query, guidance_scale):
        expected = core(
            query, context=pairs, seed=3, guidance_scale=guidance_scale, num_steps=3, progress=False
        )
        found = latents_of(pipe, query, pairs, guidance_scale=guidance_scale, num_inference_steps=3)
        torch.testing.assert_close(found, expected.latent, **CLOSE)

    def test_comes_as_it_is_asked_for(self, core, pipe, pairs, query):
        expected = core(query, context=pairs, seed=3, progress=False)
        found = {
            kind: pipe(query, context=pairs, generator=seeded(3), output_type=kind)
            for kind in ("pil", "np", "pt")
        }
        assert all(isinstance(output, LavinDiTPipelineOutput) for output in found.values())
        image = found["pil"].frames[0][0]
        assert isinstance(image, Image.Image)
        assert image.size == (41, 30)
        np.testing.assert_allclose(np.asarray(image), np.asarray(expected.image), atol=1)
        assert found["np"].frames[0].shape == (1, 30, 41, 3)
        np.testing.assert_allclose(found["np"].frames[0], expected.array, atol=1e-4)
        torch.testing.assert_close(found["pt"].frames[0], expected.pixels, rtol=0, atol=1e-4)
        (frames,) = pipe(
            query, context=pairs, generator=seeded(3), output_type="pt", return_dict=False
        )
        torch.testing.assert_close(frames[0], found["pt"].frames[0], rtol=0, atol=0)

    def test_is_the_cores_for_clips(self, core, pipe, picture):
        pairs = [tuple(picture(16, 24, seed=seed, num_frames=5) for seed in (1, 2))]
        clip = picture(20, 17, seed=3, num_frames=4)
        size = {"height": 16, "width": 24}
        expected = core(clip, context=pairs, seed=3, progress=False, **size)
        found = pipe(clip, context=pairs, generator=seeded(3), output_type="pt", **size)
        assert found.frames[0].shape == (4, 3, 20, 17)
        torch.testing.assert_close(found.frames[0], expected.pixels, rtol=0, atol=1e-4)

    def test_of_a_batch_is_that_of_each_query(self, pipe, pairs, picture):
        queries = [picture(30, 41, seed=20), picture(50, 22, seed=21)]
        together = pipe(queries, context=pairs, generator=seeded(3), output_type="pt").frames
        assert [frames.shape for frames in together] == [(1, 3, 30, 41), (1, 3, 50, 22)]
        for query, frames in zip(queries, together, strict=True):
            alone = pipe(query, context=pairs, generator=seeded(3), output_type="pt").frames[0]
            torch.testing.assert_close(frames, alone, rtol=0, atol=1e-4)

    def test_of_clips_and_pictures_together_is_that_of_each(self, causal_pipe, pairs, picture):
        queries = [picture(16, 16, seed=1), picture(16, 16, seed=2, num_frames=5)]
        together = causal_pipe(queries, context=pairs, generator=seeded(3), output_type="pt").frames
        assert [len(frames) for frames in together] == [1, 5]
        alone = causal_pipe(
            queries[1], context=pairs, generator=seeded(3), output_type="pt"
        ).frames[0]
        torch.testing.assert_close(together[1], alone, rtol=0, atol=1e-4)
        assert causal_pipe([], context=pairs).frames == []

    def test_comes_from_the_generator(self, causal_pipe, pairs, query):
        generator = seeded(3)
        first = latents_of(causal_pipe, query, pairs, generator=generator)
        second = latents_of(causal_pipe, query, pairs, generator=generator)
        again = latents_of(causal_pipe, query, pairs, generator=seeded(3))
        assert not torch.equal(first, second)
        torch.testing.assert_close(again, first, rtol=0, atol=0)
        torch.testing.assert_close(
            latents_of(causal_pipe, query, pairs, generator=None),
            latents_of(causal_pipe, query, pairs, generator=seeded(0)),
            rtol=0,
            atol=0,
        )

    def test_is_the_cores_on_the_papers_grid(self, pairs, query):
        core = random_pipeline("causal")
        core.defaults = dataclasses.replace(core.defaults, grid="uniform", num_steps=3)
        pipe = quiet(LavinDiTDiffusionPipeline.from_core(core))
        expected = core(query, context=pairs, seed=3, progress=False)
        found = latents_of(pipe, query, pairs, num_inference_steps=3)
        torch.testing.assert_close(found, expected.latent, **CLOSE)
        assert pipe.defaults() == core.defaults

    def test_is_the_cores_where_posteriors_are_sampled(self, pairs, query):
        core = random_pipeline("causal")
        sampling = LavinDiTPipeline(
            st_vae=core.st_vae,
            jdit=core.jdit,
            defaults=PipelineDefaults(
                height=32,
                width=48,
                num_context_pairs=1,
                num_steps=1,
                guidance_scale=1.0,
                solver="heun",
                posterior="sample",
            ),
            device="cpu",
        )
        pipe = quiet(LavinDiTDiffusionPipeline.from_core(sampling))
        assert isinstance(pipe.scheduler, FlowMatchHeunDiscreteScheduler)
        expected = sampling(query, context=pairs, seed=3, solver="euler", progress=False)
        found = latents_of(pipe, query, pairs)
        torch.testing.assert_close(found, expected.latent, **CLOSE)

    @pytest.mark.parametrize(
        "scheduler",
        [
            FlowMatchHeunDiscreteScheduler(),
            UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
        ],
    )
    def test_of_other_schedulers_converges_to_the_same(self, causal_pipe, pairs, query, scheduler):
        exact = latents_of(causal_pipe, query, pairs, num_inference_steps=120)
        euler = latents_of(causal_pipe, query, pairs, num_inference_steps=12)
        causal_pipe.scheduler = scheduler
        found = latents_of(causal_pipe, query, pairs, num_inference_steps=12)
        assert (found - exact).norm() < 0.5 * (euler - exact).norm()


class TestContext:
    def test_a_causal_context_is_computed_once(self, causal_pipe, pairs, query):
        entries = Counter()
        causal_pipe.jdit.register_forward_pre_hook(
            lambda _module, _inputs, settings: entries.update([settings.get("entry", "forward")]),
            with_kwargs=True,
        )
        causal_pipe(query, context=pairs, num_inference_steps=4)
        # Pairs, query, null context; with guidance two velocities a step.
        assert entries == {"extend_context": 3, "denoise": 8}

    def test_a_task_is_compiled_once_and_shared_with_the_core(
        self, core, pipe, pairs, query, tmp_path
    ):
        task = pipe.compile_context(pairs)
        expected = latents_of(pipe, query, pairs)
        path = core.compile_context(pairs).save(tmp_path / "task.safetensors")
        for context in (task, CompiledTask.load(path), path):
            torch.testing.assert_close(latents_of(pipe, query, context), expected, **CLOSE)
        core_result = core(query, context=task, seed=3, progress=False)
        torch.testing.assert_close(core_result.latent, expected, **CLOSE)

    def test_a_task_compiled_with_an_adapter_needs_it(self, causal_pipe, pairs, query):
        from peft import LoraConfig

        causal_pipe.jdit.add_adapter(LoraConfig(r=2, target_modules=["cond_q"]))
        task = causal_pipe.compile_context(pairs)
        causal_pipe(query, context=task)
        causal_pipe.jdit.disable_adapters()
        with pytest.raises(ValueError, match="belongs to another model"):
            causal_pipe(query, context=task)

    def test_a_folder_gives_pairs_by_the_seed(self, core, pipe, picture, query, tmp_path):
        for index in range(5):
            for half in ("input", "target"):
                pixels = picture(32, 48, seed=index)
                Image.fromarray(pixels).save(tmp_path / f"{index}_{half}.png")
        for count in (None, 2):
            expected = core(
                query, context=tmp_path, num_context_pairs=count, seed=3, progress=False
            )
            found = latents_of(pipe, query, tmp_path, num_context_pairs=count)
            torch.testing.assert_close(found, expected.latent, **CLOSE)


class TestSaving:
    def test_comes_back_bit_for_bit(self, pipe, pairs, query, tmp_path):
        pipe.save_pretrained(tmp_path, max_shard_size="1MB")
        assert len(list((tmp_path / "st_vae").glob("*-of-*.safetensors"))) > 1
        again = quiet(LavinDiTDiffusionPipeline.from_pretrained(tmp_path))
        assert type(again.jdit) is JDiTModel
        assert type(again.st_vae) is STVAEModel
        for name in ("st_vae", "jdit"):
            state = getattr(again, name).state_dict()
            for key, tensor in getattr(pipe, name).state_dict().items():
                torch.testing.assert_close(state[key], tensor, rtol=0, atol=0)
        assert again.defaults() == pipe.defaults()
        expected = latents_of(pipe, query, pairs)
        torch.testing.assert_close(latents_of(again, query, pairs), expected, **CLOSE)
        index = json.loads((tmp_path / "model_index.json").read_text())
        assert index["jdit"] == ["lavin_dit.interop.diffusers.models", "JDiTModel"]

    def test_works_in_another_precision(self, causal_pipe, pairs, query, tmp_path):
        expected = latents_of(causal_pipe, query, pairs)
        causal_pipe.save_pretrained(tmp_path)
        half = quiet(LavinDiTDiffusionPipeline.from_pretrained(tmp_path, dtype=torch.bfloat16))
        assert (half.jdit.dtype, half.st_vae.dtype) == (torch.bfloat16, torch.bfloat16)
        found = latents_of(half, query, pairs)
        assert found.dtype == torch.float32
        assert (found - expected).norm() < 0.05 * expected.norm()

    def test_settings_are_kept(self, tmp_path):
        pipe = LavinDiTDiffusionPipeline(
            STVAEModel.from_core(random_st_vae()),
            JDiTModel.from_core(random_jdit()),
            FlowMatchHeunDiscreteScheduler(),
            height=64,
            num_inference_steps=7,
        )
        pipe.save_pretrained(tmp_path)
        again = LavinDiTDiffusionPipeline.from_pretrained(tmp_path)
        assert (again.config.height, again.config.num_inference_steps) == (64, 7)
        assert isinstance(again.scheduler, FlowMatchHeunDiscreteScheduler)

    def test_reads_what_the_core_wrote_and_the_other_way_round(
        self, core, checkpoint, pairs, query, tmp_path
    ):
        pipe = quiet(LavinDiTDiffusionPipeline.from_core_checkpoint(checkpoint))
        expected = core(query, context=pairs, seed=3, progress=False)
        torch.testing.assert_close(latents_of(pipe, query, pairs), expected.latent, **CLOSE)
        pipe.save_core_checkpoint(tmp_path / "back")
        back = LavinDiTPipeline.from_pretrained(tmp_path / "back", device="cpu")
        assert back.defaults == core.defaults
        assert back.networks.fingerprint() == core.networks.fingerprint()

    def test_every_setting_of_the_core_comes_back(self):
        core = random_pipeline()
        core.defaults = PipelineDefaults(
            height=32,
            width=48,
            num_context_pairs=3,
            num_steps=2,
            guidance_scale=1.25,
            solver="heun",
            posterior="mode",
            grid="uniform",
            num_samples=5,
            keep_detail=True,
            restoration_guidance_scale=1.75,
        )
        assert LavinDiTDiffusionPipeline.from_core(core).defaults("heun") == core.defaults

    def test_keeps_detail_as_the_core_does(self, core, query):
        core.defaults = dataclasses.replace(core.defaults, keep_detail=True)
        restored = [(query, query)]
        expected = core(query, context=restored, seed=3, progress=False)
        soft = core(query, context=restored, seed=3, progress=False, keep_detail=False)
        pipe = quiet(LavinDiTDiffusionPipeline.from_core(core))
        found = pipe(query, context=restored, generator=seeded(3), output_type="np").frames[0]
        np.testing.assert_allclose(found, expected.array, atol=1e-4)
        assert np.abs(expected.array - soft.array).max() > 0.01

    def test_shares_the_cores_weights(self, core, pipe):
        ours = [*pipe.jdit.parameters(), *pipe.st_vae.parameters()]
        cores = [*core.jdit.parameters(), *core.st_vae.parameters()]
        assert all(a is b for a, b in zip(ours, cores, strict=True))

    def test_what_the_core_lacks_is_refused(self, causal_pipe, tmp_path):
        causal_pipe.scheduler = UniPCMultistepScheduler()
        with pytest.raises(ValueError, match="UniPCMultistepScheduler has no counterpart"):
            causal_pipe.save_core_checkpoint(tmp_path)

    def test_what_diffusers_lacks_is_refused(self):
        core = random_pipeline()
        core.defaults = PipelineDefaults(
            height=32,
            width=48,
            num_context_pairs=1,
            num_steps=1,
            guidance_scale=1.0,
            solver="adams_bashforth",
            posterior="mode",
        )
        with pytest.raises(ValueError, match="pass a scheduler"):
            LavinDiTDiffusionPipeline.from_core(core)
        LavinDiTDiffusionPipeline.from_core(core, scheduler=FlowMatchHeunDiscreteScheduler())


class TestPlacing:
    def test_no_call_misses_its_weights_when_groups_live_on_disk(
        self, pipe, pairs, query, tmp_path
    ):
        expected = latents_of(pipe, query, pairs)
        pipe.enable_group_offload(
            onload_device=torch.device("cpu"),
            offload_device=torch.device("cpu"),
            num_blocks_per_group=2,
            offload_to_disk_path=str(tmp_path),
        )
        with torch.no_grad():
            for parameter in [*pipe.jdit.parameters(), *pipe.st_vae.parameters()]:
                parameter.fill_(torch.nan)  # what a hook does not load shows
        torch.testing.assert_close(latents_of(pipe, query, pairs), expected, **CLOSE)

    def test_networks_take_turns(self, causal_pipe, pairs, query):
        expected = latents_of(causal_pipe, query, pairs)
        causal_pipe.enable_model_cpu_offload(device="cpu")
        turns = []
        for name, hook in zip(("jdit", "st_vae"), causal_pipe._all_hooks, strict=True):
            note_calls(hook.hook, "pre_forward", turns, name)
        found = latents_of(causal_pipe, query, pairs, num_inference_steps=1, output_type="pt")
        assert [(name, len(list(calls))) for name, calls in groupby(turns)] == [
            ("st_vae", 4),  # two pairs
            ("jdit", 1),  # their keys and values
            ("st_vae", 1),  # the query
            ("jdit", 4),  # query, null context, two velocities
            ("st_vae", 1),  # the decoder
        ]
        assert causal_pipe._all_hooks[1].hook.prev_module_hook is causal_pipe._all_hooks[0]
        assert found.shape == (1, 3, 30, 41)
        torch.testing.assert_close(latents_of(causal_pipe, query, pairs), expected, **CLOSE)

    def test_leaf_by_leaf_is_refused(self, causal_pipe):
        with pytest.raises(NotImplementedError, match="enable_group_offload"):
            causal_pipe.enable_sequential_cpu_offload(device="cpu")
        with pytest.raises(ValueError, match="leaf_level"):
            causal_pipe.enable_group_offload(
                onload_device=torch.device("cpu"), offload_type="leaf_level"
            )

    def test_an_offloading_core_is_refused(self):
        core = random_pipeline()
        core.networks.offload = "model"
        with pytest.raises(ValueError, match="offload='none'"):
            LavinDiTDiffusionPipeline.from_core(core)


def note_calls(owner, method: str, log: list[str], message: str) -> None:
    original = getattr(owner, method)

    def wrapped(*inputs, **settings):
        log.append(message)
        return original(*inputs, **settings)

    setattr(owner, method, wrapped)


class TestCall:
    def test_calls_back_after_every_step(self, causal_pipe, pairs, query):
        seen = []

        def note(pipe, step, timestep, tensors):
            assert pipe is causal_pipe
            seen.append((step, timestep, tensors["latents"].clone()))
            return tensors

        found = latents_of(
            causal_pipe, query, pairs, num_inference_steps=3, callback_on_step_end=note
        )
        assert [step for step, *_ in seen] == [0, 1, 2]
        assert seen[-1][1] == 1.0
        torch.testing.assert_close(seen[-1][2][0], found, rtol=0, atol=0)

    def test_takes_the_state_that_a_callback_returns(self, causal_pipe, pairs, query):
        found = latents_of(
            causal_pipe,
            query,
            pairs,
            callback_on_step_end=lambda _pipe, _step, _time, tensors: {
                "latents": torch.zeros_like(tensors["latents"])
            },
        )
        assert not found.any()

    def test_takes_a_callback_that_returns_nothing(self, causal_pipe, pairs, query):
        latents_of(causal_pipe, query, pairs, callback_on_step_end=lambda *_: None)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"output_type": "jpeg"}, "output_type must be one of pil, np, pt, latent"),
            ({"guidance_scale": -1.0}, "guidance_scale"),
            ({"num_inference_steps": 0}, "num_steps must be at least 1"),
            ({"num_context_pairs": 2}, "draws from a folder"),
        ],
    )
    @pytest.mark.unchecked
    def test_says_what_is_wrong(self, causal_pipe, pairs, query, settings, message):
        with pytest.raises(ValueError, match=message):
            causal_pipe(query, context=pairs, **settings)

    def test_tiles_are_refused(self, pipe):
        large = np.zeros((70, 60, 3), np.uint8)
        with pytest.raises(ValueError, match="fit='tile' is not for the pipeline of diffusers"):
            pipe(large, context=[(large, large)], fit="tile")

    def test_networks_that_do_not_fit_are_refused(self, pairs, query):
        config = dataclasses.replace(random_jdit().config, latent_channels=4)
        jdit = JDiTModel.from_config(config)
        pipe = LavinDiTDiffusionPipeline(
            STVAEModel.from_core(random_st_vae()), jdit, FlowMatchHeunDiscreteScheduler()
        )
        with pytest.raises(ValueError, match="16 latent channels, the J-DiT 4"):
            pipe(query, context=pairs)
