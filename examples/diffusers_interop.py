"""LaVin-DiT through diffusers: one pipeline, its schedulers, saving, an adapter and offloading.

The networks here are tiny and random, so the pictures mean nothing; with a trained checkpoint the
program is the same. Run it with ``pip install 'lavin-dit[diffusers]'``:

    python examples/diffusers_interop.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FlowMatchHeunDiscreteScheduler,
)
from diffusers.utils import logging
from peft import LoraConfig

from lavin_dit import LavinDiTPipeline
from lavin_dit.interop.diffusers import LavinDiTDiffusionPipeline
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.weights.defaults import PipelineDefaults


def tiny_pipeline() -> LavinDiTPipeline:
    """Make a pipeline of the core's that answers at once, if nothing sensible."""
    generator = torch.Generator().manual_seed(0)
    st_vae = STVAE(
        STVAEConfig(
            block_out_channels=(32, 32, 32, 32),
            layers_per_block=1,
            latent_channels=16,
            encoder_norm_groups=8,
            decoder_norm_groups=8,
            norm_statistics="frame",
            latent_mean=(0.0,),
            latent_scale=(1.0,),
        )
    )
    jdit = JDiT(
        jdit_config(
            hidden_size=48,
            num_layers=2,
            num_heads=4,
            num_kv_heads=2,
            drop_path=0.0,
            context_attention="causal",
        )
    )
    for network in (st_vae, jdit):
        network.reset_parameters(generator)
    with torch.no_grad():  # a fresh network predicts no velocity at all
        for parameter in jdit.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    defaults = PipelineDefaults(
        height=32,
        width=48,
        num_context_pairs=4,
        num_steps=8,
        guidance_scale=1.5,
        solver="euler",
        posterior="mode",
    )
    return LavinDiTPipeline(st_vae=st_vae, jdit=jdit, defaults=defaults, device="cpu")


def picture(seed: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Draw a colourful pattern."""
    rows, cols = np.mgrid[0:height, 0:width] / 8
    rates = np.random.default_rng(seed).uniform(0.2, 2.0, size=(2, 3))
    waves = np.sin(rows[..., None] * rates[0] + cols[..., None] * rates[1])
    return np.uint8(127.5 + 127.5 * waves)


def predict(pipe: LavinDiTDiffusionPipeline, **settings: object) -> torch.Tensor:
    """Predict a latent from fixed noise."""
    generator = torch.Generator().manual_seed(3)
    pairs = [(picture(index), picture(10 + index)) for index in range(2)]
    query = picture(20, 30, 41)
    output = pipe(query, context=pairs, generator=generator, output_type="latent", **settings)
    return output.frames[0]


def main() -> None:
    """Show what diffusers' users know, one thing after another."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    core = tiny_pipeline()
    pairs = [(picture(index), picture(10 + index)) for index in range(2)]
    query = picture(20, 30, 41)
    settings = {"context": pairs, "seed": 3, "progress": False}
    expected = core(query, **settings).latent
    converged = core(query, **settings, solver="heun", num_steps=100).latent

    pipe = LavinDiTDiffusionPipeline.from_core(core)
    pipe.set_progress_bar_config(disable=True)
    image = pipe(query, context=pairs, generator=torch.Generator().manual_seed(3)).frames[0][0]
    print(f"a query of 41x30 pixels gives an image of {image.width}x{image.height}")
    plain = predict(pipe)
    print(f"largest difference to the core: {(plain - expected).abs().max():.1e}")

    for scheduler in (
        FlowMatchHeunDiscreteScheduler(),
        DPMSolverMultistepScheduler(
            solver_order=2, prediction_type="flow_prediction", use_flow_sigmas=True
        ),
        FlowMatchEulerDiscreteScheduler(),
    ):
        pipe.scheduler = scheduler
        distance = (predict(pipe, num_inference_steps=20) - converged).abs().max()
        print(f"{type(scheduler).__name__}, 20 steps: {distance:.1e} from the path's end")

    with tempfile.TemporaryDirectory() as folder:
        pipe.save_pretrained(folder, max_shard_size="1MB")
        shards = len(list(Path(folder).rglob("*.safetensors")))
        again = LavinDiTDiffusionPipeline.from_pretrained(folder)
        again.set_progress_bar_config(disable=True)
        distance = (predict(again) - plain).abs().max()
        print(f"saved in {shards} files and loaded again: {distance:.1e}")

        torch.manual_seed(0)  # peft draws from the global generator
        adapter = LoraConfig(r=4, target_modules=["cond_q", "x_q"], init_lora_weights=False)
        pipe.jdit.add_adapter(adapter)
        adapted = predict(pipe)
        print(f"with a LoRA adapter: {(adapted - plain).abs().max():.1e} away")
        pipe.jdit.save_lora_adapter(f"{folder}/lora")
        again.jdit.load_lora_adapter(f"{folder}/lora", prefix=None, use_safetensors=True)
        print(f"the adapter, saved and loaded: {(predict(again) - adapted).abs().max():.1e}")
        pipe.jdit.disable_adapters()
        print(f"the adapter switched off: {(predict(pipe) - plain).abs().max():.1e}")

        again.jdit.disable_adapters()
        again.enable_group_offload(
            onload_device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            offload_to_disk_path=f"{folder}/offload",
        )
        distance = (predict(again).cpu() - plain).abs().max()
        print(f"with weights that wait on disk: {distance:.1e}")


if __name__ == "__main__":
    main()
