"""Print how well the search keeps what it promises: `python -m tests.simulation.table [--runs 1000] [--only TEXT]`.

Every row is a kind of machine or curve with the figures that must hold on it; every line is one case, seeds 0 to
runs - 1.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from tests.simulation import grid
from tests.simulation.runs import PLACED, QUIET, Case, Run, covers, errors, run_many, search

FOUR = ("STEEP", "EARLY", "SHALLOW", "SMOOTH")
MOST_SAMPLES = {"STEEP": 520, "EARLY": 770, "SHALLOW": 1400, "SMOOTH": 650}
WRONG_STEPS = (10, 40, 160, 640, 2_560, 10_240, 40_960, 163_840, 655_360)
CHUNKS = 4
FEWEST_TO_JUDGE = 50  # runs that a proportion must rest on


@dataclass(frozen=True)
class Figure:
    """One number and whether it is good enough; `good` is None for what is only shown."""

    name: str
    text: str
    good: bool | None = None


Judge = Callable[[Case, Sequence[Run]], list[Figure]]


@dataclass(frozen=True)
class Row:
    """Cases that must meet the same figures."""

    name: str
    cases: tuple[Case, ...]
    judge: Judge
    pooled: Judge | None = None  # over all runs of the row
    every: bool = False  # all runs for each case, instead of half of them where there are several cases

    def runs(self, asked: int) -> int:
        """Runs for each case."""
        return asked if self.every or len(self.cases) == 1 else math.ceil(asked / 2)


def share(name: str, hits: Sequence[bool], *, least: float | None = None, most: float | None = None) -> Figure:
    """A proportion with its bound."""
    if not hits:
        return Figure(name, f"{name} -", good=least is None)
    value = float(np.mean(hits))
    bound = f" (>= {least:.0%})" if least is not None else f" (<= {most:.0%})" if most is not None else ""
    good = (
        None
        if least is None and most is None
        else (least is None or value >= least) and (most is None or value <= most)
    )
    return Figure(name, f"{name} {value:.1%}{bound}", good)


def number(name: str, value: float, form: str, most: float | None = None) -> Figure:
    """A number with its upper bound."""
    bound = f" (<= {most:{form}})" if most is not None else ""
    return Figure(name, f"{name} {value:{form}}{bound}", None if most is None else value <= most)


def coverage(case: Case, runs: Sequence[Run], least: float) -> Figure:
    truth = case.rivals().truth
    return share("coverage", [covers(run, truth) for run in runs if run.resolved], least=least)


def unresolved(runs: Sequence[Run], most: float | None = None) -> Figure:
    return share("unresolved", [run.status == "unresolved" for run in runs], most=most)


def samples(runs: Sequence[Run], most: float | None = None) -> Figure:
    return number("median samples", float(np.median([run.samples for run in runs])), ",.0f", most)


def one_crossing(case: Case, runs: Sequence[Run]) -> list[Figure]:
    off = [error for run in runs if run.resolved for error in errors(run, case.rivals().truth)]
    limit = MOST_SAMPLES[case.curves] if case.machine["sigma"] == 0.1 else None
    return [
        coverage(case, runs, 0.93),
        number("median error", float(np.median(off)), ".1%", 0.02),
        number("90th percentile", float(np.quantile(off, 0.9)), ".1%", 0.05),
        unresolved(runs, 0.01),
        number("distinct N", max(run.distinct for run in runs), ".0f", 40),
        samples(runs, limit),
    ]


def pooled_coverage(case: Case, runs: Sequence[Run]) -> list[Figure]:
    del case
    return [share("coverage", [run.covered for run in runs if run.resolved], least=0.95)]


def resolved_hold(least: float, open_most: float | None = 0.10, most_samples: float | None = None) -> Judge:
    def judge(case: Case, runs: Sequence[Run]) -> list[Figure]:
        return [coverage(case, runs, least), unresolved(runs, open_most), samples(runs, most_samples)]

    return judge


def says(status: str, least: float) -> Judge:
    def judge(case: Case, runs: Sequence[Run]) -> list[Figure]:
        del case
        return [
            share(f"'{status}'", [run.status == status for run in runs], least=least),
            share("false crossings", [run.resolved for run in runs], most=0.01),
            samples(runs),
        ]

    return judge


def claims(case: Case, runs: Sequence[Run]) -> list[Figure]:
    del case
    return [
        share("crossing claimed", [run.resolved for run in runs], most=0.05),
        share("'tie'", [run.status == "tie" for run in runs]),
        samples(runs),
    ]


def ties(
    least: float | None, most_samples: float | None = None, *, most: float | None = None, false_most: float = 0.01
) -> Judge:
    def judge(case: Case, runs: Sequence[Run]) -> list[Figure]:
        truth = case.rivals().truth
        wrong = [run.resolved and len(run.intervals) > len(truth) for run in runs]
        ninth = float(np.quantile([run.samples for run in runs], 0.9))
        return [
            share("'tie'", [run.status == "tie" for run in runs], least=least, most=most),
            share("false crossings", wrong, most=false_most),
            number("distinct N", max(run.distinct for run in runs), ".0f", 40),
            samples(runs),
            number("9 of 10 runs take at most", ninth, ",.0f", most_samples),
        ]

    return judge


def three(found_least: float | None, *, silent: bool, most_samples: float | None = None) -> Judge:
    def judge(case: Case, runs: Sequence[Run]) -> list[Figure]:
        del case
        return [
            share(
                "all three", [run.status == "several" and len(run.intervals) == 3 for run in runs], least=found_least
            ),
            share("one of them silently", [run.status == "crossing" for run in runs], most=0.0 if silent else None),
            share("all intervals hold", [run.covered for run in runs if len(run.intervals) == 3]),
            unresolved(runs),
            samples(runs, most_samples),
        ]

    return judge


def decides(case: Case, runs: Sequence[Run], hold: float = 0.95) -> list[Figure]:
    """One decision that holds all true crossings: whatever else lies inside is a detail."""
    del case
    made = [run for run in runs if run.decided]
    return [
        share("decision", [run.decided for run in runs], least=0.97),
        share("it holds all crossings", [run.held for run in made], least=hold),
        share("and no larger lead", [run.bounded for run in made], least=0.93),
        number("median of what it calls the largest lead", float(np.median([run.at_most for run in made])), ".0%"),
        unresolved(runs, 0.02),
        samples(runs),
    ]


def all_or_one_decision(case: Case, runs: Sequence[Run]) -> list[Figure]:
    truth = case.rivals().truth
    told = [run.held or (run.status == "several" and covers(run, truth)) for run in runs]
    return [
        share("all three, or one decision that holds them", told, least=0.95),
        share("all three", [run.status == "several" and len(run.intervals) == 3 for run in runs]),
        *decides(case, runs)[2:],
    ]


def undecided_or_slight(case: Case, runs: Sequence[Run]) -> list[Figure]:
    """One leader, but for a zone: never unresolved, and never a word that the other leads by more than it does."""
    told = [run.status == "above" or run.held for run in runs]
    zones = [run.bounded for run in runs if run.decided]
    return [
        share("leader, or a zone that holds", told, least=0.95),
        share("no larger lead", zones, least=0.93),
        unresolved(runs, 0.05),
        samples(runs),
    ]


def flagged(least: float) -> Judge:
    def judge(case: Case, runs: Sequence[Run]) -> list[Figure]:
        return [share("flagged", [run.flagged for run in runs], least=least), coverage(case, runs, 0.0), samples(runs)]

    return judge


def doubted(most: float | None) -> Judge:
    def judge(case: Case, runs: Sequence[Run]) -> list[Figure]:
        del case
        return [share("flagged", [run.flagged for run in runs], most=most), samples(runs)]

    return judge


def ended_early(case: Case, runs: Sequence[Run]) -> list[Figure]:
    truth = case.rivals().truth
    kept = [run for run in runs if run.intervals]
    return [
        share("unresolved", [run.status == "unresolved" for run in runs], least=1.0),
        share("crossings kept", [bool(run.intervals) for run in runs]),
        share("they hold", [covers(run, truth) for run in kept], least=0.93 if kept else None),
    ]


def within_budget(case: Case, runs: Sequence[Run]) -> list[Figure]:
    (truth,) = case.rivals().truth
    brackets = [run.bracket or (run.intervals[0][1:] if run.intervals else None) for run in runs]
    good = [bracket is not None and bracket[0] <= truth <= bracket[1] <= 1000 * bracket[0] for bracket in brackets]
    said = [run for run in runs if run.resolved]
    enough = len(said) >= FEWEST_TO_JUDGE
    return [
        share("coverage", [run.covered for run in said], least=0.9 if enough else None),
        share("usable bracket", good, least=0.9),
        unresolved(runs),
        number("most samples", max(run.samples for run in runs), ",.0f", case.question["budget"]),
    ]


def shown(case: Case, runs: Sequence[Run]) -> list[Figure]:
    hold = share("coverage", [covers(run, case.rivals().truth) for run in runs if run.resolved])
    return [hold, unresolved(runs), samples(runs)]


def each(curves: Sequence[str], **machine: float) -> tuple[Case, ...]:
    return tuple(Case(name, machine) for name in curves)


LAUNCHES = {"sigma": 0.06, "launch_effect": 0.03, "launch_heads_effect": 0.01}


def equal(machine: Mapping[str, float]) -> tuple[Case, ...]:
    """Equal rivals with steps declared and not, where launches differ and where one of the two drifts."""
    machines = {**LAUNCHES, **machine}, {**machine, "own_drift": 0.03}
    return tuple(Case(name, each) for name in ("SAME", "SAME_WITH_STEPS") for each in machines)


ROWS = (
    Row(
        "one crossing",
        tuple(case for sigma in (0.05, 0.1, 0.2) for case in each(FOUR, sigma=sigma)),
        one_crossing,
        pooled_coverage,
        every=True,
    ),
    Row("launch effects", each(FOUR, launch_effect=0.03, launch_heads_effect=0.01), resolved_hold(0.93)),
    Row("quiet pairs, launches that differ", each(FOUR, **PLACED), resolved_hold(0.93)),
    Row("one-sided drift", (*each(FOUR, own_drift=0.03), *each(FOUR, own_drift=0.08)), resolved_hold(0.93)),
    Row("rough", (*each(FOUR, outliers=0.1), *each(FOUR, sigma=0.4)), resolved_hold(0.93)),
    Row("baseline always", (Case("BASELINE_FIRST"),), says("above", 0.98)),
    Row("challenger always", (Case("CHALLENGER_FIRST"),), says("below", 0.98)),
    Row("identical", (Case("IDENTICAL"),), claims),
    Row("three", (Case("THREE"),), three(0.95, silent=True)),
    Row("slight", (Case("SLIGHT", QUIET),), three(0.85, silent=False)),
    Row(
        "decision",
        (
            *each(FOUR, sigma=0.1),
            *each(FOUR, launch_effect=0.03, launch_heads_effect=0.01),
            Case("THREE"),
            Case("THREE", {"launch_effect": 0.03, "launch_heads_effect": 0.01}),
            Case("SLIGHT", QUIET),
            Case("EXCURSION", QUIET),
            Case("ALIKE_BETWEEN", QUIET),
        ),
        decides,
    ),
    Row("decision under drift", each(FOUR, own_drift=0.08), functools.partial(decides, hold=0.93)),  # as of intervals
    Row(
        "three close to a step",
        (Case("CLOSE", {"launch_effect": 0.03, "launch_heads_effect": 0.01}), Case("CLOSE", QUIET)),
        all_or_one_decision,
        every=True,
    ),
    Row("there and back by 2 %", (Case("TOUCH", QUIET),), undecided_or_slight),
    Row("shallow and knee", (Case("VERY_SHALLOW"), Case("KNEE")), resolved_hold(0.93, 0.05)),
    Row("steps unknown", tuple(Case(name, steps=()) for name in FOUR), resolved_hold(0.90, 0.05, 1500)),
    Row(
        "steps unknown, quiet pairs",
        tuple(Case(name, PLACED, steps=()) for name in FOUR),
        resolved_hold(0.90, 0.05, 1500),
    ),
    Row("steps unknown, three", (Case("THREE", steps=()),), three(0.85, silent=False, most_samples=1500)),
    Row(
        "steps unknown, three, quieter",
        (*(Case("THREE", {"sigma": sigma}, steps=()) for sigma in (0.02, 0.05)), Case("THREE", PLACED, steps=())),
        three(0.85, silent=False, most_samples=1500),
    ),
    Row(
        "steps unknown, three, hard",
        (Case("THREE", {"sigma": 0.2}, steps=()), *(Case("EXCURSION", {"sigma": s}, steps=()) for s in (0.02, 0.1))),
        three(None, silent=False),
    ),
    Row(
        "true steps",
        tuple(case for sigma in (0.05, 0.1, 0.2) for case in each(("STEEP", "EARLY"), sigma=sigma)),
        doubted(0.12),
    ),
    Row("true steps of 3 %", tuple(Case("SHALLOW", {"sigma": sigma}) for sigma in (0.05, 0.1)), doubted(None)),
    Row("wrong steps", (Case("STEEP", steps=WRONG_STEPS),), flagged(0.85)),
    Row("wrong steps, three", (Case("THREE", steps=WRONG_STEPS),), flagged(0.98)),
    Row("just above", (Case("STEEP", span=(1, 1400)),), says("above", 0.99)),
    Row(
        "budget", tuple(Case(name, question={"budget": budget}) for budget in (60, 200) for name in FOUR), within_budget
    ),
    Row(
        "ended early",
        (
            *(Case("STEEP", {"launch_effect": 0.03}, last=last) for last in (0, 1, 3, 4, 6)),
            *(Case(name, last=last) for name in ("BASELINE_FIRST", "CHALLENGER_FIRST") for last in (0, 2)),
        ),
        ended_early,
    ),
    Row(
        "drift slower than the gap",
        tuple(Case("STEEP", {"own_drift": 0.08, "restart_gap": gap}) for gap in (0, 100, 400, 2000)),
        shown,
    ),
    Row(
        "others",
        (
            Case("POWERS"),
            Case("PLATEAU"),
            Case("STEEP", {"tails": 2.5}),
            Case("STEEP", question={"launches": 6}),
            Case("STEEP", PLACED, question={"confidence": 0.99}),
            Case("STEEP", span=(1300, 20_000)),
            Case("STEEP", span=(10, 1600)),
        ),
        resolved_hold(0.93),
    ),
    Row("equal", equal({"sigma": 0.06}), ties(0.9, 3000)),
    Row("equal, noisy", equal({"sigma": 0.18}), ties(0.9, 12_000)),
    Row(
        "nearly equal",
        tuple(Case(name, {"sigma": sigma}) for name in ("APART_1", "APART_2") for sigma in (0.06, 0.18)),
        ties(0.9),
    ),
    Row("nearly equal, launch effects", tuple(Case(name, LAUNCHES) for name in ("APART_1", "APART_2")), ties(None)),
    Row(
        "apart by the precision",
        tuple(Case("APART_5", LAUNCHES | {"sigma": s}) for s in (0.06, 0.18)),
        ties(None, most=0.12),
    ),
    Row(
        "apart by a little more",
        tuple(Case("APART_6", LAUNCHES | {"sigma": s}) for s in (0.06, 0.18)),
        ties(None, most=0.05),
    ),
    Row(
        "apart by twice that",
        tuple(Case("APART_10", LAUNCHES | {"sigma": s}) for s in (0.06, 0.18)),
        says("above", 0.98),
    ),
    Row(
        "apart at one end by 8 %",
        tuple(
            Case(name, LAUNCHES | {"sigma": s}) for name in ("APART_8_LATE", "APART_8_LATE_OPEN") for s in (0.06, 0.18)
        ),
        ties(None, most=0.05),
    ),
    Row(
        "no tie",
        tuple(Case(name, LAUNCHES | {"sigma": s}) for name in ("APART_LATE", "GENTLE") for s in (0.06, 0.18)),
        ties(None, most=0.01, false_most=0.05),  # equal up to one N: a lead there may be stated as often as it errs
    ),
)


def chosen(text: str | None) -> list[Row]:
    """The rows with those of their cases that contain the text; a figure over all cases only where none is left out."""
    if not text:
        return list(ROWS)
    rows = []
    for row in ROWS:
        cases = tuple(case for case in row.cases if text in f"{row.name}  {case}")
        if cases:
            rows.append(replace(row, cases=cases, pooled=row.pooled if cases == row.cases else None))
    return rows


def chunks(runs: int) -> list[range]:
    """Seeds 0 to runs - 1 in parts, so that every process has something to do."""
    bounds = [runs * part // CHUNKS for part in range(CHUNKS + 1)]
    return [range(a, b) for a, b in itertools.pairwise(bounds)]


def print_line(row: str, case: str, figures: Sequence[Figure]) -> int:
    """One line; returns how many figures it misses."""
    missed = [figure for figure in figures if figure.good is False]
    judged = any(figure.good is not None for figure in figures)
    verdict = "MISS" if missed else "pass" if judged else "    "
    words = "; ".join(f"{figure.text}{' !' if figure.good is False else ''}" for figure in figures)
    print(f"{verdict}  {row:26s} {case:46s} {words}", flush=True)
    return len(missed)


def same_bytes(runs: int) -> int:
    cases = (Case("STEEP"), Case("THREE"), Case("IDENTICAL"))
    same = [
        repr(search(case, seed)[0]) == repr(search(case, seed)[0])
        for case in cases
        for seed in range(max(1, runs // 100))
    ]
    return print_line("same seed", "A, three, identical", [share("byte-identical", same, least=1.0)])


def against_grid(pool: ProcessPoolExecutor, runs: int) -> int:
    case = Case("STEEP", {"sigma": 0.1})
    seeds = range(min(runs, 200))
    ours = [run for run in run_many(case, seeds) if run.resolved]
    width = float(np.median([np.log(high / low) / 2 for run in ours for _, low, high in run.intervals]))
    spent = float(np.median([run.samples for run in ours]))
    theirs = float(np.median(list(pool.map(grid.half_width, [case] * len(seeds), seeds, chunksize=25))))
    ratio = grid.SAMPLES * (theirs / width) ** 2 / spent
    return print_line(
        "against the full grid",
        str(case),
        [
            Figure("ratio", f"samples for the same width {ratio:.1f}x (>= 10x)", ratio >= 10),
            Figure("ours", f"search ±{width:.1%} with {spent:,.0f}"),
            Figure("grid", f"grid ±{theirs:.1%} with {grid.SAMPLES:,}"),
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; the exit code is 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", metavar="TEXT", help="only lines whose row or case contains this")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    wanted = chosen(options.only)
    missed = 0
    with ProcessPoolExecutor(options.processes) as pool:
        waiting = [
            [[pool.submit(run_many, case, seeds) for seeds in chunks(row.runs(options.runs))] for case in row.cases]
            for row in wanted
        ]
        for row, cases in zip(wanted, waiting, strict=False):
            everything: list[Run] = []
            for case, futures in zip(row.cases, cases, strict=False):
                runs = [run for future in futures for run in future.result()]
                everything += runs
                missed += print_line(row.name, str(case), row.judge(case, runs))
            if row.pooled:
                missed += print_line(row.name, "all of these", row.pooled(row.cases[0], everything))
        if not options.only or options.only in "against the full grid":
            missed += against_grid(pool, options.runs)
    if not options.only or options.only in "same seed":
        missed += same_bytes(options.runs)
    print(
        f"{missed} figures missed, {options.runs} runs a row or more, {(time.perf_counter() - began) / 60:.1f} minutes"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
