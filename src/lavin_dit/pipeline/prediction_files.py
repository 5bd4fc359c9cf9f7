"""The files of a prediction: what was painted, and where a task was named, what was read of it."""

from dataclasses import replace
from pathlib import Path

from lavin_dit.pipeline.clips import Clip, save_clip
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.vision.codecs.rgb import Rgb


def save_prediction(
    prediction: Prediction, query: Clip, folder: Path, *, name: str
) -> tuple[Path, ...]:
    """Save numbers and drawing, and last the painting, whose being there says that all is.

    Of a task whose answer is a photo, the painting is all there is.

    Args:
        prediction: What was painted, and read if a task was named.
        query: What it answers.
        folder: Where to write.
        name: Of the files: ``name.png`` or ``name.mp4`` is the painting, ``name.depth.npy`` and the
            like are the numbers, ``name.drawn.png`` shows them.

    Returns:
        The files written, the painting last and before it the drawing, if there is one.

    Raises:
        OSError: If a file can't be written.
    """
    clip, result = prediction.clip, prediction.result
    ending = ".png" if clip.num_frames == 1 else ".mp4"
    files: list[Path] = []
    if result is not None and not isinstance(result.annotation, Rgb):
        kind = type(result.annotation).__name__.lower()
        files += result.save(folder, stem=f"{name}.{kind}")
        drawn = replace(clip, frames=result.draw(Rgb(pixels=query.frames)))
        files.append(save_clip(drawn, folder / f"{name}.drawn{ending}"))
    files.append(prediction.save(folder / f"{name}{ending}"))
    return tuple(files)
