"""Trained models that are evaluated: pipelines and next-token baselines, known by their folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lavin_dit.baselines.config import MARKER_FILE

if TYPE_CHECKING:
    from lavin_dit.evaluation.contestants import Contestant
    from lavin_dit.vision.codecs.codec import Json
    from lavin_dit.vision.geometry import Size

_SAMPLING = ("num_steps", "guidance_scale", "solver", "grid", "num_samples", "keep_detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained model.

    Attributes:
        contestant: What answers, and what tells it apart.
        size: The size that it works at.
    """

    contestant: "Contestant"
    size: "Size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Where models compute, and how pipelines sample; None leaves a number to the model.

    Attributes:
        device: Where; the best of this machine if None.
        dtype: Precision; bfloat16 on CUDA and float32 elsewhere if None.
        num_steps: Sampling steps.
        guidance_scale: Strength of guidance.
        solver: Name of the solver.
        grid: Name of the sampling grid.
        num_samples: Answers that are averaged.
        keep_detail: Whether answers keep of their queries what the examples' targets keep.
        seed: Draws the start noise.
    """

    device: str | None
    dtype: Literal["float32", "bfloat16"] | None
    num_steps: int | None
    guidance_scale: float | None
    solver: str | None
    grid: str | None
    num_samples: int | None
    keep_detail: bool | None
    seed: int

    def open(self, model: str) -> Trained:
        """Open a model.

        Args:
            model: Folder of a pipeline or a next-token model, or a repository on the hub.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, or the device is missing.
            ImportError: If it is a next-token model and transformers is missing.
        """
        return self._next_token(Path(model)) if _is_next_token(model) else self._pipeline(model)

    def check(self, models: Sequence[str]) -> None:
        """Refuse ways of sampling where no model samples.

        Raises:
            ValueError: If there are some.
        """
        given = [
            f"--{name.replace('_', '-')}" for name in _SAMPLING if getattr(self, name) is not None
        ]
        if given and not models:
            raise ValueError(f"{', '.join(given)}: there is no model here that samples")
        if given and all(map(_is_next_token, models)):
            raise ValueError(f"{', '.join(given)}: a next-token model writes and does not sample")

    def _pipeline(self, model: str) -> Trained:
        """A pipeline, with its sampling."""
        from lavin_dit.cli.model_options import ModelOptions
        from lavin_dit.evaluation.contestants import Contestant
        from lavin_dit.evaluation.predictors.pipeline import PipelinePredictor
        from lavin_dit.pipeline.finishing import FINISHING_VERSION
        from lavin_dit.pipeline.sampling import SamplingSettings
        from lavin_dit.vision.geometry import Size

        pipeline = ModelOptions(model=model, device=self.device, dtype=self.dtype).load()
        defaults = pipeline.defaults
        guidance_scale = self.guidance_scale
        settings = SamplingSettings(
            num_steps=defaults.num_steps if self.num_steps is None else self.num_steps,
            guidance_scale=defaults.guidance_scale if guidance_scale is None else guidance_scale,
            solver=self.solver or defaults.solver,
            grid=self.grid or defaults.grid,
        )
        predictor = PipelinePredictor(
            pipeline,
            settings=settings,
            seed=self.seed,
            num_samples=self.num_samples,
            keep_detail=self.keep_detail,
            restoration_guidance_scale=(
                defaults.restoration_guidance_scale if guidance_scale is None else None
            ),
        )
        about: dict[str, Json] = {
            "fingerprint": pipeline.networks.fingerprint(),
            "num_steps": settings.num_steps,
            "guidance_scale": settings.guidance_scale,
            "restoration_guidance_scale": predictor.restoration_guidance_scale,
            "solver": settings.solver,
            "grid": settings.grid,
            "num_samples": defaults.num_samples if self.num_samples is None else self.num_samples,
            "keep_detail": predictor.keep_detail,
            "finishing": FINISHING_VERSION,
            "noise_seed": self.seed,
            "dtype": str(pipeline.dtype).removeprefix("torch."),
        }
        return Trained(
            contestant=Contestant(predictor=predictor, about=about),
            size=Size(height=defaults.height, width=defaults.width),
        )

    def _next_token(self, folder: Path) -> Trained:
        """A next-token model."""
        import torch

        from lavin_dit.baselines.next_token import NextTokenPredictor, load_next_token
        from lavin_dit.evaluation.contestants import Contestant
        from lavin_dit.pipeline.devices import default_dtype, resolve_device
        from lavin_dit.vision.geometry import Size

        device = resolve_device(self.device)
        dtype = default_dtype(device) if self.dtype is None else getattr(torch, self.dtype)
        model = load_next_token(folder, device=device, dtype=dtype)
        about: dict[str, Json] = {
            "fingerprint": model.fingerprint(),
            "dtype": str(dtype).removeprefix("torch."),
        }
        return Trained(
            contestant=Contestant(predictor=NextTokenPredictor(model), about=about),
            size=Size(height=model.defaults.height, width=model.defaults.width),
        )


def named_models(words: Sequence[str]) -> Mapping[str, str]:
    """Models by name, from words such as ``next-token=runs/next-token/export``.

    Raises:
        ValueError: If a word is not written like that, or a name is a row's or taken.
    """
    from lavin_dit.evaluation.contestants import check_name

    named: dict[str, str] = {}
    for word in words:
        name, equals, model = word.partition("=")
        if not equals or not model:
            raise ValueError(f"a model beside the first is written NAME=FOLDER, got {word!r}")
        check_name(name)
        if name in named:
            raise ValueError(f"two models are called {name}")
        named[name] = model
    return named


def _is_next_token(model: str) -> bool:
    """Whether a folder holds a next-token model, and not a pipeline."""
    return (Path(model) / MARKER_FILE).is_file()
