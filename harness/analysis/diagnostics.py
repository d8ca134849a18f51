"""What makes a row's numbers doubtful, each told with its remedy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.statistics import typical
from harness.records.samples import seconds_by_launch, timed_records
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from harness.records.measurement import Measurement

FEWEST_LAUNCHES = 6
_WIDE = 0.10  # relative half-width of a cell's interval
_DRIFT = 0.05  # change from the first to the second half of a launch, or over the run
_SAMPLES_FOR_MODES = 24
_SEPARATION = 4.6  # Ashman's D; a single normal cluster cut in two has 2.7, a uniform one 3.5
_SMALLEST_MODE = 0.15
_MODES_APART = 0.05
_OVERHEAD = 0.10
_OTHERS = 0.5  # cores that others may keep busy
_STOLEN = 0.02


@dataclass(frozen=True)
class Diagnostic:
    """One reason to distrust a row, and its remedy."""

    code: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


def doubts(records: Sequence[Measurement], machine: Mapping[str, Any] | None = None) -> tuple[Diagnostic, ...]:
    """What to know before the numbers of one cell are believed."""
    measured = timed_records(records)
    by_launch = seconds_by_launch(measured)
    if not by_launch:
        return ()
    tabled = any(each.purpose == "table" for each in measured)  # what only a search has visited needs no precision
    found = [
        _few_launches(by_launch) if tabled else None,
        _wide_interval(by_launch) if tabled else None,
        _drift(by_launch),
        _two_modes(by_launch),
        _coarse_clock(measured),
        _overhead(measured),
        _other_load(measured, machine or {}),
        _stolen_time(measured),
    ]
    from_workers = [
        Diagnostic("worker", *_split(text))
        for text in dict.fromkeys(text for each in measured for text in each.warnings)
    ]
    return (*(each for each in found if each), *from_workers)


def _few_launches(by_launch: Mapping[int, Sequence[float]]) -> Diagnostic | None:
    if len(by_launch) >= FEWEST_LAUNCHES:
        return None
    launches = counted(len(by_launch), "launch")
    return Diagnostic(
        "launches",
        f"only {launches}: process-to-process variation is underestimated",
        "measure with `measurement.launches: 8`, without --quick",
    )


def _wide_interval(by_launch: Mapping[int, Sequence[float]]) -> Diagnostic | None:
    interval = typical(by_launch)
    if not interval.known or interval.half_width <= _WIDE:
        return None
    width = f"±{interval.half_width:.0%}" if interval.half_width < 1 else "wider than ±100%"
    return Diagnostic(
        "spread",
        f"launches differ, the interval is {width}",
        "raise measurement.launches, or stop other load on the machine",
    )


def _drift(by_launch: Mapping[int, Sequence[float]]) -> Diagnostic | None:
    """A trend within launches (later samples slower or faster in all of them), or over the launches of the run."""
    halves = []
    for seconds in by_launch.values():
        if len(seconds) >= 4:
            logs, half = np.log(seconds), len(seconds) // 2
            halves.append(float(np.median(logs[-half:]) - np.median(logs[:half])))
    if len(halves) >= FEWEST_LAUNCHES and np.std(halves) > 0:
        size = math.expm1(float(np.mean(halves)))
        if abs(size) > _DRIFT and float(_tests().ttest_1samp(halves, 0.0).pvalue) < 0.001:
            return Diagnostic(
                "drift",
                f"samples of a launch change by {size:+.0%} from its first to its second half",
                "raise measurement.max_warm_up_seconds",
            )
    if len(by_launch) >= FEWEST_LAUNCHES:
        medians = [median(by_launch[launch]) for launch in sorted(by_launch)]
        third = len(medians) // 3
        size = float(np.mean(medians[-third:]) / np.mean(medians[:third])) - 1.0
        if abs(size) > 2 * _DRIFT and float(_tests().kendalltau(range(len(medians)), medians).pvalue) < 0.005:
            return Diagnostic(
                "drift",
                f"launches change by {size:+.0%} over the run",
                "let the machine cool down, or stop other load; ratios of pairs are not affected",
            )
    return None


def _tests() -> ModuleType:
    """Statistical tests, imported where one is needed: that takes half a second."""
    from scipy import stats

    return stats


def _two_modes(by_launch: Mapping[int, Sequence[float]]) -> Diagnostic | None:
    """Two clusters with a gap (Ashman, Bird and Zepf 1994, Astronomical Journal 108), launches' own levels removed."""
    residuals = np.sort(np.concatenate([np.log(each) - np.median(np.log(each)) for each in by_launch.values()]))
    if residuals.size < _SAMPLES_FOR_MODES:
        return None
    cut = _best_cut(residuals)
    low, high = residuals[:cut], residuals[cut:]
    if min(low.size, high.size) < max(3.0, _SMALLEST_MODE * residuals.size):
        return None
    apart = float(high.mean() - low.mean())
    spread = math.sqrt(float(low.var() + high.var()))
    slower = high.size / residuals.size
    if apart < _MODES_APART or apart * math.sqrt(2.0) < _SEPARATION * spread:
        return None
    return Diagnostic(
        "modes",
        f"times fall into two groups {math.expm1(apart):.0%} apart, {slower:.0%} in the slower one",
        "pin the process, fix the clock frequency, or stop what runs beside it",
    )


def _best_cut(ordered: NDArray[np.float64]) -> int:
    """Where to cut sorted values in two so that the squares within the parts are least (exact 2-means)."""
    count = ordered.size
    left = np.arange(1, count)
    sums = np.cumsum(ordered)[:-1]
    total = float(ordered.sum())
    gain = sums**2 / left + (total - sums) ** 2 / (count - left)
    return int(np.argmax(gain)) + 1


def _coarse_clock(measured: Sequence[Measurement]) -> Diagnostic | None:
    """Samples that repeat exactly: the clock's steps are as large as the noise."""
    repeated = samples = 0
    for record in measured:
        if record.sampled is not None and len(record.sampled.seconds) >= 4:
            samples += len(record.sampled.seconds)
            repeated += len(record.sampled.seconds) - len(set(record.sampled.seconds))
    if samples < 8 or repeated * 2 < samples:
        return None
    return Diagnostic(
        "clock",
        f"{repeated} of {counted(samples, 'sample')} repeat exactly: the clock is too coarse",
        "raise measurement.min_sample_seconds",
    )


def _overhead(measured: Sequence[Measurement]) -> Diagnostic | None:
    shares = [
        each.sampled.overhead_seconds / seconds
        for each in measured
        if each.sampled is not None and each.sampled.seconds and (seconds := median(each.sampled.seconds)) > 0
    ]
    share = median(shares) if shares else 0.0
    if share <= _OVERHEAD:
        return None
    return Diagnostic(
        "overhead",
        f"an empty call costs {share:.0%} of what is measured, and was subtracted",
        "compare at a larger batch, where it weighs less",
    )


def _other_load(measured: Sequence[Measurement], machine: Mapping[str, Any]) -> Diagnostic | None:
    """Cores that were busy while one contender was sampled, beyond those that it was given."""
    busy = [each.busy_cores for each in measured if each.busy_cores is not None]
    cores = machine.get("usable_cores") or machine.get("logical_cores")
    if not busy or not cores:
        return None
    threads = max((count for each in measured for count in each.threads.values()), default=1)
    others = median(busy) - min(threads, cores)
    if others <= _OTHERS:
        return None
    return Diagnostic(
        "load",
        f"something else kept {others:.1f} of {cores} cores busy while it was measured",
        "measure when the machine is otherwise idle",
    )


def _stolen_time(measured: Sequence[Measurement]) -> Diagnostic | None:
    shares = [each.stolen_share for each in measured if each.stolen_share is not None]
    share = median(shares) if shares else 0.0
    if share <= _STOLEN:
        return None
    return Diagnostic(
        "steal",
        f"other virtual machines took {share:.0%} of the time while it was measured",
        "measure at another time or on a machine of your own; ratios of pairs suffer least",
    )


def _split(text: str) -> tuple[str, str]:
    """A worker's `what: remedy` in its two parts."""
    what, _, remedy = text.partition(": ")
    return what, remedy
