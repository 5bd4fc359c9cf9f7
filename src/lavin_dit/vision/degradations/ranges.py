"""What all degradations share: ranges to draw from, and OpenCV when it is needed."""

from typing import Any

from lavin_dit.extras import how_to_install

Number = int | float
Range = tuple[Number, Number]


def check_range(values: Range, *, name: str, least: Number, most: Number) -> None:
    """Check that a range is one, and lies within limits.

    Args:
        values: Its ends.
        name: What it is a range of, for the error.
        least: Smallest value allowed.
        most: Largest value allowed.

    Raises:
        ValueError: If it is not.
    """
    if not least <= values[0] <= values[1] <= most:
        raise ValueError(f"{name} must be a range within {least} to {most}, got {values}")


def load_opencv() -> Any:  # noqa: ANN401  # OpenCV ships partial types
    """OpenCV, which is not loaded before a degradation needs it.

    Returns:
        The module.

    Raises:
        ModuleNotFoundError: If it is not installed; the message says how to get it.
    """
    try:
        import cv2
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"this needs OpenCV, which is not installed: {how_to_install('data')}"
        ) from error
    return cv2
