"""Whether a call costs what `timeit` says, at 100 ns, 1 µs and 100 µs.

    python -m tests.benchmarks.nanoseconds --processes 15

Both time the same function in one process, sample by sample in turn, and of both the loop without the call is subtracted. Depending
on where things lie in memory, a process may call a little faster from one place than from another, so that the median over fresh
processes counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import timeit

from tabulate import tabulate

from harness.functions.callee import as_callee
from harness.functions.kernel import Kernel
from harness.measure import calibration
from harness.measure.clock import monotonic
from harness.measure.timed_function import TimedFunction

ALLOWED = 0.02
LENGTHS = {"100 ns": 1, "1 µs": 60, "100 µs": 6000}  # of a loop that takes about so long
SAMPLE_SECONDS = 2e-3


def counted(n: int) -> None:
    """So many turns of an empty loop."""
    for _ in range(n):
        pass


def compared(n: int, turns: int) -> tuple[float, float]:
    """Seconds of a call by the harness and by `timeit`, in turn."""
    one = TimedFunction(Kernel(function=as_callee(counted), takes="n"), n)
    rotation = calibration.Rotation(one.inputs(1, 1))
    one.first(1)
    known = calibration.calibrate(one, rotation, monotonic, shortest=SAMPLE_SECONDS, longest_warm_up=0.5)
    loops = known.inner_loops
    called = timeit.Timer("call(n)", "call, n = function, size", globals={"function": counted, "size": n})
    nothing = timeit.Timer("pass")
    ours, theirs, empty = [], [], []
    for _ in range(turns):
        ours.append(calibration.sample(one, rotation, known, monotonic, 1e-4))
        theirs.append(called.timeit(loops) / loops)
        empty.append(nothing.timeit(loops) / loops)
    return statistics.median(ours), statistics.median(theirs) - statistics.median(empty)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=15)
    parser.add_argument("--turns", type=int, default=60, help="samples of each in one process")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps({name: compared(n, asked.turns) for name, n in LENGTHS.items()}))
        return
    command = [sys.executable, "-m", "tests.benchmarks.nanoseconds", "--child", "--turns", str(asked.turns)]
    found = [json.loads(subprocess.check_output(command, text=True)) for _ in range(asked.processes)]
    rows, worst = [], 0.0
    for name in LENGTHS:
        ours, theirs = (statistics.median(each[name][place] for each in found) for place in (0, 1))
        ratio = statistics.median(each[name][0] / each[name][1] for each in found)
        worst = max(worst, abs(ratio - 1))
        rows.append((name, 1e9 * ours, 1e9 * theirs, f"{ratio - 1:+.1%}"))
    print(tabulate(rows, headers=("call of about", "harness, ns", "timeit, ns", "difference"), floatfmt=",.1f"))
    print(f"largest difference {worst:.1%}: {'pass' if worst <= ALLOWED else f'MISS: at most {ALLOWED:.0%}'}")
    sys.exit(worst > ALLOWED)


if __name__ == "__main__":
    main()
