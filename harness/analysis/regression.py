"""Two runs compared: cell by cell from launch-level intervals *and* a practical threshold, crossovers two-sided.

A cell is slower or faster where its whole interval (Welch's t on the logarithms of the launches) lies beyond the
threshold, the same where all of it lies within, and unclear where it holds both: absence of evidence is not sameness.
Scores of fidelity are compared in `fidelity_changes`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.analysis import fidelity_changes
from harness.analysis.located import Located, load
from harness.analysis.statistics import Interval
from harness.analysis.visits import CellKey, by_cell, counting, seconds_by_launch
from harness.errors import UserError
from harness.records.machine import differences
from harness.suite.schema import Suite

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from harness.analysis.fidelity_changes import ScoreChange
    from harness.analysis.location import Location
    from harness.records.evidence import Evidence
    from harness.records.measurement import Measurement

Verdict = Literal["faster", "slower", "same", "unclear"]
DEFAULT_THRESHOLD = 0.05
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """A cell of both runs."""

    contender: str
    heads: int
    batch_size: int
    change: Interval  # new seconds over old seconds
    threshold: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class CrossoverChange:
    """A race at one batch size in both runs."""

    race: str
    batch_size: int
    before: str
    after: str
    verdict: Literal["same", "moved", "unclear"]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed between two runs."""

    old: str
    new: str
    cells: tuple[CellChange, ...]
    crossovers: tuple[CrossoverChange, ...]
    scores: tuple[ScoreChange, ...]
    vanished: tuple[str, ...]  # measured then and not now: contenders, cells, races, scores
    appeared: tuple[str, ...]
    broken: tuple[str, ...]  # measured then, failing now
    machine: tuple[str, ...]  # what makes the runs incomparable, in words

    @property
    def comparable(self) -> bool:
        """Both were made on the same kind of machine."""
        return not self.machine

    @property
    def regressed(self) -> bool:
        """Something is slower or less right, a crossover moved, or something that was measured now fails or is gone."""
        return bool(
            any(each.verdict == "slower" for each in self.cells)
            or any(each.verdict == "worse" for each in self.scores)
            or any(each.verdict == "moved" for each in self.crossovers)
            or self.broken
            or self.vanished
        )

    @property
    def sentence(self) -> str:
        """The result in one line."""
        parts = []
        if self.cells:
            parts.append(f"cells: {_counted(self.cells, ('slower', 'faster', 'same', 'unclear'))}")
        if self.crossovers:
            parts.append(f"crossovers: {_counted(self.crossovers, ('moved',))} of {len(self.crossovers)}")
        if self.scores:
            parts.append(f"scores: {_counted(self.scores, ('worse', 'better'))} of {len(self.scores)}")
        rest = {"vanished": self.vanished, "appeared": self.appeared, "now failing": self.broken}
        parts += [f"{len(names)} {word}" for word, names in rest.items() if names]
        head = "regression" if self.regressed else "no regression"
        return f"{head}: {'; '.join(parts) or 'nothing was measured in both runs'}"


def compare(old: Evidence, new: Evidence, threshold: float | None = None) -> Comparison:
    """Compares two runs.

    Args:
        old: the reference.
        new: the run under judgement.
        threshold: relative change that matters, for all cells and crossovers; if absent that of the race in the new
            run's suite, else 5 %.

    Raises:
        UserError: where the two have nothing in common.
    """
    suite = Suite.model_validate(new.run.suite)
    before, after = by_cell(old.measurements), by_cell(new.measurements)
    was, now = _launches(before, old), _launches(after, new)
    failing = {key for key, records in after.items() if any(each.outcome == "failed" for each in records)}
    then, here = ({(each.leg.race, each.leg.batch_size): each for each in load(one.located)} for one in (old, new))
    scored, scores = fidelity_changes.scores(old), fidelity_changes.scores(new)
    shared = was.keys() & (now.keys() | failing), then.keys() & here.keys(), scored.keys() & scores.keys()
    if (now or here or scores) and not any(shared):
        what = f"{old.folder.name} and {new.folder.name} have no cell, race or score in common"
        raise UserError(what, next_step="compare two runs of one suite")
    gone = list(_names(was.keys() - now.keys() - failing, {key[0] for key in now.keys() | failing}))
    come = list(_names(now.keys() - was.keys(), {key[0] for key in was}))
    gone += [f"{score.word} of {score.place}" for score in sorted(scored.keys() - scores.keys())]
    come += [f"{score.word} of {score.place}" for score in sorted(scores.keys() - scored.keys())]
    gone += [f"race {race} at batch {batch}" for race, batch in sorted(then.keys() - here.keys())]
    come += [f"race {race} at batch {batch}" for race, batch in sorted(here.keys() - then.keys())]
    return Comparison(
        old=old.folder.name,
        new=new.folder.name,
        cells=tuple(
            _cell(key, was[key], now[key], _threshold(suite, key[0], threshold))
            for key in _ordered(was.keys() & now.keys())
        ),
        crossovers=tuple(
            _crossover(then[place], here[place], _race_threshold(suite, place[0], threshold))
            for place in then
            if place in here
        ),
        scores=tuple(fidelity_changes.changes(scored, scores)),
        vanished=tuple(gone),
        appeared=tuple(come),
        broken=tuple(_name(key) for key in sorted(failing & was.keys() - now.keys())),
        machine=tuple(_incomparable(old, new)),
    )


def judge(old: Sequence[float], new: Sequence[float], threshold: float) -> tuple[Interval, Verdict]:
    """New over old from one logarithm of seconds per launch each, with Welch's t interval, and the verdict."""
    one, other = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    middle = float(other.mean() - one.mean())
    if one.size < 2 or other.size < 2:
        return Interval(math.exp(middle), launches=int(min(one.size, other.size))), "unclear"
    from scipy.special import stdtrit

    parts = np.array([one.var(ddof=1) / one.size, other.var(ddof=1) / other.size])
    total = float(parts.sum())
    freedoms = np.array([one.size - 1, other.size - 1])
    freedom = total**2 / float((parts**2 / freedoms).sum()) if total else float(freedoms.sum())
    reach = float(stdtrit(freedom, (1.0 + _CONFIDENCE) / 2.0)) * math.sqrt(total)
    low, high = middle - reach, middle + reach
    bound = math.log1p(threshold)
    found = Interval(math.exp(middle), math.exp(low), math.exp(high), int(min(one.size, other.size)), _CONFIDENCE)
    if low > bound:
        return found, "slower"
    if high < -bound:
        return found, "faster"
    if low > -bound and high < bound:
        return found, "same"
    return found, "unclear"


def _launches(cells: Mapping[CellKey, Sequence[Measurement]], evidence: Evidence) -> dict[CellKey, list[float]]:
    """One logarithm per launch of every cell of the table; what only a search visited has no fixed N to compare."""
    found = {}
    tabled = {each.cell for each in evidence.measurements if each.purpose == "table"}
    for key, records in cells.items():
        by_launch = seconds_by_launch(counting([each for each in records if each.purpose == "table"]))
        if key in tabled and by_launch:
            found[key] = [math.log(float(np.median(each))) for _, each in sorted(by_launch.items())]
    return found


def _cell(key: CellKey, old: Sequence[float], new: Sequence[float], threshold: float) -> CellChange:
    change, verdict = judge(old, new, threshold)
    return CellChange(
        contender=key[0], heads=key[1], batch_size=key[2], change=change, threshold=threshold, verdict=verdict
    )


def _crossover(old: Located, new: Located, threshold: float) -> CrossoverChange:
    """Two-sided: an N* that moved up or down is news, and so is another status."""
    before, after = old.location, new.location
    place = f"{old.leg.race} at batch {old.leg.batch_size}"
    verdict: Literal["same", "moved", "unclear"] = "same"
    why = "did not move"
    if "unresolved" in (before.status, after.status):
        verdict, why = "unclear", "was not resolved in both runs"
    elif _shape(before) != _shape(after):
        verdict, why = "moved", "is of another kind"
    else:
        for one, other in zip(before.crossings, after.crossings, strict=True):
            ratio = other.heads / one.heads
            apart = one.high < other.low or other.high < one.low
            if abs(math.log(ratio)) > math.log1p(threshold):
                if apart:
                    verdict, why = "moved", f"moved by {ratio - 1:+.0%}"
                    break
                verdict, why = "unclear", f"may have moved by {ratio - 1:+.0%}, the intervals overlap"
    return CrossoverChange(
        race=old.leg.race,
        batch_size=old.leg.batch_size,
        before=_said(before),
        after=_said(after),
        verdict=verdict,
        sentence=f"{place}: the crossover {why}: {_said(before)} before, {_said(after)} now",
    )


def _shape(location: Location) -> tuple[str, tuple[str, ...]]:
    return location.status, tuple(each.direction for each in location.crossings)


def _said(location: Location) -> str:
    words = {"below": "challenger leads throughout", "above": "baseline leads throughout", "tie": "no difference"}
    places = ", ".join(f"{each.heads:,} ({each.low:,} to {each.high:,})" for each in location.crossings)
    return places or words.get(location.status, location.status)


def _threshold(suite: Suite, contender: str, threshold: float | None) -> float:
    """The strictest threshold among the races that a contender is in."""
    if threshold is not None:
        return threshold
    own = [each.threshold for each in suite.races if each.threshold and contender in (each.baseline, each.challenger)]
    return min(own, default=DEFAULT_THRESHOLD)


def _race_threshold(suite: Suite, race: str, threshold: float | None) -> float:
    if threshold is not None:
        return threshold
    return next((each.threshold for each in suite.races if each.name == race and each.threshold), DEFAULT_THRESHOLD)


def _incomparable(old: Evidence, new: Evidence) -> Iterator[str]:
    yield from differences(old.run.machine, new.run.machine)
    one, other = Suite.model_validate(old.run.suite), Suite.model_validate(new.run.suite)
    names: tuple[tuple[str, Any, Any], ...] = (
        ("threads", one.threads, other.threads),
        ("device", one.device, other.device),
        ("cache", one.measurement.cache, other.measurement.cache),
    )
    yield from (f"{name} was {then!r}, is {now!r}" for name, then, now in names if then != now)
    if old.run.quick != new.run.quick:
        yield "one of the two is a quick run"


def _counted(changes: Sequence[CellChange | CrossoverChange | ScoreChange], words: Sequence[str]) -> str:
    return ", ".join(f"{sum(each.verdict == word for each in changes)} {word}" for word in words)


def _ordered(keys: Iterable[CellKey]) -> list[CellKey]:
    return sorted(keys, key=lambda key: (key[2], key[1], key[0]))


def _names(keys: Iterable[CellKey], others: Collection[str]) -> Iterator[str]:
    """Cells that one run lacks; a contender that it lacks altogether is named once."""
    cells = sorted(keys)
    for contender in dict.fromkeys(key[0] for key in cells if key[0] not in others):
        number = sum(key[0] == contender for key in cells)
        yield f"contender {contender}, {number} cell{'s' if number > 1 else ''}"
    yield from (_name(key) for key in cells if key[0] in others)


def _name(key: CellKey) -> str:
    return f"{key[0]} at N = {key[1]:,}, batch {key[2]}"
