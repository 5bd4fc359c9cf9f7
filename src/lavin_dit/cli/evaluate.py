"""``lavin evaluate``: scores of a model, beside the baselines and the paper."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lavin_dit.cli.outputs import check_writable, listed
from lavin_dit.cli.studies import compare_lengths, pairs_folder, write_confusion
from lavin_dit.cli.tables import print_table
from lavin_dit.cli.trained import Opening, Trained, named_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lavin_dit.evaluation.evaluate import Outcome, Run
    from lavin_dit.evaluation.protocol import Protocol
    from lavin_dit.evaluation.scorers import Eye
    from lavin_dit.vision.codecs.codec import Json
    from lavin_dit.vision.geometry import Size

_BASELINES_SIDE_PX = 64
_CONFUSED_QUERIES, _CONFUSED_PAIRS = 50, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Measure a model by protocols: predict to disk, then score from disk.

    A name that is not known is answered with those that are. What was predicted is kept: a stopped
    run goes on where it was, and --score-only scores again without the model. Without a model, the
    baselines alone are scored. The report is report.md and report.json in the output folder.
    """

    protocols: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[PROTOCOL ...]")
    ] = ()
    """Protocols, such as world-depth_estimation; --list shows them."""
    model: str | None = None
    """Folder of a saved pipeline or of a trained baseline, or a repository on the Hugging Face
    hub."""
    beside: tuple[str, ...] = ()
    """Other trained models, each NAME=FOLDER, such as single-task=runs/depth/export: asked the same
    queries, each in a row of its own, with its difference from the model."""
    data: Path | None = None
    """Folder that holds photos, cutouts, clips, imagenet, nyuv2 and pascal, as far as needed."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o", "--report"])] = Path("evaluation")
    """Folder for predictions, scores and the report."""
    show: Annotated[bool, tyro.conf.arg(name="list")] = False
    """Show the protocols and what each asks, and do nothing else."""
    all_offline: bool = False
    """Run all protocols on what needs no download by hand; those without data are listed."""
    split: Literal["test", "validation"] = "test"
    """Part of the data; validation is for what is looked at while developing."""
    num_queries: int | None = None
    """Queries of each protocol; its own number if not given."""
    num_context_pairs: int | None = None
    """Context pairs of each query, 1 to 8; the protocol's own number if not given."""
    context_lengths: tuple[int, ...] = ()
    """Numbers of pairs to compare on the same queries, such as 1 2 4 8: writes context.md and
    context.json instead of a report."""
    confusion: bool = False
    """Show every query with the examples of one task after another: writes confusion.md,
    confusion.json and confusion.png, and runs no protocol."""
    num_frames: int = 13
    """Frames of clips: 5, 9, 13 and so on."""
    side_px: int | None = None
    """Height and width of the episodes, a multiple of 16; the model's own if not given."""
    num_steps: int | None = None
    """Sampling steps; the model's own number if not given."""
    guidance_scale: float | None = None
    """Strength of guidance by the examples; 1 is none and costs half. If not given, the model's
    own, which may be another for tasks that restore photos."""
    solver: Literal["euler", "heun", "adams_bashforth"] | None = None
    """How to integrate; the model's own choice if not given."""
    grid: Literal["linear_quadratic", "uniform"] | None = None
    """Steps that are short near the noise, or equal ones; the model's own choice if not given."""
    num_samples: int | None = None
    """Answers that are averaged; if not given, the model's own number for tasks that gain by it,
    and otherwise 1 (decision 0019)."""
    keep_detail: bool | None = None
    """Whether answers are weighed against their queries, given their fine detail and drawn after
    their outlines, as far as the examples say so; the model's own choice if not given (decisions
    0021 to 0023)."""
    seed: int = 0
    """Draws the start noise; queries and examples are the protocol's own."""
    batch_size: int = 16
    """Queries predicted together."""
    score_only: bool = False
    """Score the predictions in the output folder, without the model."""
    perceptual: Path | None = None
    """File or folder of weights of perceptual networks, for LPIPS-like and FID-like scores; some
    are fetched by `lavin prepare perceptual`. LPIPS and FID themselves need their own."""
    device: str | None = None
    """cpu, cuda, cuda:1 or mps; the best one of this machine if not given."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """Precision; bfloat16 on CUDA and float32 elsewhere if not given."""

    def run(self) -> int:
        """Predict, score and report."""
        from lavin_dit.evaluation.protocol import discover_protocols
        from lavin_dit.evaluation.report import write_sheet

        if self.show:
            protocols = discover_protocols().values()
            print_table([(protocol.name, protocol.summary) for protocol in protocols])
            return 0
        chosen = [] if self.confusion else self._chosen()
        rivals = self._rivals()
        self._check(rivals)
        check_writable(self.output)
        opening = self._opening()
        model = None if self.score_only or self.model is None else opening.open(self.model)
        if self.confusion:
            return self._confuse(model)
        run = self._run(chosen, model, rivals)
        if self.context_lengths:
            path = compare_lengths(run, chosen, self.context_lengths, passing_over=self.all_offline)
            print(path)
            return 0
        outcomes: list[Outcome] = []
        not_run: dict[str, str] = {}
        for protocol in chosen:
            outcome = self._evaluate(run, protocol, not_run)
            if outcome is not None:
                outcomes.append(outcome)
                write_sheet(self.output, outcome)
            if outcomes:
                # After each protocol, so that a stopped run has a report of what it did.
                self._report(outcomes, not_run, run.eye)
        if not outcomes:
            raise ValueError("; ".join(f"{name} {why}" for name, why in not_run.items()))
        print(self.output / "report.md")
        return 0

    def _check(self, rivals: "Mapping[str, str]") -> None:
        """Refuse what can't be, and what would be passed over in silence.

        Raises:
            FileNotFoundError: If the folder of data is not there.
            ValueError: If settings don't go together.
        """
        if self.data is not None and not self.data.is_dir():
            raise FileNotFoundError(f"--data {self.data}: there is no such folder")
        if self.score_only and self.model is not None:
            raise ValueError(
                "--score-only scores the predictions in the output folder: leave --model out"
            )
        if self.confusion and (
            self.model is None or self.protocols or self.all_offline or self.context_lengths
        ):
            raise ValueError(
                "--confusion needs a --model, and takes no protocols and no --context-lengths"
            )
        if self.context_lengths and self.num_context_pairs is not None:
            raise ValueError("--context-lengths are numbers of pairs: no --num-context-pairs")
        models = [] if self.model is None else [self.model]
        self._opening().check([] if self.score_only else [*models, *rivals.values()])

    def _chosen(self) -> "list[Protocol]":
        """The protocols asked for."""
        from lavin_dit.evaluation.protocol import discover_protocols, find_protocol

        if self.all_offline == bool(self.protocols):
            raise ValueError(
                "name protocols, or give --all-offline, and not both; --list shows all"
            )
        if self.protocols:
            return [find_protocol(name) for name in dict.fromkeys(self.protocols)]
        return [protocol for protocol in discover_protocols().values() if protocol.is_offline]

    def _confuse(self, model: "Trained | None") -> int:
        """The study of swapped contexts."""
        from lavin_dit.evaluation.studies.confusion import confuse

        predictor = None if model is None else model.contestant.predictor
        assert predictor is not None, "what has no model was refused"
        found = confuse(
            predictor,
            self._run([], model).library,
            num_queries=_given(self.num_queries, otherwise=_CONFUSED_QUERIES),
            num_pairs=_given(self.num_context_pairs, otherwise=_CONFUSED_PAIRS),
        )
        print(write_confusion(self.output, found))
        return 0

    def _evaluate(
        self, run: "Run", protocol: "Protocol", not_run: dict[str, str]
    ) -> "Outcome | None":
        """Run one protocol; with all of them asked for, one without data is passed over."""
        from dataclasses import replace

        from tqdm import tqdm

        from lavin_dit.data.episodes import NoEpisodeError
        from lavin_dit.evaluation.library import MissingDataError

        num_queries = _given(self.num_queries, otherwise=protocol.num_queries)
        with tqdm(total=num_queries, desc=protocol.name, unit="query") as bar:
            try:
                outcome = replace(run, on_case=bar.update).evaluate(protocol)
            except (MissingDataError, NoEpisodeError) as error:
                if not self.all_offline:
                    raise MissingDataError(f"{protocol.name} {error}") from error
                not_run[protocol.name] = str(error)
                return None
        if outcome.skipped:
            print(f"{protocol.name}: passed over {listed(outcome.skipped)}", file=sys.stderr)
        return outcome

    def _run(
        self,
        protocols: "Sequence[Protocol]",
        model: "Trained | None",
        rivals: "Mapping[str, str] | None" = None,
    ) -> "Run":
        """The evaluation of all protocols."""
        from lavin_dit.evaluation.contestants import Contestant
        from lavin_dit.evaluation.evaluate import Run, Settings
        from lavin_dit.evaluation.library import Library

        absent = Contestant(predictor=None, about={})
        chosen = absent if model is None else model.contestant
        opening = self._opening()
        return Run(
            library=Library(folder=self.data, split=self.split, size=self._size(protocols, model)),
            output=self.output,
            settings=Settings(
                num_queries=self.num_queries,
                num_pairs=self.num_context_pairs,
                num_frames=self.num_frames,
                batch_size=self.batch_size,
            ),
            predictor=chosen.predictor,
            model=chosen.about,
            rivals={
                name: absent if self.score_only else opening.open(folder).contestant
                for name, folder in (rivals or {}).items()
            },
            score_only=self.score_only,
            eye=self._eye(),
        )

    def _size(self, protocols: "Sequence[Protocol]", model: "Trained | None") -> "Size":
        """Size of the episodes: as asked, the model's, or that of the predictions to score."""
        from lavin_dit.evaluation.evaluate import stored_size
        from lavin_dit.pipeline.fitting import Canvas
        from lavin_dit.vision.geometry import Size

        if self.side_px is not None:
            canvas = Canvas(height=self.side_px, width=self.side_px)
            return Size(height=canvas.height, width=canvas.width)
        if model is None:
            lengths = self.context_lengths
            output = pairs_folder(self.output, lengths[0]) if lengths else self.output
            stored = stored_size(output, protocols) if self.score_only else None
            return stored or Size(height=_BASELINES_SIDE_PX, width=_BASELINES_SIDE_PX)
        return model.size

    def _opening(self) -> Opening:
        """How models are opened."""
        return Opening(
            device=self.device,
            dtype=self.dtype,
            num_steps=self.num_steps,
            guidance_scale=self.guidance_scale,
            solver=self.solver,
            grid=self.grid,
            num_samples=self.num_samples,
            keep_detail=self.keep_detail,
            seed=self.seed,
        )

    def _rivals(self) -> "Mapping[str, str]":
        """Folders of the models beside the first, by name."""
        rivals = named_models(self.beside)
        if rivals and self.model is None and not self.score_only:
            raise ValueError("--beside needs a --model that the others are compared with")
        if rivals and (self.confusion or self.context_lengths):
            raise ValueError("--beside goes with protocols, not with a study of one model")
        return rivals

    def _eye(self) -> "Eye | None":
        """The network that judges likeness."""
        if self.perceptual is None:
            return None
        from lavin_dit.evaluation.eye import PerceptualEye

        return PerceptualEye(self.perceptual)

    def _report(
        self, outcomes: "list[Outcome]", not_run: "Mapping[str, str]", eye: "Eye | None"
    ) -> None:
        """Write what is known so far."""
        from lavin_dit.evaluation.contestants import MODEL
        from lavin_dit.evaluation.report import write_report

        models = outcomes[0].models
        if outcomes[-1].models != models:
            first, last = (outcome.protocol.name for outcome in (outcomes[0], outcomes[-1]))
            raise ValueError(
                f"{self.output} holds predictions of {first} and of {last} by different models or "
                "ways of sampling: score them one after the other"
            )
        on_disk = "predictions on disk" if self.score_only else None
        about: dict[str, Json] = {
            "model": on_disk or self.model or "none",
            **models.get(MODEL, {}),
        }
        for name, folder in named_models(self.beside).items():
            own = [f"{key} {value}" for key, value in models[name].items()]
            about[name] = ", ".join([on_disk or folder, *own])
        if eye is not None:
            about["likeness judged by"] = eye.name
        write_report(self.output, outcomes, not_run=not_run, about=about)


def _given(number: int | None, *, otherwise: int) -> int:
    """A number that was given, which must be at least 1, or another one.

    Raises:
        ValueError: If the given one is less.
    """
    if number is None:
        return otherwise
    if number < 1:
        raise ValueError(f"numbers of queries and pairs must be at least 1, got {number}")
    return number
