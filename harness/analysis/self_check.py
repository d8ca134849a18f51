"""The A/A test: contenders raced against themselves, to see what this machine calls a difference between equals."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scipy.special import bdtrc

from harness.analysis.statistics import Interval, ratio
from harness.records.measurement import IN_BLOCKS
from harness.records.samples import pairs
from harness.units import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records.measurement import Measurement

_UNLIKELY = 0.01  # a chance of so many differences among equals that is not believed
_JOINTLY = 0.99  # confidence of the intervals of all races together
_BLIND = 0.10  # a test that could not have seen a difference of a tenth has tested nothing
_FEWEST_LAUNCHES = 3


@dataclass(frozen=True)
class Point:
    """A contender against itself at one N and B."""

    contender: str
    heads: int
    batch_size: int
    ratio: Interval
    by_launch: tuple[tuple[float, ...], ...] = ()  # log-ratios of pairs, [launches][pairs]

    @property
    def false_verdict(self) -> bool:
        """Its interval says that equals differ."""
        return self.ratio.differs

    def at(self, confidence: float) -> Interval:
        """Its ratio with an interval of another confidence."""
        return ratio(dict(enumerate(self.by_launch)), confidence) if self.by_launch else self.ratio


@dataclass(frozen=True)
class SelfCheck:
    """The verdict of all A/A races of a run."""

    points: tuple[Point, ...]
    passed: bool | None  # None: none was made, or it could not have seen anything
    resolvable: float  # smallest relative difference that the median race could tell; NaN where it is not known
    sentence: str
    bias: float = 0.0  # systematic error of log-ratios that was seen
    in_blocks: str = ""  # what alternation cancels on a device, where that was measured

    @property
    def false_verdicts(self) -> int:
        """How many races saw a difference."""
        return sum(point.false_verdict for point in self.points)


def check(measurements: Iterable[Measurement], confidence: float = 0.95) -> SelfCheck:
    """Judges the visits made for the self-check: two records of the same cell in each, one of each twin."""
    measurements = tuple(measurements)
    found = judge(tuple(_points(measurements, confidence)))
    blocked = tuple(_points(measurements, confidence, IN_BLOCKS))
    return replace(found, in_blocks=_in_blocks(found.points, blocked)) if blocked else found


def _in_blocks(alternating: Sequence[Point], blocked: Sequence[Point]) -> str:
    """How far equals are apart in blocks and in alternation, over the cells that were raced both ways."""
    both = {(each.contender, each.heads, each.batch_size) for each in blocked}
    known = [each for each in alternating if (each.contender, each.heads, each.batch_size) in both]
    if not known:  # of an interrupted run, which came to blocks alone
        return ""
    apart, together = (max(abs(math.log(each.ratio.value)) for each in points) for points in (blocked, known))
    return (
        f"all samples of one, then all of the other: a contender is up to {math.expm1(apart):.1%} apart from itself, "
        f"against {math.expm1(together):.1%} in alternation, which is how everything else is timed"
    )


def judge(points: Sequence[Point]) -> SelfCheck:
    """The one rule, for the few races of a run and the many of `harness doctor`.

    A bias is seen where one race differs though the intervals of all hold jointly (Bonferroni), or where more races
    differ than chance explains (binomial). Without one the test has passed if it could have seen something.
    """
    known = [point for point in points if point.ratio.known]
    if not known:
        sentence = "A/A test not run: how large a difference this machine shows between equals is unknown"
        if points:
            sentence = "A/A test inconclusive: there was only one launch; use more (measurement.launches)"
        return SelfCheck(tuple(points), None, math.nan, sentence)
    widths = sorted(point.ratio.half_width for point in known)
    resolvable = widths[len(widths) // 2]
    differing = [point for point in known if point.false_verdict]
    surely = [point for point in known if point.at(1 - (1 - _JOINTLY) / len(known)).differs]
    alpha = 1 - known[0].ratio.confidence
    many = bool(differing) and float(bdtrc(len(differing) - 1, len(known), alpha)) < _UNLIKELY
    races = "race" if len(known) == 1 else "races"
    score = f"differences in {len(differing)} of {count(len(known))} {races} of a contender against itself"
    seen = differing if many else surely
    if seen:
        bias = max(abs(math.log(point.ratio.value)) for point in seen)
        sentence = (
            f"A/A test found a bias of {math.expm1(bias):.1%} ({score}): intervals are widened by it, and smaller "
            "leads are left undecided; stop other load and run again"
        )
        return SelfCheck(tuple(points), False, resolvable, sentence, bias)
    fewest = min(point.ratio.launches for point in known)
    if resolvable > _BLIND or fewest < _FEWEST_LAUNCHES:
        sentence = (
            f"A/A test inconclusive: with {fewest} {'launch' if fewest == 1 else 'launches'}, differences below "
            f"{resolvable:.0%} could not be seen; use more launches (measurement.launches)"
        )
        return SelfCheck(tuple(points), None, resolvable, sentence)
    sentence = f"A/A test passed: {score}; smallest detectable difference right now: {resolvable:.1%}"
    return SelfCheck(tuple(points), True, resolvable, sentence)


def _points(measurements: Iterable[Measurement], confidence: float, purpose: str = "self-check") -> Iterable[Point]:
    """One point for each cell that was raced against itself."""
    visits: dict[tuple[str, int, int], dict[tuple[int, int], list[Measurement]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in measurements:
        if record.purpose == purpose and record.outcome == "measured":
            visits[record.cell][record.launch, record.visit].append(record)
    for cell, made in sorted(visits.items()):
        full = _by_launch(made)
        if full:
            yield Point(*cell, ratio(full, confidence), tuple(tuple(each) for _, each in sorted(full.items())))


def _by_launch(made: Mapping[tuple[int, int], Sequence[Measurement]]) -> dict[int, list[float]]:
    """The log-ratios of the pairs of each launch; of launch 0 only where there is no other."""
    logs: dict[int, list[float]] = defaultdict(list)
    later = any(launch > 0 for launch, _ in made)
    for (launch, _), records in made.items():
        if len(records) == 2 and (launch > 0 or not later):
            logs[launch].extend(
                math.log(pair.challenger / pair.baseline)
                for pair in pairs(records[0], records[1])
                if pair.baseline > 0 and pair.challenger > 0
            )
    return {launch: each for launch, each in logs.items() if each}
