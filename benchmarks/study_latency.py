"""Latency over resolution: our network in three ways, and an autoregressive one (paper, Fig. 6).

All answer one query with 8 pairs, with random weights, side by side in one run. Timed is what the
transformer does from the condition to the target's latent or tokens; the autoencoders, ST-VAE here
and a VQGAN there, are left out on both sides.

- joint: every step goes through the whole condition, as in the paper
- causal: the condition once, then the target alone at every step
- compiled task: the same with the pairs' keys and values computed before, as for a second query
- autoregressive: a decoder of Llama's shapes with a key-value cache, which reads the same pictures
  as tokens of 16 x 16 pixels (256 for 256 x 256, as in LVM) and writes the target token by token

On a GPU, small kernels are over sooner than Python launches the next. So what is done over and over
on little data is also recorded as a CUDA graph and replayed: the query's way into the cache, a
denoising step, and the decoder's step. The column ``launch`` tells which rows did so. A way that
has used ``--seconds`` is not repeated; ``repeats`` tells how often it was measured.

Usage: ``python benchmarks/study_latency.py --threads 1``, or on a GPU with 80 GB ``--shapes real
--sizes 256 512``, of which the result file is written after each size. Matplotlib comes with the
extra ``eval``.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter, process_time

import torch
from torch import Tensor, nn

from autoregressive import Decoder, DecoderShapes
from figures import Line, draw_panels
from lavin_dit.flow.solvers import SOLVERS
from lavin_dit.flow.timesteps import linear_quadratic_grid
from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from record import record, time_side_by_side
from replay import replayed_or_eager

PAIRS = 8
CODES = 8192  # LVM's vocabulary
LLAMA = {
    # As many parameters as our nano, and as the paper's baseline.
    "nano": DecoderShapes(vocabulary=CODES, hidden=256, layers=6, heads=4, inner=704),
    "real": DecoderShapes(vocabulary=CODES, hidden=4096, layers=32, heads=32, inner=11008),
}
PRESET = {"nano": "nano", "real": "3.4b"}
# A way to answer takes how many steps to make or tokens to write; None for all.
Way = Callable[[int | None], object]


def main() -> None:
    """Measure, record and draw."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", default="nano", choices=LLAMA)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each way and size")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    networks = both_networks(PRESET[arguments.shapes], device, dtype)
    decoder = at_random(lambda: Decoder(LLAMA[arguments.shapes]), device, dtype)
    name = f"latency_{arguments.shapes}_{device.type}"
    settings = vars(arguments) | {
        "dtype": str(dtype),
        "pairs": PAIRS,
        "jdit_parameters": sum(p.numel() for p in networks["joint"].parameters()),
        "llama_parameters": sum(p.numel() for p in decoder.parameters()),
    }
    rows: list[dict] = []
    with torch.no_grad():
        for size in arguments.sizes:
            rows += measure(arguments, size, networks=networks, decoder=decoder)
            if device.type == "cuda":
                settings["peak_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 1)
            record(name, settings=settings, rows=rows)
    draw(name, rows, title=f"seconds a query, {PAIRS} pairs, {arguments.shapes} shapes, {device}")


def both_networks(preset: str, device: torch.device, dtype: torch.dtype) -> dict[str, JDiT]:
    """Our network with both settings of the context, which share their weights."""
    joint, causal = (
        partial(JDiT, replace(JDIT_PRESETS[preset], context_attention=setting))
        for setting in ("joint", "causal")
    )
    networks = {"joint": at_random(joint, device, dtype)}
    with torch.device("meta"):
        networks["causal"] = causal().eval()
    networks["causal"].load_state_dict(networks["joint"].state_dict(), assign=True)
    return networks


def at_random(make: Callable[[], nn.Module], device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Make a network on a device, with random matrices and vectors of ones."""
    with torch.device("meta"):
        network = make().to(dtype)
    network = network.to_empty(device=device).eval()
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.02, generator=generator)
            else:
                parameter.fill_(1.0)
    return network


def measure(
    arguments: Namespace, size: int, *, networks: dict[str, JDiT], decoder: Decoder
) -> list[dict]:
    """Time all ways at one resolution."""
    device = decoder.lm_head.weight.device
    generator = torch.Generator(device).manual_seed(size)
    side = size // 8
    context, query, noise = (
        torch.randn(1, 16, frames, side, side, device=device, generator=generator)
        for frames in (2 * PAIRS, 1, 1)
    )
    ways = {
        ("joint", "eager"): joint_way(networks["joint"], arguments.steps, context, query, noise),
        **causal_ways(networks["causal"], arguments.steps, context, query, noise),
        **autoregressive_ways(decoder, size),
    }
    # On one thread of a CPU, its own seconds are what it takes on a machine that is free.
    alone = device.type == "cpu" and arguments.threads == 1
    times = time_side_by_side(
        {way: partial(run, None) for way, run in ways.items()},
        warmups={way: partial(run, 2) for way, run in ways.items()},
        repeats=arguments.repeats,
        limit_s=arguments.seconds,
        clock=process_time if alone else perf_counter,
    )
    return [
        {"size_px": size, "way": way, "launch": launch, **seconds}
        for (way, launch), seconds in times.items()
    ]


def joint_way(model: JDiT, steps: int, context: Tensor, query: Tensor, noise: Tensor) -> Way:
    """Everything at every step."""

    def answer(some: int | None) -> object:
        condition = torch.cat([context, query], dim=2)
        return sample(
            lambda state, timestep: model(state, timestep, condition), noise, some or steps
        )

    return answer


def causal_ways(
    model: JDiT, steps: int, context: Tensor, query: Tensor, noise: Tensor
) -> dict[tuple[str, str], Way]:
    """From all clips, and from the query when the pairs are known; also replayed if that works."""
    condition = torch.cat([context, query], dim=2)
    task = model.extend_context(None, context)

    def from_clips(some: int | None) -> object:
        cache = model.extend_context(None, condition)
        return sample(partial(model.denoise, cache=cache), noise, some or steps)

    def from_task(some: int | None) -> object:
        cache = model.extend_context(task, query)
        return sample(partial(model.denoise, cache=cache), noise, some or steps)

    ways: dict[tuple[str, str], Way] = {
        ("causal", "eager"): from_clips,
        ("causal, compiled task", "eager"): from_task,
    }
    see_query = replayed_or_eager(partial(model.extend_context, task), query)
    if see_query is None:
        return ways
    step = replayed_or_eager(
        partial(model.denoise, cache=see_query.result), noise, noise.new_zeros(1)
    )
    if step is None:
        return ways

    def replayed_from_task(some: int | None) -> object:
        see_query(query)
        return sample(step, noise, some or steps)

    def replayed_from_clips(some: int | None) -> object:
        overwrite(task, model.extend_context(None, context))
        return replayed_from_task(some)

    return ways | {
        ("causal", "replayed"): replayed_from_clips,
        ("causal, compiled task", "replayed"): replayed_from_task,
    }


def overwrite(cache: ContextCache, new: ContextCache) -> None:
    """Put a context where a recorded graph reads it."""
    for old_block, new_block in zip(cache.blocks, new.blocks, strict=True):
        for old, tensor in zip(old_block, new_block, strict=True):
            old.copy_(tensor)


def autoregressive_ways(decoder: Decoder, size: int) -> dict[tuple[str, str], Way]:
    """Token by token; also replayed if that works."""
    device = decoder.lm_head.weight.device
    frame = (size // 16) ** 2
    start = (2 * PAIRS + 1) * frame
    prompt = torch.randint(
        CODES, (1, start), device=device, generator=torch.Generator(device).manual_seed(size)
    )
    decoder.make_room(start + frame)
    step = decoder.recorded()
    ways: dict[tuple[str, str], Way] = {
        ("autoregressive", "eager"): lambda some: decoder.write(prompt, some or frame)
    }
    if step is not None:
        ways["autoregressive", "replayed"] = lambda some: decoder.write(
            prompt, some or frame, step=step
        )
    return ways


def sample(velocity: Callable, noise: Tensor, steps: int) -> Tensor:
    """Integrate without guidance."""
    return SOLVERS["euler"](velocity, noise=noise, grid=linear_quadratic_grid(steps))


def draw(name: str, rows: list[dict], *, title: str) -> None:
    """Draw seconds over resolution."""
    lines: dict[str, Line] = {}
    for way, launch in dict.fromkeys((row["way"], row["launch"]) for row in rows):
        mine = [row for row in rows if (row["way"], row["launch"]) == (way, launch)]
        lines[way if launch == "eager" else f"{way}, {launch}"] = Line(
            x=[row["size_px"] for row in mine],
            y=[row["median_s"] for row in mine],
            low=[row["min_s"] for row in mine],
            high=[row["max_s"] for row in mine],
        )
    draw_panels(name, {title: lines}, x_label="pixels a side", logarithmic=(True, True))


if __name__ == "__main__":
    main()
