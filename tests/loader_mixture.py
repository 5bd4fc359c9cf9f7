"""The mixture that tests of the loader load, in their own process and in others."""

from lavin_dit.data.augment import RandomFraming
from lavin_dit.data.mixture import BatchSettings, Mixture, MixtureEntry
from lavin_dit.data.shard_source import ShardSource
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import find_task


def loader_mixture(folder, *, seed=0, batch_size=6):
    """Two tasks on the shards of a folder."""
    source = ShardSource(folder)
    entries = [
        MixtureEntry(task=find_task("depth_estimation"), source=source, weight=2.0),
        MixtureEntry(task=find_task("inpainting"), source=source, weight=1.0),
    ]
    framing = RandomFraming(size=Size(height=16, width=24))
    settings = BatchSettings(batch_size=batch_size, framing=framing, max_pairs=3)
    return Mixture(entries, settings=settings, seed=seed)
