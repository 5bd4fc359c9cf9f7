"""Pixels of video files: the matrix between RGB and what is stored, and H.264.

Players take a video of 720 rows and more for BT.709 where it doesn't say, and a smaller one for
BT.601. What is written says so and follows it; what is read and doesn't say is taken likewise.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    import av

_HD_ROWS = 720
_UNSPECIFIED = 2
_BT709, _BT601 = 1, 5
_VP9_ENDING = ".webm"


def decoded_frame(frame: "av.VideoFrame") -> UInt8[np.ndarray, "h w 3"]:
    """A frame of a video as RGB.

    Args:
        frame: As it was decoded.
    """
    from av.video.reformatter import Colorspace

    if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_ROWS:
        return frame.to_ndarray(format="rgb24", src_colorspace=Colorspace.ITU709)
    return frame.to_ndarray(format="rgb24")


def encode_video(
    frames: UInt8[np.ndarray, "t h w 3"],
    target: BinaryIO | str,
    *,
    frames_per_second: float,
    container_format: str | None = None,
) -> None:
    """Write a video: H.264, or VP9 into ``.webm``, which holds no H.264.

    Colours are at half resolution, which players expect, unless height or width is odd.

    Args:
        frames: RGB, 0 to 255.
        target: An open file, or a path.
        frames_per_second: Speed.
        container_format: Such as ``mp4``; what the path's ending says if None.

    Raises:
        OSError: If it can't be written.
    """
    import av  # slow to import, and needed for clips alone
    from av.video.reformatter import Colorspace

    height, width = frames.shape[1:3]
    is_hd = height >= _HD_ROWS
    matrix = Colorspace.ITU709 if is_hd else Colorspace.ITU601
    is_vp9 = isinstance(target, str) and target.lower().endswith(_VP9_ENDING)
    options = {"crf": "20", "b": "0"} if is_vp9 else {"crf": "12"}
    with av.open(target, "w", format=container_format) as container:
        rate = max(Fraction(frames_per_second).limit_denominator(1001), Fraction(1, 1001))
        stream = container.add_stream(
            "libvpx-vp9" if is_vp9 else "libx264", rate=rate, options=options
        )
        stream.height, stream.width = height, width
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        stream.codec_context.colorspace = _BT709 if is_hd else _BT601
        for pixels in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            stored = picture.reformat(format=stream.pix_fmt, dst_colorspace=matrix)
            container.mux(stream.encode(stored))
        container.mux(stream.encode())
