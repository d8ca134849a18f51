"""Two runs compared: cell by cell, crossovers two-sided, scores, and what was removed, added, or fails now.

`latencies`, `crossovers` and `scores` judge each kind; `redefinition` says what is not judged. Where a run's A/A test found a bias,
intervals are widened by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from harness.analysis.bias import answers_with_bias
from harness.analysis.compare import crossovers as crossover_changes
from harness.analysis.compare import latencies
from harness.analysis.compare import scores as fidelity_changes
from harness.analysis.compare.redefinition import redefinition
from harness.analysis.self_check import check
from harness.errors import UserError
from harness.records.crossovers import load
from harness.records.index import latest
from harness.records.machine import differences
from harness.records.measurement import PILOT
from harness.records.samples import CellKey, by_cell
from harness.records.stored_suite import suite_of
from harness.suite.schema import Suite
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from harness.analysis.compare.crossovers import CrossoverChange
    from harness.analysis.compare.latencies import CellChange
    from harness.analysis.compare.scores import ScoreChange
    from harness.records.reader import Evidence
    from harness.suite.schema import Suite

DEFAULT_THRESHOLD = 0.05
Verdict = Literal["regression", "no regression", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed between two runs."""

    old: str
    new: str
    cells: tuple[CellChange, ...]
    crossovers: tuple[CrossoverChange, ...]
    scores: tuple[ScoreChange, ...]
    removed: tuple[str, ...]  # measured then and not now: contenders, cells, races, scores
    added: tuple[str, ...]  # also those that were added and failed at once
    broken: tuple[str, ...]  # failing now, at least in one launch, and not then
    machine: tuple[str, ...]  # what makes the runs incomparable, in words
    doubts: tuple[str, ...] = ()  # why intervals of these runs are wider than they would be
    changed: tuple[str, ...] = ()  # definitions, data, libraries, plugins and commit that are not those of the old run
    other_suite: bool = False  # the runs are of two suites: what only one of them has is no loss

    @property
    def comparable(self) -> bool:
        """Both were made on the same kind of machine."""
        return not self.machine

    @property
    def regressed(self) -> bool:
        """Something is slower or less right, a crossover moved, or something fails or is gone that was measured."""
        worse = any(word in ("slower", "worse", "moved") for word in self._verdicts)
        return bool(worse or self.broken or (self.removed and not self.other_suite))

    @property
    def open_questions(self) -> int:
        """How many cells, crossovers and scores could not be judged."""
        return sum(word == "inconclusive" for word in self._verdicts)

    @property
    def verdict(self) -> Verdict:
        """The result in one word.

        It is inconclusive where nothing regressed and no cell could be judged, or, in runs without cells in common, no
        crossover and no score.
        """
        if self.regressed:
            return "regression"
        judged = [each.verdict for each in self.cells] if self.cells else self._verdicts
        return "no regression" if any(word != "inconclusive" for word in judged) else "inconclusive"

    @property
    def _verdicts(self) -> list[str]:
        """The verdicts about cells, crossovers and scores."""
        changes: Iterable[CellChange | CrossoverChange | ScoreChange] = (*self.cells, *self.crossovers, *self.scores)
        return [each.verdict for each in changes]

    @property
    def sentence(self) -> str:
        """The result in one line."""
        parts = []
        if self.cells:
            parts.append(f"cells: {_count_phrase(self.cells, ('slower', 'faster', 'same', 'inconclusive'))}")
        if self.crossovers:
            words = ["moved", *_if_open(self.crossovers)]
            parts.append(f"crossovers: {_count_phrase(self.crossovers, words)} of {len(self.crossovers)}")
        if self.scores:
            words = ["worse", "better", *_if_open(self.scores)]
            parts.append(f"scores: {_count_phrase(self.scores, words)} of {len(self.scores)}")
        rest = {"removed": self.removed, "added": self.added, "now failing": self.broken}
        parts += [f"{len(names)} {word}" for word, names in rest.items() if names]
        return f"{self.verdict}: {'; '.join(parts) or 'nothing was measured alike in both runs'}"

    @property
    def remedy(self) -> str:
        """How many launches would judge the cells that are inconclusive; empty where there are none."""
        cells = [each for each in self.cells if each.verdict == "inconclusive"]
        if not cells:
            return ""
        needed = sorted(each.launches_needed for each in cells if each.launches_needed is not None)
        rest = len(cells) - len(needed)
        if not needed:
            alone = any(not each.change.known for each in cells)
            return (
                "a single launch has no interval: set measurement.launches to at least 2, better 8, in both runs"
                if alone
                else "no number of launches would see the threshold: reduce the machine's noise, or raise the threshold"
            )
        shares = f"{100 * max(each.threshold for each in cells):g} %"
        half = needed[(len(needed) - 1) // 2]
        said = f"to see a change of {shares}, run both with measurement.launches: {needed[-1]:,}"
        if len(cells) > 1 and half < needed[-1]:
            said += f" ({half:,} would suffice for half of the inconclusive cells)"
        return f"{said}; {rest} would need too many" if rest else said

    @property
    def confidence(self) -> str:
        """How sure a verdict about a cell is, alone and of all of them; empty where no cell has launches to judge."""
        known = next((each for each in self.cells if each.joint.known), None)
        if known is None:
            return ""
        each, all_ = f"{100 * known.joint.confidence:.4g}", f"{100 * latencies.CONFIDENCE:.4g}"
        said = (
            f"slower and faster hold with {all_} % for all {counted(len(self.cells), 'cell')} together, "
            f"that is with {each} % each"
        )
        alone = [one for one in self.cells if one.verdict == "inconclusive" and one.alone in ("slower", "faster")]
        if alone:
            said += f"; {len(alone)} of the inconclusive ones would be slower or faster if judged alone, at {all_} %"
        return said


def compare(old: Evidence, new: Evidence, threshold: float | None = None) -> Comparison:
    """Compares two runs.

    Args:
        old: the reference.
        new: the run under judgement.
        threshold: relative change that matters, for all cells and crossovers; if absent that of the race in the new
            run's suite, else that of the suite, else 5 %.

    Raises:
        UserError: where the two have nothing in common.
    """
    suite = suite_of(new.run)
    before, after = by_cell(old.measurements), by_cell(new.measurements)
    was, now = latencies.launches(before), latencies.launches(after)
    failed, failing = _failing(old), _failing(new)
    checks = [check(each.measurements, suite_of(each.run).search.confidence) for each in (old, new)]
    biases = [each.bias for each in checks]
    then, here = (
        {(each.case.race, each.case.batch_size): each for each in answers_with_bias(load(one.located), bias)}
        for one, bias in zip((old, new), biases, strict=True)
    )
    scored, scores = fidelity_changes.scores(old), fidelity_changes.scores(new)
    redefined = redefinition(old, new)
    shared = was.keys() & (now.keys() | failing), then.keys() & here.keys(), scored.keys() & scores.keys()
    if (now or here or scores) and not any(shared):
        suites = " and ".join(dict.fromkeys(str(each.run.suite.get("name")) for each in (old, new)))
        what = f"{old.name} and {new.name} (suites: {suites}) have no cell, race or score in common"
        raise UserError(what, next_step="compare two runs of one suite")
    gone = list(_names(was.keys() - now.keys() - failing, {key[0] for key in now.keys() | failing}))
    come = list(_names((now.keys() | failing) - was.keys() - failed, {key[0] for key in was.keys() | failed}))
    broken = list(_names((failing - failed) | (failing & (was.keys() - now.keys())), {key[0] for key in now}))
    gone += [f"{score.word} of {score.place}" for score in sorted(scored.keys() - scores.keys())]
    come += [f"{score.word} of {score.place}" for score in sorted(scores.keys() - scored.keys())]
    gone += [f"race {race} at batch {batch}" for race, batch in sorted(then.keys() - here.keys())]
    come += [f"race {race} at batch {batch}" for race, batch in sorted(here.keys() - then.keys())]
    broken += sorted(_failing_elsewhere(new) - _failing_elsewhere(old))
    was, now = (_without(each, redefined.contenders) for each in (was, now))
    thresholds = {key[0]: _threshold(suite, key[0], threshold) for key in was}
    return Comparison(
        old=old.name,
        new=new.name,
        cells=tuple(latencies.changes(was, now, thresholds, bias=sum(biases))),
        crossovers=tuple(
            crossover_changes.change(then[place], here[place], _race_threshold(suite, place[0], threshold))
            for place in then
            if place in here and place[0] not in redefined.races
        ),
        scores=tuple(
            each
            for each in fidelity_changes.changes(scored, scores)
            if each.score.contender not in redefined.contenders
        ),
        removed=tuple(gone),
        added=tuple(come),
        broken=tuple(broken),
        machine=tuple(_incomparable(old, new)),
        doubts=tuple(
            f"{one.name}: {found.sentence}" for one, found in zip((old, new), checks, strict=True) if found.bias
        ),
        changed=redefined.sentences,
        other_suite=redefined.other_suite,
    )


def _without(cells: Mapping[CellKey, list[float]], contenders: Collection[str]) -> dict[CellKey, list[float]]:
    """Cells of contenders that are what they were."""
    return {key: each for key, each in cells.items() if key[0] not in contenders}


def _failing(evidence: Evidence) -> set[CellKey]:
    """Cells of the table that failed in any launch, though others may have been measured before."""
    return {each.cell for each in evidence.measurements if each.purpose == "table" and each.failure is not None}


def _failing_elsewhere(evidence: Evidence) -> set[str]:
    """What failed outside of the table. A search is free in its N, so that one failure stands for all of its batch."""
    found = {
        f"{each.contender} at batch {each.batch_size}, in a visit for the {each.purpose}"
        for each in evidence.measurements
        if each.purpose not in ("table", PILOT) and each.outcome == "failed"
    }
    return found | {
        f"{each.contender} at N = {each.heads:,}, seed {each.seed}, in training or scoring"
        for each in latest(evidence.fidelities)
        if each.failure is not None
    }


def _threshold(suite: Suite, contender: str, threshold: float | None) -> float:
    """The strictest threshold among the races that a contender is in, else the suite's."""
    if threshold is not None:
        return threshold
    own = [each.threshold for each in suite.races if each.threshold and contender in (each.baseline, each.challenger)]
    return min(own, default=suite.threshold or DEFAULT_THRESHOLD)


def _race_threshold(suite: Suite, race: str, threshold: float | None) -> float:
    if threshold is not None:
        return threshold
    own = next((each.threshold for each in suite.races if each.name == race), None)
    return own or suite.threshold or DEFAULT_THRESHOLD


def _incomparable(old: Evidence, new: Evidence) -> Iterator[str]:
    yield from differences(old.run.machine, new.run.machine)
    one, other = suite_of(old.run), suite_of(new.run)
    names: tuple[tuple[str, Any, Any], ...] = (
        ("threads", one.threads, other.threads),
        ("device", one.device, other.device),
        ("cache", one.measurement.cache, other.measurement.cache),
    )
    yield from (f"{name}: {then!r} -> {now!r}" for name, then, now in names if then != now)
    if old.run.quick != new.run.quick:
        yield "one of the two is a quick run"


def _count_phrase(changes: Sequence[CellChange | CrossoverChange | ScoreChange], words: Sequence[str]) -> str:
    return ", ".join(f"{sum(each.verdict == word for each in changes)} {word}" for word in words)


def _if_open(changes: Sequence[CrossoverChange | ScoreChange]) -> list[str]:
    return ["inconclusive"] * any(each.verdict == "inconclusive" for each in changes)


def _names(keys: Iterable[CellKey], others: Collection[str]) -> Iterator[str]:
    """Cells that one run lacks; a contender that it lacks altogether is named once."""
    cells = sorted(keys)
    for contender in dict.fromkeys(key[0] for key in cells if key[0] not in others):
        number = sum(key[0] == contender for key in cells)
        yield f"contender {contender}, {number} cell{'s' if number > 1 else ''}"
    yield from (_name(key) for key in cells if key[0] in others)


def _name(key: CellKey) -> str:
    return f"{key[0]} at N = {key[1]:,}, batch {key[2]}"
