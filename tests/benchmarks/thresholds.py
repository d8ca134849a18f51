"""Whether a finished run of suites/speed.yaml is as fast as it has to be; exit code 1 where it is not.

    python -m tests.benchmarks.thresholds results/RUN

Ratios are of paired samples of that run. Beside them stand the milliseconds of the prototypes that this project began
with, on a machine of the same kind: they are to read, and miss nothing, since another machine has other milliseconds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tabulate import tabulate

from harness.analysis.roofline import NEAR
from harness.analysis.summary import summarise
from harness.records.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import Summary

WANTED = (  # side, unit, N, B, at least so many times as fast
    ("student", "student-eager", 18, 1, 5.0),
    ("student", "student-eager", 18, 32, 3.0),
    ("teacher", "loop", 18, 1, 10.0),
    ("teacher", "loop", 1024, 1, 60.0),
)
SIDES = {"teacher": ("lda", "lda-blocked"), "student": ("transformer",)}  # projectors
PROTOTYPES = {  # ms per call at D = 384, one thread, by (N, B)
    "teacher-numpy": {
        (18, 1): 0.012, (18, 32): 0.031, (1024, 1): 0.060, (1024, 32): 0.80, (16384, 1): 3.8, (16384, 32): 16.5,
    },
    "teacher-onnx": {
        (18, 1): 0.008, (18, 32): 0.032, (1024, 1): 0.053, (1024, 32): 0.50, (16384, 1): 2.4, (16384, 32): 9.3,
    },
    "student-eager": {
        (18, 1): 0.50, (18, 32): 3.5, (1024, 1): 2.9, (1024, 32): 7.6, (16384, 1): 4.3, (16384, 32): 9.9,
    },
    "student-torchscript": {
        (18, 1): 0.32, (18, 32): 2.9, (1024, 1): 0.74, (1024, 32): 5.3, (16384, 1): 1.07, (16384, 32): 7.3,
    },
    "student-onnx": {
        (18, 1): 0.19, (18, 32): 2.2, (1024, 1): 0.42, (1024, 32): 4.7, (16384, 1): 0.69, (16384, 32): 6.4,
    },
    "folded-onnx": {
        (18, 1): 0.082, (18, 32): 0.97, (1024, 1): 0.18, (1024, 32): 1.8, (16384, 1): 0.24, (16384, 32): 2.6,
    },
}  # fmt: skip


class Check(NamedTuple):
    """One threshold and what the run has."""

    what: str
    wanted: str
    found: str
    passed: bool | None  # None: missed, and the report says what is in the way


def exact(summary: Summary, side: str) -> list[str]:
    """The contenders of a side that compute in float32."""
    return [
        name
        for name, each in summary.suite.contenders.items()
        if each.projector in SIDES[side] and name not in summary.precisions
    ]


def speedups(summary: Summary) -> Iterator[Check]:
    """The best of a side against the seed's own code."""
    for side, unit, heads, batch, least in WANTED:
        names = exact(summary, side)
        found = {
            each.contender: each.speedup.value
            for each in summary.relatives
            if (each.unit, each.heads, each.batch_size) == (unit, heads, batch) and each.contender in names
        }
        what = f"best exact {side} against {unit}, N = {heads:,}, B = {batch}"
        if not found:
            yield Check(what, f">= {least:g}x", "not measured", passed=False)
            continue
        best = max(found, key=lambda name: found[name])
        yield Check(what, f">= {least:g}x", f"{found[best]:.1f}x ({best})", passed=found[best] >= least)


def floors(summary: Summary) -> Iterator[Check]:
    """The best of a side over its floor, at every N and B >= 32."""
    for side in SIDES:
        names = exact(summary, side)
        places = {(each.heads, each.batch_size) for each in summary.distances if each.batch_size >= 32}
        if not places:
            yield Check(f"best exact {side} over its floor", f"<= {NEAR}x", "no limits measured", passed=False)
        for heads, batch in sorted(places):
            here = [
                each
                for each in summary.distances
                if (each.heads, each.batch_size) == (heads, batch) and each.contender in names
            ]
            if not here:
                continue
            best = min(here, key=lambda each: each.seconds)
            near = best.ratio <= NEAR
            told = f"; in the way: {best.in_the_way}" if best.in_the_way else ""
            yield Check(
                f"best exact {side} over its floor, N = {heads:,}, B = {batch}",
                f"<= {NEAR}x",
                f"{best.ratio:.2f}x, at its shape {best.shape_ratio:.2f}x ({best.contender}){told}",
                passed=True if near else None if told else False,
            )


def prototypes(summary: Summary) -> Iterator[tuple[str, int, int, float, float, float]]:
    """Contender, N, B, the prototype's milliseconds, this run's, and how many times as fast this run is."""
    for name, points in PROTOTYPES.items():
        for (heads, batch), milliseconds in points.items():
            cell = summary.cell(name, heads, batch)
            if cell is not None and cell.call is not None:
                now = 1e3 * cell.call.value
                yield name, heads, batch, milliseconds, now, milliseconds / now


def main() -> None:
    """Prints both tables, and ends with 1 where a threshold is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    summary = summarise(read(parser.parse_args().run))
    checks = [*speedups(summary), *floors(summary)]
    verdicts = {True: "pass", False: "MISS", None: "explained"}
    rows = [(each.what, each.wanted, each.found, verdicts[each.passed]) for each in checks]
    print(tabulate(rows, ("what", "wanted", "found", "")))
    print()
    headers = ("contender", "N", "B", "prototype ms", "ms", "times as fast")
    print(tabulate(list(prototypes(summary)), headers, floatfmt=("", "", "", ".3g", ".3g", ".2f")))
    sys.exit(1 if any(each.passed is False for each in checks) else 0)


if __name__ == "__main__":
    main()
