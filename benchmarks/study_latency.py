"""Latency over resolution: our network in three ways, and an autoregressive one (paper, Fig. 6).

All answer one query with 8 pairs, with random weights, side by side in one run. Timed is what the
transformer does from the condition to the target's latent or tokens; the autoencoders, ST-VAE here
and a VQGAN there, are left out on both sides.

- joint: every step goes through the whole condition, as in the paper
- causal: the condition once, then the target alone at every step
- compiled task: the same with the pairs' keys and values computed before, as for a second query
- autoregressive: a decoder of Llama's shapes with a key-value cache, which reads the same pictures
  as tokens of 16 x 16 pixels (256 for 256 x 256, as in LVM) and writes the target token by token

Usage: ``python benchmarks/study_latency.py --threads 1``, or on a GPU with 40 GB ``--shapes real
--sizes 256 512``. Transformers comes with the extra ``diffusers``, matplotlib with ``eval``.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter, process_time

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from figures import Line, draw_panels
from lavin_dit.flow.solvers import SOLVERS
from lavin_dit.flow.timesteps import linear_quadratic_grid
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from record import record, time_side_by_side

PAIRS = 8
CODES = 8192  # LVM's vocabulary
LLAMA = {
    # As many parameters as our nano, and as the paper's baseline.
    "nano": {"hidden": 256, "layers": 6, "heads": 4, "inner": 704},
    "real": {"hidden": 4096, "layers": 32, "heads": 32, "inner": 11008},
}
PRESET = {"nano": "nano", "real": "3.4b"}


def main() -> None:
    """Measure, record and draw."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", default="nano", choices=LLAMA)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    networks = {
        setting: JDiT(replace(JDIT_PRESETS[PRESET[arguments.shapes]], context_attention=setting))
        .to(device, dtype)
        .eval()
        for setting in ("joint", "causal")
    }
    decoder = llama(arguments.shapes, max(arguments.sizes)).to(device, dtype).eval()
    rows: list[dict] = []
    with torch.no_grad():
        for size in arguments.sizes:
            rows += measure(arguments, size, networks=networks, decoder=decoder, device=device)
    name = f"latency_{arguments.shapes}_{device}"
    counts = {
        "jdit_parameters": sum(p.numel() for p in networks["joint"].parameters()),
        "llama_parameters": sum(p.numel() for p in decoder.parameters()),
    }
    record(
        name, settings=vars(arguments) | {"dtype": str(dtype), "pairs": PAIRS} | counts, rows=rows
    )
    lines = {
        way: Line(
            x=[row["size_px"] for row in rows if row["way"] == way],
            y=[row["median_s"] for row in rows if row["way"] == way],
            low=[row["min_s"] for row in rows if row["way"] == way],
            high=[row["max_s"] for row in rows if row["way"] == way],
        )
        for way in dict.fromkeys(row["way"] for row in rows)
    }
    title = f"seconds a query, {PAIRS} pairs, {arguments.shapes} shapes, {device}"
    draw_panels(name, {title: lines}, x_label="pixels a side", logarithmic=(True, True))


def measure(
    arguments: Namespace,
    size: int,
    *,
    networks: dict[str, JDiT],
    decoder: LlamaForCausalLM,
    device: str,
) -> list[dict]:
    """Time all ways at one resolution."""
    side = size // 8
    context = torch.randn(1, 16, 2 * PAIRS, side, side, device=device)
    query = torch.randn(1, 16, 1, side, side, device=device)
    noise = torch.randn(1, 16, 1, side, side, device=device)
    tokens_per_frame = (size // 16) ** 2
    prompt = torch.randint(CODES, (1, (2 * PAIRS + 1) * tokens_per_frame), device=device)
    causal = networks["causal"]
    compiled = causal.extend_context(None, context, clip_frames=(1,) * (2 * PAIRS))

    def joint() -> object:
        condition = torch.cat([context, query], dim=2)
        return sample(
            lambda state, timestep: networks["joint"](state, timestep, condition), noise, arguments
        )

    def from_task() -> object:
        cache = causal.extend_context(compiled, query, clip_frames=(1,))
        return sample(
            lambda state, timestep: causal.denoise(state, timestep, cache), noise, arguments
        )

    def from_pairs() -> object:
        condition = torch.cat([context, query], dim=2)
        cache = causal.extend_context(None, condition, clip_frames=(1,) * (2 * PAIRS + 1))
        return sample(
            lambda state, timestep: causal.denoise(state, timestep, cache), noise, arguments
        )

    contestants: dict[str, Callable[[], object]] = {
        "joint": joint,
        "causal": from_pairs,
        "causal, compiled task": from_task,
        "autoregressive": lambda: write(decoder, prompt, tokens_per_frame),
    }
    # On one thread of a CPU, its own seconds are what it takes on a machine that is free.
    alone = device == "cpu" and arguments.threads == 1
    times = time_side_by_side(
        contestants,
        repeats=arguments.repeats,
        clock=process_time if alone else perf_counter,
    )
    return [{"size_px": size, "way": way, **seconds} for way, seconds in times.items()]


def sample(velocity: Callable, noise: torch.Tensor, arguments: Namespace) -> torch.Tensor:
    """Integrate without guidance."""
    grid = linear_quadratic_grid(arguments.steps).to(noise.device)
    return SOLVERS["euler"](velocity, noise=noise, grid=grid)


def write(decoder: LlamaForCausalLM, prompt: torch.Tensor, count: int) -> torch.Tensor:
    """Write tokens one after another, the likeliest each time, with cached keys and values."""
    answer = decoder(prompt, use_cache=True, logits_to_keep=1)
    written: list[torch.Tensor] = []
    for _ in range(count):
        token = answer.logits[:, -1:].argmax(dim=-1)
        written.append(token)
        if len(written) < count:
            answer = decoder(token, past_key_values=answer.past_key_values, use_cache=True)
    return torch.cat(written, dim=1)


def llama(shapes: str, largest: int) -> LlamaForCausalLM:
    """A decoder with random weights."""
    numbers = LLAMA[shapes]
    frames = 2 * PAIRS + 2
    config = LlamaConfig(
        vocab_size=CODES,
        hidden_size=numbers["hidden"],
        num_hidden_layers=numbers["layers"],
        num_attention_heads=numbers["heads"],
        intermediate_size=numbers["inner"],
        max_position_embeddings=frames * (largest // 16) ** 2,
    )
    torch.manual_seed(0)
    return LlamaForCausalLM(config)


if __name__ == "__main__":
    main()
