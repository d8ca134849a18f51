"""Ask for pairs, check them, count them, and keep every log-ratio with its N and its launch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from harness.search.result import BudgetSpent, Unmeasurable
from harness.search.sign_test import pooled_noise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.search.equivalence import DifferenceModel
    from harness.search.result import Measure

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
SAMPLES_A_PAIR = 2


@dataclass(frozen=True)
class Observations:
    """Log-ratios of pairs, flat and in time order: `heads[i]`, `launch[i]`, `log_ratio[i]`, each [pairs]."""

    heads: Integers
    launch: Integers
    log_ratio: Floats

    def within(self, low: int, high: int, first_launch: int = 0) -> Observations:
        """Only those with low <= N <= high that were seen in `first_launch` or later."""
        keep = (self.heads >= low) & (self.heads <= high) & (self.launch >= first_launch)
        return Observations(self.heads[keep], self.launch[keep], self.log_ratio[keep])


class Sampler:
    """Calls the measure and holds what came back."""

    def __init__(self, measure: Measure, budget: int, seed: int, on_visit: Callable[[], None]) -> None:
        self.random = np.random.default_rng(seed)
        self.launch = 0
        self.samples = 0
        self.left_out: dict[int, Unmeasurable] = {}
        self.differences: dict[tuple[tuple[int, ...], float], DifferenceModel] = {}  # until the next visit
        self._measure = measure
        self._budget = budget
        self._on_visit = on_visit
        self._batches: list[tuple[int, int, Floats]] = []
        self._by_heads: dict[int, dict[int, Floats]] = {}  # and by launch, ascending
        self._together: dict[int, Floats] = {}
        self._flat: Observations | None = None
        self._steps: list[Floats] = []
        self._differences: Floats | None = None
        self._noise: float | None = None

    @property
    def remaining(self) -> int:
        """Timed samples that may still be asked for."""
        return self._budget - self.samples

    @property
    def visited(self) -> list[int]:
        """Every N that was timed, ascending."""
        return sorted(self._by_heads)

    def visit(self, heads: int, rounds: int) -> None:
        """Time `rounds` pairs at N = `heads` (fewer where the budget ends).

        Raises:
            BudgetSpent: not one pair more may be timed.
            ValueError: the measure's answer is not what it promised.
        """
        if heads in self.left_out or rounds < 1:
            return
        if (settling := self._known_failure(heads)) is not None:
            self.left_out[heads] = settling
            return
        rounds = min(rounds, self.remaining // SAMPLES_A_PAIR)
        if rounds < 1:
            raise BudgetSpent(f"the budget of {self._budget:,} samples is spent")
        try:
            pairs = self._measure(int(heads), int(rounds), self.launch)  # never NumPy's integers: they overflow
        except Unmeasurable as error:
            self.left_out[heads] = error
            return
        if len(pairs) != rounds:
            raise ValueError(
                f"measure({heads}, {rounds}, {self.launch}) returned {len(pairs)} pairs: return exactly one a round"
            )
        seconds = np.array([(pair[0], pair[1]) for pair in pairs], dtype=np.float64)  # [rounds, 2]
        if not (np.minimum.reduce(seconds, axis=None) > 0 and np.maximum.reduce(seconds, axis=None) < math.inf):
            row, side = np.argwhere(~(np.isfinite(seconds) & (seconds > 0)))[0]
            raise ValueError(
                f"the {('baseline', 'challenger')[side]}'s time at N = {heads:,}, launch {self.launch}, pair {row} is "
                f"{seconds[row, side]}: times must be positive, finite seconds"
            )
        logs = np.log(seconds)
        self._store(heads, logs[:, 0] - logs[:, 1])
        self._on_visit()

    def _known_failure(self, heads: int) -> Unmeasurable | None:
        """The failure at a smaller N that leaves no hope for this one; None where a larger N than it was measured."""
        if not self.left_out:
            return None
        largest = max(self._by_heads, default=0)
        smaller = (n for n, error in self.left_out.items() if error.settles_larger and largest < n < heads)
        first = min(smaller, default=None)
        return None if first is None else self.left_out[first]

    def visit_each(self, rounds: dict[int, int]) -> None:
        """Visit several N in random order, so that drift is not mistaken for N."""
        order = sorted(rounds)
        for position in self.random.permutation(len(order)):
            self.visit(order[position], rounds[order[position]])

    def _store(self, heads: int, log_ratios: Floats) -> None:
        self.samples += SAMPLES_A_PAIR * len(log_ratios)
        self._batches.append((heads, self.launch, log_ratios))
        launches = self._by_heads.setdefault(heads, {})
        earlier = launches.get(self.launch)
        seen = log_ratios if earlier is None else np.concatenate((earlier, log_ratios))
        linked = seen[max(0, seen.size - log_ratios.size - 1) :]
        self._steps.append(np.abs(linked[1:] - linked[:-1]))
        launches[self.launch] = seen
        self.differences.clear()
        self._flat = self._differences = self._noise = None
        self._together.pop(heads, None)

    def count(self, heads: int) -> int:
        """Pairs timed at this N."""
        return sum(seen.size for seen in self._by_heads.get(heads, {}).values())

    def at(self, heads: int) -> Floats:
        """All log-ratios seen at this N, [pairs]."""
        found = self._together.get(heads)
        if found is None:
            found = self._together[heads] = np.concatenate([*self._by_heads[heads].values()])
        return found

    def by_launch(self, heads: int, first_launch: int = 0) -> list[Floats]:
        """The log-ratios seen at this N, one array a launch."""
        return [seen for launch, seen in self._by_heads.get(heads, {}).items() if launch >= first_launch]

    def medians_by_launch(self, heads: int, first_launch: int) -> dict[int, float]:
        """The middle of the log-ratios seen at this N in each launch from one on."""
        launches = self._by_heads.get(heads, {})
        return {launch: float(np.median(seen)) for launch, seen in launches.items() if launch >= first_launch}

    def observations(self) -> Observations:
        """Everything seen so far."""
        if self._flat is None:
            lengths = [len(log_ratios) for _, _, log_ratios in self._batches]
            self._flat = Observations(
                np.repeat(np.array([heads for heads, _, _ in self._batches], dtype=np.int64), lengths),
                np.repeat(np.array([launch for _, launch, _ in self._batches], dtype=np.int64), lengths),
                np.concatenate([log_ratios for _, _, log_ratios in self._batches] or [np.zeros(0)]),
            )
        return self._flat

    def successive_differences(self) -> Floats:
        """Absolute differences of successive log-ratios at one N within one launch: noise without the level."""
        if self._differences is None:
            self._differences = np.concatenate(self._steps or [np.zeros(0)])
        return self._differences

    def noise(self) -> float:
        """Standard deviation of one pair's log-ratio, pooled over all N."""
        if self._noise is None:
            self._noise = pooled_noise(self.successive_differences())
        return self._noise


def geometric(low: float, high: float, ratio: float) -> list[int]:
    """Integers from `low` to `high`, both included, evenly spread in log N with neighbours at most `ratio` apart."""
    if high <= low:
        return [int(low)]
    gaps = max(1, math.ceil(math.log(high / low) / math.log(ratio) - 1e-9))
    return distinct(low * (high / low) ** (i / gaps) for i in range(gaps + 1))


def distinct(numbers: Iterable[float]) -> list[int]:
    """Rounded, ascending, each once."""
    return sorted({round(number) for number in numbers})
