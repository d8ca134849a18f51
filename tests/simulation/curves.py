"""The named pairs of cost curves that the search is tried on, and their true crossings by brute force."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

Cost = Callable[[float], float]  # N -> microseconds, free of noise


def layers(heads: float) -> int:
    """Layers of a student whose routing capacity 4^L must reach N."""
    depth = 1
    while 4**depth < heads:
        depth += 1
    return depth


@dataclass(frozen=True)
class Curves:
    """Two rivals, the range they are raced over, the N before each jump, and where their noise-free curves cross."""

    name: str
    baseline: Cost
    challenger: Cost
    steps: tuple[int, ...] = ()
    low: int = 1
    high: int = 1_000_000
    truth: tuple[float, ...] = field(default=())

    def between(self, low: int, high: int) -> Curves:
        """The same rivals over another range."""
        return make(self.name, self.baseline, self.challenger, self.steps, low, high)

    def with_steps(self, *steps: int) -> Curves:
        """The same rivals with other steps declared."""
        return Curves(self.name, self.baseline, self.challenger, steps, self.low, self.high, self.truth)


def crossings(baseline: Cost, challenger: Cost, steps: tuple[int, ...], low: int, high: int) -> tuple[float, ...]:
    """Where the noise-free curves cross: between integers for smooth pieces, N + 1 at a step after N."""

    def lead(heads: float) -> bool:
        return challenger(heads) < baseline(heads)

    jumps = {n for n in steps if low <= n < high}
    edges = sorted({low, high, *jumps, *(n + 1 for n in jumps)})
    grid = sorted({n for a, b in itertools.pairwise(edges) for n in (a, b, *_ladder(a, b))})
    found = []
    for left, right in itertools.pairwise(grid):
        if lead(left) == lead(right):
            continue
        if left in jumps:
            found.append(float(right))
            continue
        a, b = float(left), float(right)
        for _ in range(60):
            middle = (a + b) / 2
            a, b = (middle, b) if lead(middle) == lead(a) else (a, middle)
        found.append(b)
    return tuple(found)


def _ladder(low: int, high: int) -> list[int]:
    return (
        [round(low * (high / low) ** (i / 400)) for i in range(401)] if high - low > 400 else list(range(low, high + 1))
    )


def make(
    name: str, baseline: Cost, challenger: Cost, steps: tuple[int, ...] = (), low: int = 1, high: int = 1_000_000
) -> Curves:
    """Curves with their true crossings worked out."""
    return Curves(
        name,
        baseline,
        challenger,
        tuple(n for n in steps if low <= n < high),
        low,
        high,
        crossings(baseline, challenger, steps, low, high),
    )


FOURS = tuple(4**level for level in range(1, 10))
STEEP = make("A", lambda n: 5 + 0.28 * n, lambda n: 60 + 60 * layers(n), FOURS)
EARLY = make("B", lambda n: 20 + 1.1 * n, lambda n: 30 + 10 * layers(n), FOURS)
SHALLOW = make("C", lambda n: 100 + 0.01 * n, lambda n: 140 + 5 * layers(n), FOURS)
SMOOTH = make("D", lambda n: 5 + 0.28 * n, lambda n: 60 + 60 * max(1.0, math.log(n, 4)), (4,))
# above is the catalogue of the tables; below are others
FOUR_CURVES = (STEEP, EARLY, SHALLOW, SMOOTH)

THREE = make("three", lambda n: 10 + n, lambda n: 240.0 if n <= 256 else 300.0, (256,))
EXCURSION = make("excursion", lambda n: 10 + n, lambda n: 250.0 if n <= 256 else 281.0, (256,))
# the baseline leads again behind a step, by 4 %, until 10,744: as eager PyTorch does at batch 32
SLIGHT = make(
    "slight behind a step",
    lambda n: 0.65 * n,
    lambda n: 0.65 * 9350 * (n / 9350) ** 0.3 * (1.0 if n <= 10_240 else 1.105),
    (40, 160, 640, 2_560, 10_240, 40_960),
    18,
    65_536,
)
BASELINE_FIRST = make("baseline first", lambda n: 5 + 0.28 * n, lambda n: 1.1 * (5 + 0.28 * n))
CHALLENGER_FIRST = make("challenger first", lambda n: 1.1 * (5 + 0.28 * n), lambda n: 5 + 0.28 * n)
IDENTICAL = make("identical", lambda n: 20 + 0.1 * n, lambda n: 20 + 0.1 * n)
TENS = tuple(10 * 4**level for level in range(9))
# the challenger leads by up to 9 % from 140 to the step at 160, and for good from 170 on
CLOSE = make("three close to a step", lambda n: 30 + 0.4 * n, lambda n: 50 + 12 * (1 + bisect_left(TENS, n)), TENS)
# the baseline leads, but for 2 % around a step
TOUCH = make(
    "there and back by 2 %",
    lambda n: 10 * n**0.5,
    lambda n: 10 * n**0.5 * (0.98 + 0.25 * abs(math.log(n / 2560))),
    (40, 160, 640, 2_560, 10_240, 40_960),
    18,
    65_536,
)


def _plateau(heads: float) -> float:
    """A log-ratio that hardly changes over a decade."""
    rise = min(0.0, math.log(heads / 1_000)) + max(0.0, math.log(heads / 10_000))
    return 0.25 * rise + 0.004 * math.log(heads / 3_000)


ALIKE_BETWEEN = make(
    "alike from 1,000 to 10,000",
    lambda n: 10 * n**0.5 * math.exp(_plateau(n)),
    lambda n: 10 * n**0.5,
    (40, 160, 640, 2_560, 10_240, 40_960),
    18,
    65_536,
)
SAME = IDENTICAL.between(1, 100_000)
SAME_WITH_STEPS = make("identical, steps declared", SAME.baseline, SAME.challenger, TENS, high=100_000)


def apart(share: float, first: int = 1, steps: tuple[int, ...] = ()) -> Curves:
    """The challenger is slower by this share from one N on."""
    where = f" from {first:,} on" if first > 1 else ""

    def cost(heads: float) -> float:
        return SAME.baseline(heads) * (1 + share if heads >= first else 1)

    return make(f"{share:.0%} apart{where}", SAME.baseline, cost, steps, high=100_000)


APART_1, APART_2, APART_5, APART_6, APART_10 = (apart(share) for share in (0.01, 0.02, 0.05, 0.06, 0.1))
APART_LATE = apart(0.1, 40_961, TENS)
APART_8_LATE = apart(0.08, 40_001, TENS)
APART_8_LATE_OPEN = apart(0.08, 40_001)
GENTLE = make("a gentle change of the lead", lambda n: 20 * (n / 300) ** 0.03, lambda n: 20.0, high=100_000)
VERY_SHALLOW = make("very shallow", lambda n: n**0.15, lambda n: 3000**0.15)
KNEE = make("knee", lambda n: 20 + 0.1 * n + 0.3 * max(0.0, n - 600), lambda n: 170.0)
POWERS = make("powers", lambda n: 0.5 * n**0.9, lambda n: 12 * n**0.4)
PLATEAU = make("plateau", lambda n: 40 + 200 * n / (n + 3000), lambda n: 120.0)
