"""OpenCV, imported when it is first needed."""

from functools import cache
from types import ModuleType


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
            "this needs OpenCV; install it with: pip install 'lavin-dit[data]'"
        ) from error
    return module
