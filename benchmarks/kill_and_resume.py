"""Kill a run with SIGKILL at random moments, let it go on each time, and compare the bits.

A small J-DiT trains on latents that are cached, or encoded as they are used. One run is left alone.
Others are killed: while they step, while they write a checkpoint, before their first. Whenever one
comes to its end, its weights, their average and the optimizer's state are compared with those of
the run that was left alone, and the kills that are left go to the next.

Usage: ``python benchmarks/kill_and_resume.py --kills 20``
"""

import hashlib
import multiprocessing
import os
import random
import signal
import tempfile
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import torch

from lavin_dit.data.augment import RandomFraming
from lavin_dit.data.loader import EpisodeLoader
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.jdit.model import JDiT
from lavin_dit.jdit.presets import jdit_config
from lavin_dit.st_vae.autoencoder import STVAE
from lavin_dit.st_vae.config import STVAEConfig
from lavin_dit.training.batches import Batches, EncodedEpisodes, Share
from lavin_dit.training.cached_episodes import CachedEpisodes
from lavin_dit.training.config import (
    DrawSettings,
    JDiTLossConfig,
    LoopConfig,
    OptimizerConfig,
    ScheduleConfig,
)
from lavin_dit.training.jdit_objective import JDiTObjective
from lavin_dit.training.latent_cache import build_latent_cache
from lavin_dit.training.loop import Training
from lavin_dit.training.processes import Processes
from lavin_dit.training.run_folder import EVENTS_FILE, read_metrics
from lavin_dit.vision.codecs.depth import Depth
from lavin_dit.vision.geometry import ClipShape, Size
from lavin_dit.vision.random_scene import random_scene
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import find_task
from record import record

DIGEST = "digest.txt"
BATCH_SIZE, MAX_PAIRS, SEED = 4, 3, 5
DRAWS = DrawSettings(timestep_mean=0.0, timestep_std=1.0, condition_dropping=0.2)
ALONE = Processes(rank=0, world_size=1, device=torch.device("cpu"))
SHARE = Share(seed=SEED, rank=0, world_size=1, device=ALONE.device)


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """Random scenes with depth."""

    name: str = "scenes"
    split: str = "train"
    kinds: tuple[type, ...] = (Depth,)
    skipped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        """Number of scenes."""
        return 16

    def __getitem__(self, index: int) -> Sample:
        """One scene."""
        shape = ClipShape(num_frames=1, height=40, width=40)
        return random_scene(shape, generator=np.random.default_rng(index), num_things=3)


def mixture(batch_size: int, pairs: tuple[int, int]) -> Mixture:
    """Two tasks on the scenes, at 32x32 px."""
    entries = [
        MixtureEntry(task=find_task(task), source=Scenes(), weight=weight)
        for task, weight in (("depth_estimation", 2.0), ("inpainting", 1.0))
    ]
    settings = BatchSettings(
        batch_size=batch_size,
        framing=RandomFraming(size=Size(height=32, width=32)),
        min_pairs=pairs[0],
        max_pairs=pairs[1],
    )
    return Mixture(entries, settings=settings, seed=SEED)


def autoencoder() -> STVAE:
    """A small ST-VAE with random weights."""
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
    st_vae.reset_parameters(torch.Generator().manual_seed(SEED))
    return st_vae.eval()


def batches(kind: str, latents: Path) -> Batches:
    """Episodes from the cache, or encoded as they are used."""
    if kind == "cached":
        return CachedEpisodes(
            latents,
            batch_size=BATCH_SIZE,
            min_pairs=1,
            max_pairs=MAX_PAIRS,
            share=SHARE,
            draws=DRAWS,
        )
    loader = EpisodeLoader(mixture(BATCH_SIZE, (1, MAX_PAIRS)))
    return EncodedEpisodes(loader, autoencoder(), share=SHARE, draws=DRAWS, posterior="sample")


def train(folder: Path, kind: str, latents: Path, num_steps: int) -> None:
    """Do a run, or go on with it; at its end, write the digest of all that it has learned."""
    torch.set_num_threads(1)
    jdit = JDiT(
        jdit_config(
            hidden_size=48,
            num_layers=2,
            num_heads=4,
            num_kv_heads=2,
            drop_path=0.2,
            context_attention="causal",
        )
    )
    jdit.reset_parameters(torch.Generator().manual_seed(SEED))
    objective = JDiTObjective(jdit, JDiTLossConfig(supervision="dense", l1_weight=0.0))
    training = Training(
        objective=objective,
        call=objective,
        batches=batches(kind, latents),
        processes=ALONE,
        config=LoopConfig(
            num_steps=num_steps,
            budget=None,
            micro_batch_size=3,
            precision="float32",
            ema_decay=0.99,
            log_every=1,
            checkpoint_every=3,
            keep_checkpoints=2,
            validate_every=0,
            max_skipped_in_a_row=0,
        ),
        optimizer_config=OptimizerConfig(
            lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01, clip_norm=1.0
        ),
        schedule=ScheduleConfig(warmup_steps=5, decay="cosine", final_share=0.1),
        folder=folder,
    )
    training.resume()
    training.run()
    (folder / DIGEST).write_text(digest(training))


def digest(training: Training) -> str:
    """SHA-256 of weights, average and optimizers' states, and of the logged losses."""
    states = [optimizer.state_dict()["state"] for optimizer in training.optimizers]
    tensors = [
        *training.objective.trained.state_dict().values(),
        *training.average.state_dict().values(),
        *(
            moments[name]
            for state in states
            for moments in state.values()
            for name in sorted(moments)
        ),
    ]
    text = hashlib.sha256()
    for tensor in tensors:
        text.update(tensor.detach().numpy().tobytes())
    losses = [(line["step"], line["total"]) for line in read_metrics(training.folder)]
    text.update(repr(losses).encode())
    return text.hexdigest()


def started(*arguments: object) -> "multiprocessing.context.ForkProcess":
    """Train in a process of its own."""
    process = multiprocessing.get_context("fork").Process(target=train, args=arguments)
    process.start()
    return process


def measure(kind: str, arguments: Namespace, folder: Path) -> dict:
    """Kill runs of one kind, and compare each that ends with one that was left alone."""
    latents, steps = folder / "latents", arguments.steps
    begun = perf_counter()
    started(folder / f"{kind}-alone", kind, latents, steps).join()
    whole_s = perf_counter() - begun
    expected = (folder / f"{kind}-alone" / DIGEST).read_text()
    kills = 0
    ended: list[bool] = []
    places: list[str] = []
    for run in runs_in(folder, kind):
        while not (run / DIGEST).is_file():
            sessions = num_sessions(run)
            process = started(run, kind, latents, steps)
            if kills < arguments.kills:
                wait_a_while(process, run, sessions=sessions, step_s=whole_s / steps)
            if kills < arguments.kills and process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                kills += 1
                places.append(place_of(run))
            else:
                process.join()
                assert process.exitcode == 0, f"training ended with {process.exitcode}"
        ended.append((run / DIGEST).read_text() == expected)
        if kills == arguments.kills:
            break
    found = Counter(places)
    return {
        "batches": kind,
        "steps": steps,
        "kills": kills,
        "kills_before_the_first_checkpoint": found["start"],
        "kills_while_one_was_written": found["writing"],
        "kills_between": found["between"],
        "runs_that_ended": len(ended),
        "runs_with_equal_bits": sum(ended),
    }


def wait_a_while(
    process: "multiprocessing.context.ForkProcess", run: Path, *, sessions: int, step_s: float
) -> None:
    """Wait for some steps, often for none, and a random part of what follows them."""
    num_steps = random.choice((0, 1, 2, 3, 5, 8))
    first: int | None = None
    while process.is_alive():
        if num_sessions(run) > sessions:  # what an earlier session did is forgotten by then
            step = len(read_metrics(run))
            first = step if first is None else first
            if step >= first + num_steps:
                break
        sleep(0.01)
    process.join(random.uniform(0.0, 3.0 * step_s))


def num_sessions(run: Path) -> int:
    """How often a run was begun or gone on with."""
    path = run / EVENTS_FILE
    return path.read_text().count('"begin"') if path.is_file() else 0


def runs_in(folder: Path, kind: str) -> Iterator[Path]:
    """Folders of one run after another."""
    number = 0
    while True:
        yield folder / f"{kind}-{number}"
        number += 1


def place_of(run: Path) -> str:
    """What a run was at when it was killed."""
    checkpoints = run / "checkpoints"
    if list(checkpoints.glob(".partial-*")):
        return "writing"
    return "between" if list(checkpoints.glob("step-*")) else "start"


def main() -> None:
    """Measure and record."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batches", nargs="+", default=["cached", "encoded"])
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--no-record", action="store_true")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build_latent_cache(
            mixture(1, (MAX_PAIRS, MAX_PAIRS)), autoencoder(), folder / "latents", num_episodes=6
        )
        rows = [measure(kind, arguments, folder) for kind in arguments.batches]
    if not arguments.no_record:
        record("kill_and_resume", settings=vars(arguments), rows=rows)
    broken = [row for row in rows if row["runs_with_equal_bits"] != row["runs_that_ended"]]
    if broken:
        raise SystemExit(f"some runs ended with other bits: {broken}")
    print(rows)


if __name__ == "__main__":
    main()
