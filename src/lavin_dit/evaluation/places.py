"""The usual ways in which protocols choose their samples, by the data that they are on."""

from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.one_class import unseen_classes
from lavin_dit.evaluation.samples import ByClass, Places, Shuffled, Unbounded
from lavin_dit.vision.task import AnyTask

_EXAMPLES_PER_CLASS = 32


def world_places(library: Library, task: AnyTask) -> Places:
    """Scenes of the synthetic world: the first 64 are examples, the others queries in order."""
    return Unbounded(source=library.remembered_world(num_frames=task.num_frames))


def unseen_class_places(library: Library, task: AnyTask) -> Places:
    """Scenes that show a class of the world that training never showed; classes take turns."""
    del task
    sources = unseen_classes(
        library.world(num_frames=1), library.remembered_world(num_frames=1), single=False
    )
    return ByClass(sources=sources, num_examples=_EXAMPLES_PER_CLASS)


def unseen_object_places(library: Library, task: AnyTask) -> Places:
    """The same, with exactly one object of the class in sight."""
    del task
    sources = unseen_classes(
        library.world(num_frames=1), library.remembered_world(num_frames=1), single=True
    )
    return ByClass(sources=sources, num_examples=_EXAMPLES_PER_CLASS)


def photo_places(library: Library, task: AnyTask) -> Places:
    """Photos, each a query in turn, all others its examples."""
    del task
    return Shuffled(source=library.photos())


def clip_places(library: Library, task: AnyTask) -> Places:
    """Clips of films, likewise."""
    return Shuffled(source=library.clips(num_frames=task.num_frames))


def cutout_places(library: Library, task: AnyTask) -> Places:
    """Scenes of one to five cut-outs on photos; the first 64 are examples."""
    return Unbounded(source=library.cutouts(num_frames=task.num_frames, num_things=(1, 5)))


def single_cutout_places(library: Library, task: AnyTask) -> Places:
    """Scenes of one cut-out on a photo; the first 64 are examples."""
    return Unbounded(source=library.cutouts(num_frames=task.num_frames, num_things=(1, 1)))


def imagenet_places(library: Library, task: AnyTask) -> Places:
    """ImageNet's validation photos in a fixed random order; examples are any others."""
    del task
    return Shuffled(source=library.imagenet())
