"""Runs that are interrupted with SIGINT at random moments: children end, records and report stay, the exit code is 130.

    python -m tests.benchmarks.interruptions --runs 40

Each run is left alone for a random part of the time that an undisturbed one takes. What is checked after each: that no
process of it is left two seconds later, the exit code, that nothing but sentences was printed, and that whatever was
measured is in the records and in a report that can be read.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from harness.errors import RecordsError
from harness.records.writer import read
from tests import warm

SMOKE = Path(__file__).parents[2] / "suites" / "smoke.yaml"
GONE_WITHIN_SECONDS = 2.0


def left(family: set[int]) -> set[int]:
    """Those that still run."""
    return {each for each in family if psutil.pid_exists(each) and psutil.Process(each).status() != "zombie"}


def interrupt(run: subprocess.Popen[str]) -> tuple[str, list[str]]:
    """Interrupts a run; what it printed from then on, and what was wrong with how it ended."""
    try:
        family = warm.family(run.pid)
    except psutil.NoSuchProcess:
        family = set()
    problems = []
    os.kill(run.pid, signal.SIGINT)
    ends = time.monotonic() + GONE_WITHIN_SECONDS
    while left(family) and time.monotonic() < ends:
        time.sleep(0.02)
    if late := left(family):
        problems.append(f"{len(late)} of {len(family)} children still ran after {GONE_WITHIN_SECONDS:g} s")
    output, errors = run.communicate(timeout=60)
    if run.returncode not in (130, -signal.SIGINT):  # the latter while Python itself still starts; a shell says 130
        problems.append(f"exit code {run.returncode}: {(output + errors)[-400:]}")
    if "Traceback" in output + errors:
        problems.append(f"a traceback: {errors[-400:]}")
    return output + errors, problems


def check_folder(out: Path) -> list[str]:
    """What is wrong with what it left; it may have been interrupted before there was anything."""
    if not (out / "run.json").exists():
        return []
    try:
        evidence = read(out)
    except RecordsError as error:
        return [str(error)]
    told = evidence.run.status  # complete, where only the report was still to be written
    problems = [] if told in ("interrupted", "complete") else [f"the records say that it is {told}"]
    if evidence.torn:
        problems.append("a record was torn")
    if evidence.measurements and not (out / "report.html").exists():
        problems.append("something was measured, and there is no report")
    return problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--suite", type=Path, default=SMOKE)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    command = [sys.executable, "-m", "harness", "run", str(asked.suite.resolve()), "--output"]
    generator, seen = random.Random(asked.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        started = time.monotonic()
        subprocess.run([*command, f"{place}/whole"], check=True, capture_output=True)
        whole = time.monotonic() - started
        for number in range(asked.runs):
            out = Path(place) / f"run-{number}"
            run = subprocess.Popen([*command, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            after = generator.uniform(0.3, 0.97 * whole)  # before that, Python itself has not started
            try:
                run.communicate(timeout=after)
            except subprocess.TimeoutExpired:
                _, problems = interrupt(run)
                problems += check_folder(out)
                seen["interrupted"] += 1
                for problem in problems:
                    print(f"run {number}, interrupted after {after:.2f} s: {problem}")
                seen["wrong"] += bool(problems)
            else:
                seen["ended before"] += 1
    told = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    print(f"{asked.runs} runs of {whole:.1f} s: {told}")
    sys.exit(bool(seen["wrong"]))


if __name__ == "__main__":
    main()
