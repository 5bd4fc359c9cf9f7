"""The files of a prediction: what was painted, and where a task was named, what was read of it."""

from dataclasses import dataclass, replace
from pathlib import Path

from lavin_dit.pipeline.clips import Clip, save_clip
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.vision.codecs.rgb import Rgb


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFiles:
    """Where a prediction was written."""

    numbers: tuple[Path, ...]
    """What was read, in the formats that people use; none where the painting says it all."""
    drawing: Path | None
    """What was read, drawn on the query; None where there are no numbers."""
    painting: Path
    """What was painted."""

    def all(self) -> tuple[Path, ...]:
        """Every file, in the order of writing: the painting is the last."""
        drawing = () if self.drawing is None else (self.drawing,)
        return (*self.numbers, *drawing, self.painting)


def save_prediction(
    prediction: Prediction, query: Clip, folder: Path, *, name: str
) -> PredictionFiles:
    """Save numbers and drawing, and last the painting, whose being there says that all is.

    Of a task whose answer is a photo, the painting is all there is.

    Args:
        prediction: What was painted, and read if a task was named.
        query: What it answers.
        folder: Where to write.
        name: Of the files: ``name.png`` or ``name.mp4`` is the painting, ``name.depth.npy`` and the
            like are the numbers, ``name.drawn.png`` shows them.

    Raises:
        OSError: If a file can't be written.
    """
    clip, result = prediction.clip, prediction.result
    numbers: tuple[Path, ...] = ()
    drawing = None
    if result is not None and not isinstance(result.annotation, Rgb):
        kind = type(result.annotation).__name__.lower()
        numbers = result.save(folder, stem=f"{name}.{kind}")
        drawn = replace(clip, frames=result.draw(Rgb(pixels=query.frames)))
        drawing = save_clip(drawn, folder / f"{name}.drawn{clip.file_ending}")
    painting = prediction.save(folder / f"{name}{clip.file_ending}")
    return PredictionFiles(numbers=numbers, drawing=drawing, painting=painting)
