"""How often a contender seems to differ from itself, in the conditions of suites/crossover.yaml.

    python -m tests.benchmarks.self_races

Teacher and student in eager mode, TorchScript and ONNX Runtime; N = 18, 277 and 65,536; single queries and batches of
32. In each launch the table is measured first, and then each cell is raced against itself by two fresh processes.
Leaves with 1 where more than 5 % of the races see a difference at 95 % confidence, and with 2 where one of them failed.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from rich.console import Console
from tabulate import tabulate

from harness.analysis.first_pairs import first_pairs
from harness.analysis.self_check import Point, check
from harness.plan import plan as planning
from harness.plan.check import check_suite
from harness.records import machine
from harness.records.writer import Store
from harness.report.progress import PlainProgress
from harness.run import session
from harness.run.bench import Bench
from harness.suite import loading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.plan.plan import Plan
    from harness.records.measurement import Measurement

MOST = 0.05  # share of the races that may see a difference
RUNTIMES = ("eager", "torchscript", "onnxruntime")
PROJECTORS = ("lda", "transformer")
HEADS = (18, 277, 65536)
BATCH_SIZES = (1, 32)


def planned(asked: argparse.Namespace) -> Plan:
    """The suite that is measured."""
    contenders = {
        f"{projector}-{runtime}": {"projector": projector, "runtime": runtime}
        for projector, runtime in itertools.product(asked.projectors, asked.runtimes)
    }
    suite = {
        "name": "self-races",
        "source": {"use": "resampled", "options": {"of": "playbook", "train_queries": 1024, "held_out_queries": 256}},
        "seed": asked.seed,
        "heads": {"values": list(asked.heads)},
        "batch_sizes": list(asked.batch_sizes),
        "contenders": contenders,
        "measurement": {"launches": asked.launches, "latency_calls": 40},
    }
    loaded = loading.load(None, text=yaml.safe_dump(suite))
    return planning.plan(loaded, check_suite(loaded))


def repetition(bench: Bench, plan: Plan, asked: argparse.Namespace, turn: int) -> list[Measurement]:
    """All races once, in launches of their own."""
    generator = np.random.default_rng([asked.seed, turn])
    cells = plan.sweep.cells
    places = sorted({(cell.heads, cell.batch_size) for cell in cells})
    made: list[Measurement] = []
    for launch in range(1, asked.launches + 1):
        bench.open(launch, plan.specifications)
        for index in generator.permutation(len(places)) if asked.table else ():
            group = [cell for cell in cells if (cell.heads, cell.batch_size) == places[index]]
            bench.visit(group, 3, "table", calls=40, together=False)
        for index in generator.permutation(len(cells)):
            made += bench.visit([cells[index]] * 2, asked.rounds, "self-check")
        bench.close_launch()
        print(f"repetition {turn + 1} of {asked.repetitions}, launch {launch} of {asked.launches}", file=sys.stderr)
    return made


def report(points: Sequence[Point], processor: str) -> str:
    """A row for each race that saw a difference, and how many did."""
    rows = [
        (each.contender, f"{each.heads:,}", each.batch_size, f"{each.ratio.value:.3f}", _ends(each), _verdict(each))
        for each in points
    ]
    headers = ("contender", "N", "batch", "ratio", "95 % interval", "verdict")
    differing = sum(each.false_verdict for each in points)
    stricter = sum(each.at(0.99).differs for each in points)
    widths = sorted(each.ratio.half_width for each in points)
    return (
        f"{tabulate(rows, headers=headers, tablefmt='simple', disable_numparse=True)}\n\n"
        f"{processor}: {differing} of {len(points)} races differ at 95 % ({differing / len(points):.1%}), "
        f"{stricter} at 99 %; the median race resolves {widths[len(widths) // 2]:.1%}"
    )


def _ends(point: Point) -> str:
    return f"{point.ratio.low:.3f} to {point.ratio.high:.3f}"


def _verdict(point: Point) -> str:
    return "DIFFERS" if point.false_verdict else "same"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; see above for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3, help="of all 36 races, each with launches of its own")
    parser.add_argument("--launches", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5, help="pairs in each launch")
    parser.add_argument("--runtimes", nargs="+", default=RUNTIMES)
    parser.add_argument("--projectors", nargs="+", default=PROJECTORS)
    parser.add_argument("--heads", nargs="+", type=int, default=HEADS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=BATCH_SIZES)
    parser.add_argument("--no-table", dest="table", action="store_false", help="race without a table before")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    plan = planned(asked)
    points: list[Point] = []
    records: list[Measurement] = []
    listener = PlainProgress(Console(quiet=True))
    with tempfile.TemporaryDirectory() as folder, Store.create(Path(folder) / "run", session.about_run(plan)) as store:
        bench = Bench(plan, store, listener)
        try:
            bench.describe()
            for turn in range(asked.repetitions):
                made = repetition(bench, plan, asked, turn)
                records += made
                points += check(made).points
        finally:
            bench.close(patience=0.2)
    failures = [each for each in records if each.failure]
    for each in failures:
        print(f"error: {each.contender} at N = {each.heads:,}: {each.failure and each.failure.what}", file=sys.stderr)
    if failures or not points:
        return 2
    print(report(points, str(machine.describe().get("processor"))))
    for found in first_pairs(plan.suite, records):
        print(f"{found.name}: first pair minus the rest {found.median:+.4f} (median of {found.visits} visits)")
    return int(sum(each.false_verdict for each in points) > MOST * len(points))


if __name__ == "__main__":
    sys.exit(main())
