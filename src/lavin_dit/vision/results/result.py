"""What all results have in common."""

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.codecs.rgb import Rgb


@runtime_checkable
class Result(Protocol):
    """A record of what was read from a task's target picture.

    Results are dataclass records, so a result at another size is
    ``replace(result, annotation=result.annotation.resize(size))``.
    """

    @property
    def annotation(self) -> Annotation:
        """What was read, in native units."""
        ...

    def draw(self, photo: Rgb | None = None) -> UInt8[np.ndarray, "t h w 3"]:
        """A picture for people, which is not made to be read back.

        Args:
            photo: What was annotated, of the same shape; drawn underneath where that helps.

        Returns:
            The picture.
        """
        ...

    def save(self, folder: Path, *, stem: str) -> tuple[Path, ...]:
        """Write the formats that people use for this kind.

        Every file is complete or not there: it is written under another name and then renamed.
        An image is written as ``stem.<ending>``; the frames of a clip as ``stem_0000.<ending>``,
        ``stem_0001.<ending>`` and so on, where the format holds one frame.

        Args:
            folder: Where to write; made if it is not there.
            stem: Name of the files without their ending.

        Returns:
            The files written.

        Raises:
            NotWritableError: If a file cannot be written; the message says which, and why.
        """
        ...
