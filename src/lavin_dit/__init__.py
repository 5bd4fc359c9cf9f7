"""LaVin-DiT: one diffusion transformer that learns a vision task from example pairs.

``from lavin_dit import LavinDiTPipeline`` is all that most users need. Importing the package itself
loads no network library: the pipeline is imported when its name is first asked for, so that
``lavin --help`` answers at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lavin_dit.pipeline.pipeline import LavinDiTPipeline, Prediction

__version__ = "0.1.0"
__all__ = ["LavinDiTPipeline", "Prediction", "__version__"]


def __getattr__(name: str) -> object:
    """Import the pipeline when it is first asked for."""
    if name in {"LavinDiTPipeline", "Prediction"}:
        from lavin_dit.pipeline import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module 'lavin_dit' has no attribute {name!r}")
