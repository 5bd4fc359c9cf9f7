"""``lavin predict``: apply a task to images and videos."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lavin_dit.cli.inputs import check_context, expand_queries
from lavin_dit.cli.model_options import ModelOptions
from lavin_dit.cli.outputs import check_writable, output_names

if TYPE_CHECKING:
    from lavin_dit.pipeline.clips import Clip

EXIT_SOME_FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Predict:
    """Apply the task that example pairs show to images, videos, or folders of them.

    Results have the queries' names and sizes. Those that exist already are kept and skipped, so a
    stopped run goes on where it was.
    """

    queries: tyro.conf.Positional[tuple[Path, ...]]
    """Images, videos, and folders whose images and videos are each a query."""
    context: Annotated[Path, tyro.conf.arg(aliases=["-c"])]
    """Folder of pairs, <id>_input.png and <id>_target.png, or a file of `lavin context build`."""
    model: Annotated[ModelOptions, tyro.conf.arg(name="")]
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("predictions")
    """Folder for the results."""
    overwrite: bool = False
    """Compute again what is already there."""
    num_context_pairs: int | None = None
    """Pairs to take where the folder has more; the model's own number if not given."""
    height: int | None = None
    """Working height in pixels; the model's own if not given."""
    width: int | None = None
    """Working width in pixels; the model's own if not given."""
    fit: Literal["pad", "stretch"] | None = None
    """pad (the default) keeps the aspect of pictures, stretch fills the working size."""
    num_steps: int | None = None
    """Sampling steps; the model's own number if not given."""
    guidance_scale: float | None = None
    """Strength of guidance by the examples; 1 is none and costs half."""
    solver: Literal["euler", "heun", "adams_bashforth"] | None = None
    """How to integrate; the model's own choice if not given."""
    seed: int = 0
    """Draws the noise, and the pairs."""
    batch_size: int = 1
    """Queries computed together."""
    max_megapixels: float = 48.0
    """Largest picture to open."""
    _failures: list[str] = field(default_factory=list[str], init=False, repr=False)

    def run(self) -> int:
        """Predict and save one after another."""
        names = output_names(expand_queries(self.queries))
        check_writable(self.output)
        waiting = [query for query in names if self.overwrite or not self._exists(names[query])]
        if skipped := len(names) - len(waiting):
            print(f"{skipped} of {len(names)} are already in {self.output}", file=sys.stderr)
        if not waiting:
            return 0
        self._check_not_an_input(waiting)
        check_context(self.context)
        predictions = self.model.load().stream(
            self._readable(waiting),
            context=self.context,
            num_context_pairs=self.num_context_pairs,
            height=self.height,
            width=self.width,
            fit=self.fit,
            num_steps=self.num_steps,
            guidance_scale=self.guidance_scale,
            solver=self.solver,
            seed=self.seed,
            batch_size=self.batch_size,
        )
        by_name = {query.name: names[query] for query in waiting}
        for prediction in predictions:
            clip = prediction.clip
            ending = ".png" if clip.num_frames == 1 else ".mp4"
            print(prediction.save(self.output / f"{by_name[prediction.name]}{ending}"))
        if self._failures:
            print(
                f"lavin: {len(self._failures)} of {len(waiting)} queries could not be read",
                file=sys.stderr,
            )
        return EXIT_SOME_FAILED if self._failures else 0

    def _exists(self, name: str) -> bool:
        return any((self.output / f"{name}{ending}").exists() for ending in (".png", ".mp4"))

    def _check_not_an_input(self, queries: Sequence[Path]) -> None:
        for query in queries:
            if query.resolve().parent == self.output.resolve():
                raise ValueError(
                    f"{query} lies in the output folder {self.output}: choose another with -o"
                )

    def _readable(self, queries: Sequence[Path]) -> "Iterator[Clip]":
        """Read queries, passing over those that can't be read."""
        from lavin_dit.pipeline.clips import load_clip

        for query in queries:
            try:
                yield load_clip(query, max_pixels=int(self.max_megapixels * 1e6))
            except (ValueError, OSError) as error:
                self._failures.append(str(error))
                print(f"lavin: skipped: {error}", file=sys.stderr)
