"""``lavin look``: a contact sheet of a source, of a task shown on it, or of a mixture."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lavin_dit.cli.outputs import left_out, listed
from lavin_dit.cli.sheets import check_sheet_path, save_sheet
from lavin_dit.data.source_choice import SourceChoice, folder_or_address

if TYPE_CHECKING:
    import numpy as np

    from lavin_dit.data.views import View
    from lavin_dit.datasets.source import Source
    from lavin_dit.vision.contact_sheet import Strip
    from lavin_dit.vision.task import AnyTask

_TRIES_PER_ROW = 20
_LEAST_TRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Draw samples of a source: each annotation, or query, target and read-back of a task.

    A name that is not known is answered with those that are. All rows of a task are pairs of one
    episode; what is read back is drawn from the target's picture, with its key. A mixture is named
    by its file and what makes it there, recipe.py:mixture; an episode of each of its first batches
    is drawn.
    """

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """Source, such as world, coco or photos; or a mixture, such as recipe.py:mixture."""
    root: Annotated[tyro.conf.Positional[str | None], tyro.conf.arg(metavar="[FOLDER]")] = None
    """Folder of the source; docs/data.md says what it holds. The synthetic world has none; shards
    may be at an address, such as s3://bucket/coco."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("look.png")
    """File to write: a picture, or with the ending .mp4 a film in which clips run."""
    task: str | None = None
    """Task to show, such as depth_estimation; `lavin tasks` lists them."""
    split: str | None = None
    """Part of the source, such as train; the source's own default if not given."""
    num: int = 8
    """Number of samples, or of a mixture's batches."""
    indices: tuple[int, ...] = ()
    """Samples to show, by number; drawn at random if not given."""
    num_frames: int | None = None
    """Frames of each clip; the task's or the source's own number if not given."""
    side_px: int | None = None
    """Samples are shrunk so that their longer side is no longer than this; 256 for images and 168
    for clips if not given."""
    seed: int = 0
    """Draws samples, and what is random in a task."""
    degrade: bool = False
    """Treat targets as an autoencoder would before they are read."""
    settings: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = ()
    """Further settings of the source, such as fold=2 or any_licence=True."""
    labels: tuple[str, ...] = ()
    """Pseudo labels to add: edges; boxes, depth, foreground or pose with the network's file, such
    as pose=detectors/movenet-multipose.json; or PROGRAM.py:NAME."""

    def run(self) -> int:
        """Read, draw and save."""
        from lavin_dit.data.views import View, check_kinds_present, class_names_of
        from lavin_dit.pipeline.seeds import check_seed
        from lavin_dit.vision.task import find_task_of_length

        check_seed(self.seed)
        check_sheet_path(self.output)
        if self.num < 1:
            raise ValueError(f"num must be at least 1, got {self.num}")
        if self.degrade and self.task is None:
            raise ValueError("--degrade is of what a task paints: name one with --task")
        if ".py:" in self.name:
            self._look_at_mixture()
            return 0
        task = None if self.task is None else find_task_of_length(self.task, self.num_frames)
        num_frames = self.num_frames if task is None else task.num_frames
        source = SourceChoice(
            name=self.name,
            root=None if self.root is None else folder_or_address(self.root),
            split=self.split,
            settings=self.settings,
            labels=self.labels,
        ).open(num_frames=num_frames, kinds=None if task is None else task.needs)
        print(f"{source.name} ({source.split}): {len(source):,} samples{left_out(source.skipped)}")
        if task is not None:
            check_kinds_present(task, source)
        view = View(
            max_side_px=self.side_px,
            num_frames=num_frames,
            degraded=self.degrade,
            class_names=class_names_of(source),
        )
        save_sheet(self.output, self._strips(source, view, task))
        return 0

    def _look_at_mixture(self) -> None:
        """Draw an episode of each of a mixture's first batches."""
        from lavin_dit.data.mixture_program import mixture_from_program
        from lavin_dit.data.views import mixture_strip
        from lavin_dit.vision.episode import MAX_PAIRS

        own = Look(name=self.name, output=self.output, num=self.num)
        if self != own:
            raise ValueError("of a mixture, only the number of batches can be chosen, with --num")
        mixture = mixture_from_program(
            self.name, batch_size=1, min_pairs=1, max_pairs=MAX_PAIRS, seed=0
        )
        for entry in mixture.entries:
            where = f"{entry.source.name} ({entry.source.split})"
            print(f"{entry.weight:g} x {entry.task.name} on {where}")
        save_sheet(self.output, [mixture_strip(mixture, step) for step in range(self.num)])

    def _strips(self, source: "Source", view: "View", task: "AnyTask | None") -> "list[Strip]":
        """The rows of the sheet."""
        import numpy as np

        generator = np.random.default_rng(self.seed)
        skipped: Counter[str] = Counter()
        samples = view.read(
            source, self._candidates(source, generator), generator=generator, skipped=skipped
        )
        num = len(self.indices) or self.num
        if task is None:
            strips = [view.sample_strip(sample) for sample in islice(samples, num)]
        else:
            strips = view.episode_strips(
                task, samples, num=num, generator=generator, skipped=skipped
            )
        if not strips:
            raise ValueError(f"no sample of {source.name} can be shown{left_out(skipped)}")
        if skipped:
            print(f"samples passed over: {listed(skipped)}")
        return strips

    def _candidates(self, source: "Source", generator: "np.random.Generator") -> "list[int]":
        """Numbers of samples, in the order in which they are tried."""
        if self.indices:
            for index in self.indices:
                if not 0 <= index < len(source):
                    raise ValueError(
                        f"there is no sample {index} in {source.name}; there are 0 to "
                        f"{len(source) - 1}"
                    )
            return list(self.indices)
        tries = min(len(source), max(_LEAST_TRIES, _TRIES_PER_ROW * self.num))
        return generator.choice(len(source), tries, replace=False).tolist()
