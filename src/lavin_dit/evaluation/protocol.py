"""What a protocol is, and finding protocols by name.

A module of ``lavin_dit.evaluation.protocols`` holds protocols in a tuple ``PROTOCOLS``; a new file
is found without being registered. A protocol's name is that of its data and of its task:
``world-depth_estimation``. Protocols do not import each other.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from lavin_dit.data.augment import CentralFraming, Framing
from lavin_dit.evaluation.framing import StretchedFraming
from lavin_dit.evaluation.library import Library
from lavin_dit.evaluation.measures import MEASURES
from lavin_dit.evaluation.samples import Places
from lavin_dit.evaluation.scorers import Scorer
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import AnyTask

_PACKAGE = "lavin_dit.evaluation.protocols"

OpenPlaces: TypeAlias = Callable[[Library, AnyTask], Places]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a trained model has to reach.

    Attributes:
        score: The score that is compared.
        relation: Whether it has to be at least or at most the limit.
        value: The limit, or what is done with the other score that the limit hangs on.
        beside: Predictor whose score the limit hangs on; None for a limit of its own.
        change: The limit is that score ``plus`` the value, or ``times`` the value.
        protocol: Protocol of the other score, where it is not this one; its score of the same name.
        of: Predictor that has to reach it.
    """

    score: str
    relation: Literal["at least", "at most"]
    value: float
    beside: str | None = None
    change: Literal["plus", "times"] = "plus"
    protocol: str | None = None
    of: str = "model"

    def limit(self, other: float | None) -> float:
        """The limit.

        Args:
            other: The score that it hangs on; None if it hangs on none.

        Returns:
            What the score has to reach.
        """
        if other is None:
            return self.value
        return other + self.value if self.change == "plus" else other * self.value

    def is_met(self, score: float, *, other: float | None) -> bool:
        """Whether a score reaches the limit; NaN never does."""
        limit = self.limit(other)
        return score >= limit if self.relation == "at least" else score <= limit


def _nothing() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How one task is measured on some data.

    Attributes:
        name: Data and task.
        task: The task, with the settings of this protocol.
        places: Opens the data and says which samples are queries and which examples.
        scorer: From a painted prediction to scores.
        primary: The score that orders queries from best to worst.
        baselines: Names of the baselines that are shown beside.
        summary: What is asked, in a line.
        num_queries: Number of queries, unless the user says otherwise.
        num_pairs: Context pairs of each, likewise.
        seed: What examples are drawn from.
        stretched: Whether pictures are stretched to the size; otherwise their middle is cut out.
        paper: The paper's scores of its largest model, by name; only where protocol and data are
            its own.
        source: Where the paper's scores stand.
        bars: What a trained model has to reach.
    """

    name: str
    task: AnyTask
    places: OpenPlaces
    scorer: Scorer
    primary: str
    baselines: tuple[str, ...]
    summary: str
    num_queries: int = 100
    num_pairs: int = 4
    seed: int = 0
    stretched: bool = False
    paper: Mapping[str, float] = field(default_factory=_nothing)
    source: str = ""
    bars: tuple[Bar, ...] = ()

    def __post_init__(self) -> None:
        """Check that all scores have a title."""
        unknown = {self.primary, *self.paper, *(bar.score for bar in self.bars)} - MEASURES.keys()
        if unknown:
            raise ValueError(f"{self.name}: no measure is called {', '.join(sorted(unknown))}")

    @property
    def data(self) -> str:
        """The data's name."""
        return self.name.partition("-")[0]

    @property
    def is_offline(self) -> bool:
        """Whether it is measured on what the project makes or fetches itself."""
        return self.data in ("world", "photos", "cutouts", "clips")

    def framing(self, size: Size) -> Framing:
        """How samples come to a size."""
        return StretchedFraming(size=size) if self.stretched else CentralFraming(size=size)


def with_num_frames(task: AnyTask, num_frames: int) -> AnyTask:
    """A task for clips of another length; a task of single images as it is.

    Args:
        task: The task.
        num_frames: 5, 9, 13 and so on.

    Returns:
        The task.
    """
    record: Any = task
    if task.num_frames == 1:
        return task
    if "num_frames" in {one.name for one in fields(record)}:
        return replace(record, num_frames=num_frames)
    return replace(record, num_future=num_frames - task.num_input_frames)


def discover_protocols() -> Mapping[str, Protocol]:
    """All protocols by name, in the order of their modules' names.

    Returns:
        Protocols of all modules of ``lavin_dit.evaluation.protocols``.

    Raises:
        ValueError: If two have one name.
    """
    found: dict[str, Protocol] = {}
    for protocol in _walk():
        if protocol.name in found:
            raise ValueError(f"two protocols are called {protocol.name}")
        found[protocol.name] = protocol
    return found


def find_protocol(name: str) -> Protocol:
    """One protocol by name.

    Args:
        name: Such as ``world-depth_estimation``.

    Returns:
        The protocol.

    Raises:
        ValueError: If there is no such protocol; the message names those that there are.
    """
    protocols = discover_protocols()
    if name not in protocols:
        raise ValueError(f"there is no protocol {name!r}; there are {', '.join(protocols)}")
    return protocols[name]


def _walk() -> Iterator[Protocol]:
    """The protocols of all modules."""
    package = importlib.import_module(_PACKAGE)
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"{_PACKAGE}.{found.name}")
        yield from module.PROTOCOLS
