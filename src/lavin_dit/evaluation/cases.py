"""Cases: numbered episodes with their truth, the same ones every time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from lavin_dit.data.augment import Framing
from lavin_dit.data.episodes import EpisodeDrawer, NoEpisodeError
from lavin_dit.datasets.source import UnusableSampleError
from lavin_dit.evaluation.asked import asked_annotation
from lavin_dit.evaluation.samples import Place, Places
from lavin_dit.vision.codecs.codec import Annotation
from lavin_dit.vision.episode import Episode
from lavin_dit.vision.sample import Sample
from lavin_dit.vision.task import AnyTask, NothingToPaintError

# What a seed is for, so that no two uses share random numbers.
_EPISODES, _QUERIES, _RULES = range(3)
_MAX_TRIES_PER_CASE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What is needed to draw a case again.

    Attributes:
        number: 0 for the first query, and so on.
        turn: How many places the protocol had offered before.
        place: Where its samples come from.
    """

    number: int
    turn: int
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One query of a protocol.

    Attributes:
        ticket: Its number and place.
        episode: Its episode.
        task: The task, which reads predictions.
        truth: What a perfect prediction would be read as, in native units.
    """

    ticket: Ticket
    episode: Episode
    task: AnyTask
    truth: Annotation

    @property
    def number(self) -> int:
        """0 for the first query, and so on."""
        return self.ticket.number

    def whole_sample(self) -> Sample:
        """The query's sample as its source has it, at its own size; read again."""
        place = self.ticket.place
        return place.source[place.query]

    @property
    def group(self) -> str:
        """Class that the episode is about; "" where that does not matter."""
        return self.ticket.place.group


class Cases:
    """The queries of a protocol, drawn one after another.

    A place whose sample cannot be used is passed over and counted. Everything random follows from
    the seed and the place. The query and what is random in its rendering stay the same when the
    number of pairs changes, so that context lengths are compared on the same queries.

    Attributes:
        task: What is asked.
        skipped: How many samples and places the last walk passed over, by reason.
    """

    def __init__(
        self,
        task: AnyTask,
        places: Places,
        *,
        framing: Framing,
        num_cases: int,
        num_pairs: int,
        seed: int,
    ) -> None:
        """Say what to draw; nothing is read yet.

        Args:
            task: What is asked.
            places: Where.
            framing: How samples come to the size of the episodes.
            num_cases: Most queries.
            num_pairs: Context pairs of each.
            seed: Source of all randomness.
        """
        self.task = task
        self.skipped: Counter[str] = Counter()
        self._places = places
        self._framing = framing
        self._num_cases = num_cases
        self._num_pairs = num_pairs
        self._seed = seed

    def __iter__(self) -> Iterator[Case]:
        """Draw the cases from the first on.

        Yields:
            As many cases as were asked for, or as the places allow.

        Raises:
            NoEpisodeError: If none can be drawn.
        """
        self.skipped.clear()
        number = 0
        for turn, place in enumerate(self._places):
            if number == self._num_cases or turn >= _MAX_TRIES_PER_CASE * self._num_cases:
                break
            case = self.draw(Ticket(number=number, turn=turn, place=place))
            if case is not None:
                number += 1
                yield case
        if not number:
            reasons = "; ".join(f"{count} x {why}" for why, count in self.skipped.most_common(3))
            raise NoEpisodeError(
                f"has no query of {self.task.name} that could be drawn: {reasons or 'no data'}"
            )

    def draw(self, ticket: Ticket) -> Case | None:
        """Draw one case, for the first time or again.

        Args:
            ticket: Its number and place.

        Returns:
            The case; None, and the reason is counted, if its sample cannot be the query.
        """
        place, task = ticket.place, self.task
        drawer = EpisodeDrawer(task, place.source, framing=self._framing)
        own = np.random.default_rng([self._seed, ticket.turn, _QUERIES])
        try:
            sample = drawer.read(place.query, generator=own)
            episode = drawer.episode(
                np.random.default_rng([self._seed, ticket.turn, _EPISODES]),
                num_pairs=self._num_pairs,
                query=place.query,
                among=place.among,
                rule_seed=[self._seed, ticket.turn, _RULES],
                skipped=self.skipped,
            )
            # If the drawer had to take another query, its reason has been counted.
            if episode.query_name != sample.name:
                return None
            pair = task.render(sample, rule=episode.rule, generator=own)
        except (UnusableSampleError, NothingToPaintError) as error:
            self.skipped[error.reason] += 1
            return None
        except NoEpisodeError:
            self.skipped["too few examples"] += 1
            return None
        return Case(
            ticket=ticket,
            episode=replace(episode, query=pair),
            task=task,
            truth=asked_annotation(task, sample, pair, rule=episode.rule),
        )
