"""An index of annotations in COCO's JSON format.

The index holds numbers, not annotations: what an annotation says about pixels is read from the
JSON file again when its sample is read. For COCO's 860 thousand instances it takes about 30 MB,
for the 25 million boxes of Objects365 about 900 MB. Building it parses the file once (ten
seconds, minutes for Objects365) at twice that memory; a cache folder saves it.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, Shaped

from lavin_dit.datasets.json_stream import JsonObject, Piece, read_pieces, stream_json
from lavin_dit.vision.geometry import Size

_FORMAT = 1  # of cached indices

# Why an annotation is left out, or None where it is kept.
Verdict = Callable[[JsonObject], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoIndex:
    """Images and annotations of one JSON file; image ``i`` owns the rows from its start on.

    Attributes:
        image_ids: Number of each image in the file, ascending.
        heights: Height in pixels of each image.
        widths: Width in pixels of each image.
        file_names: UTF-8 path of each image.
        starts: First row of each image, and the number of rows at the end.
        category_ids: Category of each annotation; 0 where it has none.
        boxes_px: Left, top, right and bottom of each annotation within its image; 0 where it
            has none.
        offsets: Position in the file of the first byte of each annotation.
        lengths: Bytes of each annotation.
        category_numbers: Number of each category.
        category_names: UTF-8 name of each category.
        reasons: UTF-8 reason why annotations were left out.
        reason_counts: How many were left out for it.
    """

    image_ids: Int64[np.ndarray, " images"]
    heights: Int32[np.ndarray, " images"]
    widths: Int32[np.ndarray, " images"]
    file_names: Shaped[np.ndarray, " images"]
    starts: Int64[np.ndarray, " images+1"]
    category_ids: Int32[np.ndarray, " rows"]
    boxes_px: Float32[np.ndarray, "rows 4"]
    offsets: Int64[np.ndarray, " rows"]
    lengths: Int32[np.ndarray, " rows"]
    category_numbers: Int32[np.ndarray, " categories"]
    category_names: Shaped[np.ndarray, " categories"]
    reasons: Shaped[np.ndarray, " reasons"]
    reason_counts: Int64[np.ndarray, " reasons"]

    @property
    def skipped(self) -> Counter[str]:
        """How many annotations were left out, by reason."""
        names = [reason.decode() for reason in self.reasons.tolist()]
        return Counter(dict(zip(names, self.reason_counts.tolist(), strict=True)))

    @property
    def class_names(self) -> dict[int, str]:
        """Name of each category."""
        names = [name.decode() for name in self.category_names.tolist()]
        return dict(zip(self.category_numbers.tolist(), names, strict=True))

    @property
    def annotated(self) -> Bool[np.ndarray, " images"]:
        """Which images have annotations that were kept."""
        return np.diff(self.starts) > 0

    def file_name(self, image: int) -> str:
        """Path of an image as the file gives it."""
        return bytes(self.file_names[image]).decode()

    def size(self, image: int) -> Size:
        """Height and width of an image as the file gives them."""
        return Size(height=int(self.heights[image]), width=int(self.widths[image]))

    def rows(self, image: int) -> slice:
        """Rows of an image."""
        return slice(int(self.starts[image]), int(self.starts[image + 1]))

    def annotations(self, path: Path, image: int) -> list[JsonObject]:
        """Read the annotations of an image from the JSON file that was indexed."""
        rows = self.rows(image)
        places = zip(self.offsets[rows].tolist(), self.lengths[rows].tolist(), strict=True)
        return read_pieces(path, list(places))


def index_coco_json(
    path: Path, *, verdict: Verdict, purpose: str, needs_box: bool, cache: Path | None = None
) -> CocoIndex:
    """Go through a file of annotations once.

    Args:
        path: A JSON file with images, annotations and categories.
        verdict: Says of an annotation why it is left out, if it is.
        purpose: Name of the verdict, for the cache.
        needs_box: Whether annotations whose box has no area within its image are left out.
        cache: Folder that keeps the index for the next time; none where None. An index is made
            anew when the file has changed.

    Returns:
        The index.

    Raises:
        ValueError: If the file is not such JSON.
    """
    if cache is None:
        return _build(path, verdict, needs_box=needs_box)
    state = path.stat()
    key = f"{path.resolve()} {state.st_size} {state.st_mtime_ns} {purpose} {needs_box} {_FORMAT}"
    kept = cache / f"{path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
    if kept.exists():
        with np.load(kept) as arrays:
            return CocoIndex(**{field.name: arrays[field.name] for field in fields(CocoIndex)})
    index = _build(path, verdict, needs_box=needs_box)
    cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial.npz")
    np.savez(partial, **{field.name: getattr(index, field.name) for field in fields(CocoIndex)})
    partial.rename(kept)
    return index


class _Rows:
    """Columns that grow while the file goes by, a few bytes an annotation."""

    def __init__(self) -> None:
        self.image_ids = array("q")
        self.category_ids = array("i")
        self.boxes = array("f")
        self.offsets = array("q")
        self.lengths = array("i")

    def append(self, piece: Piece) -> None:
        """Add an annotation."""
        annotation: JsonObject = piece.value
        left, top, width, height = annotation.get("bbox", (0, 0, 0, 0))
        self.image_ids.append(annotation["image_id"])
        self.category_ids.append(annotation.get("category_id", 0))
        self.boxes.extend((left, top, left + width, top + height))
        self.offsets.append(piece.offset)
        self.lengths.append(piece.length)


def _build(path: Path, verdict: Verdict, *, needs_box: bool) -> CocoIndex:
    """Go through the file once."""
    rows = _Rows()
    images: list[tuple[int, int, int, bytes]] = []
    categories: list[tuple[int, bytes]] = []
    skipped: Counter[str] = Counter()
    for piece in stream_json(path):
        if piece.key == "annotations":
            reason = verdict(piece.value)
            if reason is None:
                rows.append(piece)
            else:
                skipped[reason] += 1
        elif piece.key == "images":
            image: JsonObject = piece.value
            name = str(image["file_name"]).encode()
            images.append((image["id"], image["height"], image["width"], name))
        elif piece.key == "categories":
            categories.append((piece.value["id"], str(piece.value["name"]).encode()))
    if not images:
        raise ValueError(f"{path} lists no images")
    images.sort()
    return _assemble(rows, images, categories, skipped=skipped, needs_box=needs_box)


def _assemble(
    rows: _Rows,
    images: list[tuple[int, int, int, bytes]],
    categories: list[tuple[int, bytes]],
    *,
    skipped: Counter[str],
    needs_box: bool,
) -> CocoIndex:
    """Sort the annotations by image and cut their boxes at its border."""
    image_ids = np.array([image[0] for image in images], dtype=np.int64)
    heights = np.array([image[1] for image in images], dtype=np.int32)
    widths = np.array([image[2] for image in images], dtype=np.int32)
    owners = np.frombuffer(rows.image_ids, dtype=np.int64)
    places = np.searchsorted(image_ids, owners).clip(0, len(image_ids) - 1)
    boxes = np.frombuffer(rows.boxes, dtype=np.float32).reshape(-1, 4)
    limits = np.stack([widths, heights] * 2, axis=1)[places].astype(np.float32)
    boxes = boxes.clip(np.float32(0), limits)
    listed = image_ids[places] == owners
    with_area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1) & np.isfinite(boxes).all(axis=1)
    skipped["annotation of an image that is not listed"] += int((~listed).sum())
    keep = listed
    if needs_box:
        skipped["box without area"] += int((listed & ~with_area).sum())
        keep = listed & with_area
    order = np.flatnonzero(keep)[np.argsort(places[keep], kind="stable")]
    counts = np.bincount(places[order], minlength=len(image_ids))
    reasons = [(reason, count) for reason, count in sorted(skipped.items()) if count]
    return CocoIndex(
        image_ids=image_ids,
        heights=heights,
        widths=widths,
        file_names=_texts([image[3] for image in images]),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        category_ids=np.frombuffer(rows.category_ids, dtype=np.int32)[order],
        boxes_px=boxes[order],
        offsets=np.frombuffer(rows.offsets, dtype=np.int64)[order],
        lengths=np.frombuffer(rows.lengths, dtype=np.int32)[order],
        category_numbers=np.array([number for number, _ in categories], dtype=np.int32),
        category_names=_texts([name for _, name in categories]),
        reasons=_texts([reason.encode() for reason, _ in reasons]),
        reason_counts=np.array([count for _, count in reasons], dtype=np.int64),
    )


def _texts(texts: Iterable[bytes]) -> Shaped[np.ndarray, " n"]:
    """Byte strings in one array."""
    found = list(texts)
    return np.array(found, dtype=np.bytes_) if found else np.zeros(0, dtype="S1")


def object_verdict(annotation: Mapping[str, object]) -> str | None:
    """Leave out groups of things: they are no single object, and their region is void."""
    return "crowd region" if annotation.get("iscrowd", 0) else None


def every_verdict(annotation: Mapping[str, object]) -> str | None:
    """Leave out nothing."""
    del annotation
    return None
