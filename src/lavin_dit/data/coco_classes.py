"""The 80 classes of COCO that detectors tell apart, in COCO's own numbers, which have gaps."""

from collections.abc import Mapping
from types import MappingProxyType

_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # numbers of classes that were never annotated
_NAMES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog",
    "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella",
    "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange",
    "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant",
    "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors",
    "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

COCO_NUMBERS = tuple(number for number in range(1, 91) if number not in _GAPS)
"""COCO's number of each class, in the order in which detectors count them from 0."""

COCO_CLASSES: Mapping[int, str] = MappingProxyType(dict(zip(COCO_NUMBERS, _NAMES, strict=True)))
"""Name of each class, by COCO's number."""
