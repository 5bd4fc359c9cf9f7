"""Examples that ship with the package: for each task context pairs, and queries with their truth.

A set is a folder ``lavin_dit/examples/<side>/<task>/``: an ``index.json``, and for each pair
``<name>_input.webp`` and ``<name>_target.webp``, squares of so many pixels. There may be several
sizes, since codecs paint lines and discs of so many pixels whatever the size. A clip is a strip,
its frames from top to bottom. Pictures that codecs painted are stored without loss, photos with
little. All that a reading needs is in the index: the episode's rule, and the key of each target.
"""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.context import INPUT_ENDING, TARGET_ENDING, ContextPair
from lavin_dit.pipeline.fitting import Canvas
from lavin_dit.vision.codecs.boxes import BoxKey
from lavin_dit.vision.codecs.codec import Json, key_from_json, key_to_json
from lavin_dit.vision.codecs.depth import DepthKey
from lavin_dit.vision.codecs.flow import FlowKey
from lavin_dit.vision.codecs.instances import InstanceKey
from lavin_dit.vision.codecs.keypoints import KeypointKey
from lavin_dit.vision.codecs.panoptic import PanopticKey
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.results.files import write_atomically, write_json
from lavin_dit.vision.task import AnyTask, find_task

EXAMPLES = Path(__file__).parents[1] / "examples"
"""Folder of the sets that are part of the package, by their side in pixels."""

INDEX = "index.json"
FORMAT_VERSION = 1
_ENDING = ".webp"
_FRAMES_PER_SECOND = 12.0
_QUALITY = 92  # of photos; 100 is the best that is not lossless
_KEYS: Mapping[str, type[object]] = {
    kind.__name__: kind
    for kind in (BoxKey, DepthKey, FlowKey, InstanceKey, KeypointKey, PanopticKey)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a picture comes from, and what may be done with it.

    Attributes:
        source: Name of the source, such as ``world`` or ``photos``.
        split: Its split; never the one that trains.
        sample: Name of the sample within the source.
        licence: The licence, as it is stated.
        attribution: Whom to name.
    """

    source: str
    split: str
    sample: str
    licence: str
    attribution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One pair of a set.

    Attributes:
        name: Its name within the set: what its files begin with.
        input: What is given.
        target: What is to be painted.
        key: What turns this target into exact numbers; None where the picture says it all.
        provenance: Where it comes from.
    """

    name: str
    input: UInt8[np.ndarray, "s h w 3"]
    target: UInt8[np.ndarray, "t h w 3"]
    key: object
    provenance: Provenance

    def as_pair(self) -> ContextPair:
        """The example as a pipeline takes it."""
        return ContextPair(
            name=self.name,
            input=Clip(frames=self.input, frames_per_second=_FRAMES_PER_SECOND, name=self.name),
            target=Clip(frames=self.target, frames_per_second=_FRAMES_PER_SECOND, name=self.name),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSet:
    """The examples of one task, all by one rule.

    Attributes:
        task: The task.
        rule: What all its pairs share; None for a task that has no rule.
        class_names: Names of the classes of its source, where it has any.
        context: Pairs that show the task.
        queries: Pairs whose input is to be solved, and whose target is the truth.
    """

    task: AnyTask
    rule: object
    class_names: Mapping[int, str]
    context: tuple[Example, ...]
    queries: tuple[Example, ...]


def examples_for(canvas: Canvas, root: Path = EXAMPLES) -> Path:
    """Find the sets that were painted at the size nearest to a working size.

    Args:
        canvas: The working size.
        root: Folder of all sizes.

    Returns:
        The folder of that size.

    Raises:
        FileNotFoundError: If there are none.
    """
    sides = [int(folder.name) for folder in root.glob("*") if folder.name.isdecimal()]
    if not sides:
        raise FileNotFoundError(
            f"the examples are not part of this installation: there are none in {root}; install a "
            "release of lavin-dit, or give pairs with --context"
        )
    wanted = math.log(min(canvas.height, canvas.width))
    return root / str(min(sides, key=lambda side: abs(math.log(side) - wanted)))


def example_names(folder: Path) -> tuple[str, ...]:
    """Names of the tasks that there are examples of, in alphabetical order.

    Args:
        folder: Folder of the sets of one size.
    """
    return tuple(sorted(index.parent.name for index in folder.glob(f"*/{INDEX}")))


def load_examples(name: str, folder: Path) -> ExampleSet:
    """Read the examples of a task.

    Args:
        name: Name of the task.
        folder: Folder of the sets of one size.

    Returns:
        The set.

    Raises:
        FileNotFoundError: If there are no examples of this task, or a picture is missing.
        ValueError: If there is no such task, or the index is of another format.
    """
    task = find_task(name)
    path = folder / name / INDEX
    if not path.is_file():
        there = ", ".join(example_names(folder)) or "none"
        raise FileNotFoundError(
            f"no examples of {name} in {folder} (there are: {there}); give pairs with --context"
        )
    index = json.loads(path.read_text(encoding="utf-8"))
    if index.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{path}: format {index.get('format_version')}, this version reads {FORMAT_VERSION}"
        )
    rule = index["rule"]
    if rule is not None:
        assert task.rule_type is not None
        rule = key_from_json(task.rule_type, rule)
    read = {
        part: tuple(_read_example(path.parent, entry, task) for entry in index[part])
        for part in ("context", "queries")
    }
    return ExampleSet(
        task=task,
        rule=rule,
        class_names={int(number): text for number, text in index["class_names"].items()},
        context=read["context"],
        queries=read["queries"],
    )


def save_examples(examples: ExampleSet, folder: Path) -> int:
    """Write the examples of a task into a folder of its name.

    Args:
        examples: The set.
        folder: Folder of the sets of one size.

    Returns:
        Bytes of all its files.

    Raises:
        NotWritableError: If a file cannot be written.
    """
    task, rule = examples.task, examples.rule
    own = folder / task.name
    index: dict[str, Json] = {
        "format_version": FORMAT_VERSION,
        "task": task.name,
        "rule": None if rule is None else key_to_json(rule),
        "class_names": {str(number): text for number, text in examples.class_names.items()},
        "context": [_index_entry(example) for example in examples.context],
        "queries": [_index_entry(example) for example in examples.queries],
    }
    files = [write_json(own / INDEX, index)]
    for example in (*examples.context, *examples.queries):
        halves = ((INPUT_ENDING, example.input), (TARGET_ENDING, example.target))
        for (ending, frames), lossless in zip(halves, _is_painted(example, task), strict=True):
            path = own / f"{example.name}{ending}{_ENDING}"
            files.append(_write_strip(path, frames, lossless=lossless))
    return sum(file.stat().st_size for file in files)


def _index_entry(example: Example) -> dict[str, Json]:
    """What the index says of a pair."""
    key = example.key
    return {
        "name": example.name,
        "key": None if key is None else {"kind": type(key).__name__, "fields": key_to_json(key)},
        **asdict(example.provenance),
    }


def _read_example(folder: Path, entry: Mapping[str, Any], task: AnyTask) -> Example:
    """A pair from its files and what the index says of it."""
    name, key = entry["name"], entry["key"]
    return Example(
        name=name,
        input=_read_strip(folder / f"{name}{INPUT_ENDING}{_ENDING}", task.num_input_frames),
        target=_read_strip(folder / f"{name}{TARGET_ENDING}{_ENDING}", task.num_frames),
        key=None if key is None else key_from_json(_KEYS[key["kind"]], key["fields"]),
        provenance=Provenance(
            source=entry["source"],
            split=entry["split"],
            sample=entry["sample"],
            licence=entry["licence"],
            attribution=entry["attribution"],
        ),
    )


def _is_painted(example: Example, task: AnyTask) -> tuple[bool, bool]:
    """Whether input and target are a codec's paintings, whose exact colours have a meaning."""
    photo_wanted = isinstance(task.read(example.target).annotation, Rgb)
    # A photo from an annotation (depth-to-image) has a painted input; one from a photo needs none.
    return photo_wanted and bool(task.needs), not photo_wanted


def _write_strip(path: Path, frames: UInt8[np.ndarray, "t h w 3"], *, lossless: bool) -> Path:
    """Write frames from top to bottom as one picture."""
    data = io.BytesIO()
    Image.fromarray(np.concatenate(list(frames))).save(
        data, format="WEBP", method=6, lossless=lossless, quality=100 if lossless else _QUALITY
    )
    return write_atomically(path, lambda file: file.write(data.getvalue()))


def _read_strip(path: Path, num_frames: int) -> UInt8[np.ndarray, "t h w 3"]:
    """Read frames that stand below each other.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its height is not that of so many frames.
    """
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    if len(pixels) % num_frames:
        raise ValueError(f"{path}: {len(pixels)} rows of pixels are not {num_frames} frames")
    return pixels.reshape(num_frames, -1, *pixels.shape[1:])
