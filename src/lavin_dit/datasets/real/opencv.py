"""OpenCV, imported when it is first needed."""

from functools import cache
from types import ModuleType

from lavin_dit.extras import how_to_install


@cache
def cv2() -> ModuleType:
    """The module ``cv2``.

    Raises:
        ImportError: If it is not installed; the message says how to install it.
    """
    try:
        import cv2 as module
    except ImportError as error:
        raise ImportError(
            f"this needs OpenCV, which is not installed: {how_to_install('data')}"
        ) from error
    return module
