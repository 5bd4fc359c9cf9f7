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
            "this needs OpenCV, which is not installed: pip install 'lavin-dit[data]' "
            "(in a checkout: -e '.[data]')"
        ) from error
    return module
