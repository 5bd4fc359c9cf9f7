"""How fast a J-DiT trains: joint and causal context, one target and all of them.

Real runs of the loop on cached latents, optimizer and all; the latents are of random numbers, which
cost what others do. On a CPU that others use too, seconds of the clock say little: seconds of the
processor are given beside them, and its share of the peak (MFU) is of those.

Usage: ``python benchmarks/training_throughput.py --preset nano --side 64 --pairs 4``
"""

import json
import tempfile
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import torch
from safetensors.torch import save_file

from lavin_dit.jdit.cost import supervised_flops
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import JDIT_PRESETS
from lavin_dit.recipes.jdit import JDIT_RECIPES
from lavin_dit.training.batches import Share, TrainingBatch
from lavin_dit.training.cached_episodes import CachedEpisodes
from lavin_dit.training.config import JDiTLossConfig
from lavin_dit.training.jdit_objective import JDiTObjective
from lavin_dit.training.latent_cache import INDEX_FILE
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import Processes
from lavin_dit.training.run_folder import read_metrics
from lavin_dit.training.throughput import peak_flops
from record import record, synchronize

NUM_EPISODES = 16
SETTINGS = (("joint", "single"), ("causal", "single"), ("causal", "dense"))


def main() -> None:
    """Measure and record."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nano", choices=JDIT_PRESETS)
    parser.add_argument("--side", type=int, default=64, help="of the pictures, in pixels")
    parser.add_argument("--pairs", type=int, default=4, help="context pairs")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--warmup", type=int, default=1)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="the blocks")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_latents(folder / "latents", arguments)
        rows = [
            measure(arguments, folder, precision=precision, setting=setting, device=device)
            for precision in arguments.precisions
            for setting in SETTINGS
        ]
    kind = "cuda" if device.type == "cuda" else "cpu"
    record(f"training_throughput_{arguments.preset}_{kind}", settings=vars(arguments), rows=rows)


def write_latents(folder: Path, arguments: Namespace) -> None:
    """A folder of latents as `build_latent_cache` leaves it."""
    folder.mkdir()
    side, pairs = arguments.side // 8, arguments.pairs + 1
    latents = torch.randn(NUM_EPISODES, pairs, 16, 1, side, side).half()
    save_file({"inputs": latents, "targets": latents.clone()}, folder / "chunk.safetensors")
    entry = {
        "task": "random",
        "source": "random",
        "weight": 1.0,
        "shape": [1, 1],
        "chunks": ["chunk.safetensors"],
        "num_episodes": NUM_EPISODES,
    }
    index = {"identity": "random", "max_pairs": arguments.pairs, "entries": [entry]}
    (folder / INDEX_FILE).write_text(json.dumps(index))


def measure(
    arguments: Namespace,
    folder: Path,
    *,
    precision: str,
    setting: tuple[str, str],
    device: torch.device,
) -> dict:
    """Do a run of one setting, and read what it logged."""
    context, supervision = setting
    recipe = JDIT_RECIPES["jdit-nano-64"]
    config = replace(JDIT_PRESETS[arguments.preset], context_attention=context)
    with device:
        jdit = JDiT(config)
    if arguments.compile:
        for block in jdit.blocks:
            block.compile()
    objective = JDiTObjective(jdit, JDiTLossConfig(supervision=supervision, l1_weight=0.0))
    batches = CachedEpisodes(
        folder / "latents",
        batch_size=arguments.batch_size,
        min_pairs=arguments.pairs,
        max_pairs=arguments.pairs,
        share=Share(seed=0, rank=0, world_size=1, device=device),
        draws=recipe.draws,
    )
    marks: list[float] = []
    training = Training(
        objective=objective,
        call=objective,
        batches=batches,
        processes=Processes(rank=0, world_size=1, device=device),
        config=replace(
            recipe.loop,
            num_steps=arguments.warmup + arguments.steps,
            precision=precision,
            log_every=1,
            checkpoint_every=10**9,
        ),
        optimizer_config=recipe.optimizer,
        schedule=recipe.schedule,
        folder=folder / f"{precision}-{context}-{supervision}",
        cells_per_token=JDIT_PRESETS[arguments.preset].patch_size ** 2,
        flops_of=partial(flops_of, arguments, context, supervision == "dense"),
        on_line=lambda _line: marks.append(_now()),
    )
    training.run()
    lines = read_metrics(training.folder)[arguments.warmup :]
    seconds = [after - before for before, after in pairwise(marks)]
    busy_s = median(seconds[arguments.warmup - 1 :])
    middle = {name: median(line[name] for line in lines) for name in lines[0] if name != "step"}
    tokens = middle["tokens_per_s"] * middle["step_time_s"]
    flops = flops_of(arguments, context, supervision == "dense", next(iter(batches)))
    return {
        "context": context,
        "supervision": supervision,
        "precision": precision,
        "step_s": middle["step_time_s"],
        "busy_step_s": busy_s,
        "samples_a_busy_s": arguments.batch_size / busy_s,
        "tokens_a_busy_s": tokens / busy_s,
        "tflops_of_busy_s": flops / busy_s / 1e12,
        "mfu_of_busy_s": flops / busy_s / busy_peak(device, precision),
        "loader_share_of_busy_s": reading_s(next(iter(batches))) / busy_s,
    }


def flops_of(arguments: Namespace, context: str, dense: bool, batch: TrainingBatch) -> float:  # noqa: FBT001
    """Operations of forward and backward for a batch."""
    _, cells = batch.clip_cells
    config = JDIT_PRESETS[arguments.preset]
    forward = supervised_flops(
        replace(config, context_attention=context),
        num_pairs=arguments.pairs + 1,
        clip_tokens=cells // config.patch_size**2,
        dense=dense,
    )
    return 3.0 * len(batch) * forward


def reading_s(batch: TrainingBatch) -> float:
    """Seconds that latents of a batch take from the disk to the device, noise included."""
    seconds: list[float] = []
    for _ in range(5):
        start = _now()
        batch.part(0, len(batch))
        seconds.append(_now() - start)
    return median(seconds)


def busy_peak(device: torch.device, precision: str) -> float:
    """Operations in a second that the device computes: its maker's number, or a large product's."""
    if device.type == "cuda":
        return peak_flops(device)
    matrix = torch.ones(1024, 1024, dtype=getattr(torch, precision))
    best = float("inf")
    for _ in range(4):
        start = process_time()
        (matrix @ matrix).sum().item()
        best = min(best, process_time() - start)
    return 2 * 1024**3 / best


def _now() -> float:
    """Seconds that this process has computed; of the clock where a GPU does it."""
    synchronize()
    return perf_counter() if torch.cuda.is_available() else process_time()


if __name__ == "__main__":
    main()
