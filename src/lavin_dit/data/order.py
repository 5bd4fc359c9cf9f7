"""Orders that are pure functions of a seed and a position: no state, nothing to store.

A :class:`Schedule` says which of several choices comes at a position, and how often it came
before; an :class:`Order` says which sample comes at a position of an endless shuffled walk.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

_SHORTEST_CYCLE = 256
_LONGEST_CYCLE = 1 << 16
_WORD = (1 << 64) - 1


def permuted(position: int, *, length: int, seed: int) -> int:
    """Where a pseudo-random permutation sends one position, without making the others.

    A Feistel network over the smallest even number of bits that holds the length; what falls
    outside is sent on until it lies inside.

    Args:
        position: 0 to ``length - 1``.
        length: Number of positions.
        seed: Which permutation; of 64 bits.

    Returns:
        A number from 0 to ``length - 1``; different positions give different numbers.
    """
    half_bits = max(1, ((length - 1).bit_length() + 1) // 2)
    mask = (1 << half_bits) - 1
    result = position
    while True:
        left, right = result >> half_bits, result & mask
        for turn in range(4):
            left, right = right, left ^ (_scrambled(right + (turn << 40) + seed) & mask)
        result = left << half_bits | right
        if result < length:
            return result


def _scrambled(value: int) -> int:
    """Splitmix64: 64 bits, each of which depends on all bits of the value."""
    value = (value + 0x9E3779B97F4A7C15) & _WORD
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _WORD
    return value ^ value >> 31


def derived_seed(*entropy: int) -> int:
    """A seed of 64 bits that differs wherever one of the numbers differs."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


class Schedule:
    """Choices in the proportions of their weights, in shuffled cycles.

    Every cycle holds every choice in its exact number, so that proportions hold after each cycle
    and not only in the long run, and how often a choice came before a position is known at once.
    """

    def __init__(self, weights: Sequence[float], *, seed: int) -> None:
        """Find a cycle in which every share is right to a hundredth of itself.

        Args:
            weights: Weight of each choice, above 0.
            seed: Which schedule.

        Raises:
            ValueError: If a weight is not above 0, or too small beside the others.
        """
        if not weights or not all(math.isfinite(weight) and weight > 0 for weight in weights):
            raise ValueError(f"weights must be finite and above 0, got {list(weights)}")
        self._counts = _counts(np.array(weights, dtype=np.float64))
        self._length = int(self._counts.sum())
        self._seed = seed
        self._cycle: tuple[int, Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]] | None = None

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of each choice; sums to 1."""
        return tuple(float(count / self._length) for count in self._counts)

    def at(self, position: int) -> tuple[int, int]:
        """What comes at a position.

        Args:
            position: 0 or above.

        Returns:
            The choice, and how often it came before.
        """
        number, place = divmod(position, self._length)
        if self._cycle is None or self._cycle[0] != number:
            self._cycle = (number, *self._shuffled(number))
        choice = int(self._cycle[1][place])
        return choice, number * int(self._counts[choice]) + int(self._cycle[2][place])

    def _shuffled(self, number: int) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """The choices of one cycle, and for each place how often its choice came before in it."""
        choices = np.repeat(np.arange(len(self._counts), dtype=np.int64), self._counts)
        np.random.default_rng([self._seed, number]).shuffle(choices)
        before = np.empty_like(choices)
        before[np.argsort(choices, kind="stable")] = np.concatenate(
            [np.arange(count, dtype=np.int64) for count in self._counts]
        )
        return choices, before


def _counts(weights: np.ndarray) -> Int64[np.ndarray, " n"]:
    """Number of times that each choice comes in the shortest cycle that is accurate enough."""
    shares = weights / weights.sum()
    if len(shares) == 1:
        return np.ones(1, dtype=np.int64)
    length = _SHORTEST_CYCLE
    while length <= _LONGEST_CYCLE:
        counts = np.rint(shares * length).astype(np.int64)
        if np.all(np.abs(counts / counts.sum() - shares) <= 0.01 * shares):
            return counts // np.gcd.reduce(counts)
        length *= 2
    raise ValueError(
        f"a weight of {weights.min():g} beside a total of {weights.sum():g} is too small to be "
        "scheduled; leave it out or raise it"
    )


class Order:
    """An endless walk over samples: every epoch visits each sample once, in another order.

    With blocks, the samples of one block (some shards) are visited one after the other, so that
    few shards are needed at a time; blocks come in another order in each epoch.
    """

    def __init__(self, length: int, *, seed: int, block_size: int | None = None) -> None:
        """Divide the samples into blocks.

        Args:
            length: Number of samples.
            seed: Which order.
            block_size: About how many neighbouring samples form a block; None for one block.

        Raises:
            ValueError: If there are no samples, or blocks would be empty.
        """
        if length < 1 or (block_size is not None and block_size < 1):
            raise ValueError(
                f"an order needs samples and blocks that hold some, got {length} and {block_size}"
            )
        num_blocks = max(1, length // (block_size or length))
        self._starts = np.arange(num_blocks + 1, dtype=np.int64) * length // num_blocks
        self._length = length
        self._seed = seed
        self._epoch: tuple[int, Int64[np.ndarray, " n"], Int64[np.ndarray, " m"]] | None = None

    @property
    def smallest_block(self) -> int:
        """Number of samples of the smallest block."""
        return int(np.diff(self._starts).min())

    def at(self, position: int) -> tuple[int, range]:
        """The sample at a position of the walk.

        Args:
            position: 0 or above.

        Returns:
            The sample's index, and the indices of its block.
        """
        epoch, place = divmod(position, self._length)
        if self._epoch is None or self._epoch[0] != epoch:
            blocks = np.random.default_rng([self._seed, epoch]).permutation(len(self._starts) - 1)
            sizes = np.diff(self._starts)[blocks]
            ends = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
            self._epoch = (epoch, blocks, ends)
        _, blocks, ends = self._epoch
        turn = int(np.searchsorted(ends, place, side="right")) - 1
        block = int(blocks[turn])
        start, stop = int(self._starts[block]), int(self._starts[block + 1])
        inside = permuted(
            place - int(ends[turn]),
            length=stop - start,
            seed=derived_seed(self._seed, epoch, block),
        )
        return start + inside, range(start, stop)
