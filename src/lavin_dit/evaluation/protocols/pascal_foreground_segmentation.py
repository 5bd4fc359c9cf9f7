"""The paper's foreground segmentation: the four folds of Pascal-5i, a class in each episode.

Each of a fold's pairs of image and class is a query in turn, up to 1,000 queries; examples are of
the same class. Predictions are made black and white by the nearer of the two, pixel by pixel, and
compared at the size of the episodes, as the visual-prompting protocol does.
"""

from collections.abc import Callable

from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.protocol import Protocol
from lavin_dit.evaluation.samples import ByClass, Places, Subset
from lavin_dit.evaluation.scorers import score_mask
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.task import AnyTask
from lavin_dit.vision.tasks.foreground_segmentation import ForegroundSegmentation

_PAPER = (0.6787, 0.7580, 0.6698, 0.6690)


def _places_of(fold: int) -> Callable[[Library, AnyTask], Places]:
    """Queries of one fold, class by class."""

    def places(library: Library, task: AnyTask) -> Places:
        del task
        source = library.pascal(fold=fold, kinds=(Mask,))
        own: dict[str, list[int]] = {source.class_names[number]: [] for number in source.classes}
        for index in range(len(source)):
            own[source.class_names[source.class_of(index)]].append(index)
        # A class with a single image has no examples.
        return ByClass(
            sources={name: Subset(source, held) for name, held in own.items() if len(held) > 1}
        )

    return places


PROTOCOLS = tuple(
    Protocol(
        name=f"pascal5i-foreground_segmentation-{fold + 1}",
        task=ForegroundSegmentation(),
        places=_places_of(fold),
        scorer=score_mask,
        primary="iou",
        baselines=("input", "copy-context", "mean-context"),
        summary=f"The mask of a class of fold {fold + 1}.",
        num_queries=1000,
        stretched=True,
        paper={"iou": _PAPER[fold]},
        source="Table 1",
    )
    for fold in range(4)
)
