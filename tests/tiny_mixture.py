"""A mixture that ``lavin train --data.mixture`` can name: two tasks on random scenes."""

from lavin_dit.data.augment import RandomFraming
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import find_task
from scene_source import SceneSource


def mixture(*, batch_size, min_pairs, max_pairs, seed, recolour=0.0):
    """Depth and inpainting at 32x48 px."""
    source = SceneSource(length=12)
    entries = [
        MixtureEntry(task=find_task("depth_estimation"), source=source, weight=2.0),
        MixtureEntry(task=find_task("inpainting"), source=source, weight=1.0),
    ]
    settings = BatchSettings(
        batch_size=batch_size,
        framing=RandomFraming(size=Size(height=32, width=48)),
        min_pairs=min_pairs,
        max_pairs=max_pairs,
        recolour=recolour,
    )
    return Mixture(entries, settings=settings, seed=seed)
