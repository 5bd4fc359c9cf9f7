"""Sampling with joint context against causal context whose keys and values are cached.

Both settings have equal shapes: the same network, pairs, size and number of steps, no guidance. The
query's own condition is computed inside the timed part, as it is for every query; the task's is
compiled before, once, and timed apart. So is the autoencoder, which both need alike.

Usage: ``python benchmarks/sampling.py --preset nano --size 256 --pairs 1 2 4 8``
"""

from argparse import ArgumentParser, Namespace
from dataclasses import replace

import torch

from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.pipeline.compiled_task import CompiledTask
from lavin_dit.pipeline.fitting import Canvas
from lavin_dit.pipeline.sampling import SamplingSettings, extend_context, sample_target
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.presets import ST_VAE_PRESETS
from record import record, time_side_by_side


def main() -> None:
    """Measure and record."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nano", choices=JDIT_PRESETS)
    parser.add_argument("--st-vae", default="nano", choices=ST_VAE_PRESETS)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--steps", type=int, default=19)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    with torch.no_grad():
        rows = [
            measure(arguments, num_pairs, device=device, dtype=dtype)
            for num_pairs in arguments.pairs
        ]
    record(
        f"sampling_{arguments.preset}", settings=vars(arguments) | {"dtype": str(dtype)}, rows=rows
    )


def measure(arguments: Namespace, num_pairs: int, *, device: str, dtype: torch.dtype) -> dict:
    """Time one query, its task's compilation and the autoencoder at one number of pairs."""
    networks = {
        setting: JDiT(replace(JDIT_PRESETS[arguments.preset], context_attention=setting))
        .to(device, dtype)
        .eval()
        for setting in ("joint", "causal")
    }
    side = arguments.size // 8
    latent = torch.randn(1, 16, 2 * num_pairs, side, side, device=device)
    query = torch.randn(1, 16, 1, side, side, device=device)
    noise = torch.randn(1, 16, 1, side, side, device=device)
    clip_frames = (1,) * (2 * num_pairs)

    def compile_task() -> CompiledTask:
        cache = extend_context(networks["causal"], None, latent, clip_frames=clip_frames)
        return task(cache)

    def task(cache: object) -> CompiledTask:
        return CompiledTask(
            latent=latent,
            clip_frames=clip_frames,
            cache=cache,
            canvas=Canvas(height=arguments.size, width=arguments.size),
            fit="pad",
            pair_names=tuple(map(str, range(num_pairs))),
            target_num_frames=None,
            model="benchmark",
        )

    tasks = {"joint": task(None), "causal": compile_task()}
    st_vae = STVAE(ST_VAE_PRESETS[arguments.st_vae]).to(device, dtype).eval()
    picture = torch.rand(1, 3, 1, arguments.size, arguments.size, device=device, dtype=dtype)

    def sample(setting: str, num_steps: int) -> torch.Tensor:
        return sample_target(
            networks[setting],
            tasks[setting],
            query_latent=query,
            noise=noise[None],
            settings=SamplingSettings(num_steps=num_steps, guidance_scale=1.0, solver="euler"),
        )

    times = time_side_by_side(
        {
            "joint": lambda: sample("joint", arguments.steps),
            "causal": lambda: sample("causal", arguments.steps),
            "joint step": lambda: sample("joint", 1),
            "causal step": lambda: sample("causal", 1),
            "compile": compile_task,
            "encode": lambda: st_vae.encode(picture).mode(),
            "decode": lambda: st_vae.decode(query.to(dtype)),
        },
        repeats=arguments.repeats,
    )
    median = {name: seconds["median_s"] for name, seconds in times.items()}
    return {
        "pairs": num_pairs,
        "joint_s": median["joint"],
        "causal_cached_s": median["causal"],
        "joint_over_causal": median["joint"] / median["causal"],
        "joint_one_step_s": median["joint step"],
        "causal_one_step_with_query_s": median["causal step"],
        "compile_task_s": median["compile"],
        "encode_query_s": median["encode"],
        "decode_target_s": median["decode"],
    }


if __name__ == "__main__":
    main()
