"""States: what is kept of scored samples, so that scores of parts merge exactly."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

StateType = TypeVar("StateType", bound="State")


@runtime_checkable
class State(Protocol):
    """What is known after scoring some samples; a frozen record."""

    def merge(self: StateType, other: StateType) -> StateType:
        """The state after scoring the samples of both."""
        ...

    def scores(self) -> Mapping[str, float]:
        """Each score by name; NaN for one that these samples say nothing about."""
        ...


MergedType = TypeVar("MergedType", bound=State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraction:
    """Numerator and denominator of a quotient of sums."""

    numerator: float
    denominator: float

    def __add__(self, other: "Fraction") -> "Fraction":
        """Add numerators and denominators, as sums over more samples do."""
        return Fraction(
            numerator=self.numerator + other.numerator,
            denominator=self.denominator + other.denominator,
        )

    @property
    def value(self) -> float:
        """The quotient; NaN over nothing."""
        return self.numerator / self.denominator if self.denominator else math.nan


def _no_entries() -> Mapping[tuple[str, str], Fraction]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotients:
    """Scores that are quotients of sums, or means of such quotients over groups.

    A mean over samples counts 1 in the denominator for each, a mean over pixels the pixels, a
    mean over classes has a group for each class.

    Attributes:
        entries: Numerator and denominator by score and group; the group is "" where there is one
            alone.
    """

    entries: Mapping[tuple[str, str], Fraction] = field(default_factory=_no_entries)

    def merge(self, other: "Quotients") -> "Quotients":
        """Add numerators and denominators."""
        merged = dict(self.entries)
        for key, fraction in other.entries.items():
            merged[key] = merged[key] + fraction if key in merged else fraction
        return Quotients(entries=merged)

    def scores(self) -> Mapping[str, float]:
        """The mean over groups of each score's quotients; groups over nothing are left out."""
        values: dict[str, list[float]] = {}
        for (name, _), fraction in self.entries.items():
            values.setdefault(name, [])
            if fraction.denominator:
                values[name].append(fraction.value)
        return {
            name: math.fsum(own) / len(own) if own else math.nan for name, own in values.items()
        }


def sample_means(**values: float) -> Quotients:
    """Scores of one sample, to be averaged over samples.

    Args:
        **values: The scores; a sample that says nothing about one has NaN, and is left out of
            that score's mean.

    Returns:
        Their state.
    """
    return Quotients(
        entries={
            (name, ""): Fraction(
                numerator=0.0 if math.isnan(value) else value,
                denominator=0.0 if math.isnan(value) else 1.0,
            )
            for name, value in values.items()
        }
    )


def quotient(name: str, numerator: float, denominator: float, *, group: str = "") -> Quotients:
    """One score as a quotient of sums.

    Args:
        name: The score.
        numerator: Sum over what is counted here.
        denominator: How much is counted; 0 for nothing.
        group: Group, such as a class, whose quotient is averaged with those of other groups.

    Returns:
        Its state.
    """
    fraction = Fraction(numerator=float(numerator), denominator=float(denominator))
    return Quotients(entries={(name, group): fraction})


def merge_all(states: Iterable[MergedType]) -> MergedType:
    """Merge states one after another.

    Args:
        states: At least one.

    Returns:
        The state of all their samples.

    Raises:
        ValueError: If there is none.
    """
    remaining = iter(states)
    merged = next(remaining, None)
    if merged is None:
        raise ValueError("there is no state to merge")
    for state in remaining:
        merged = merged.merge(state)
    return merged
