"""Kills a worker, the scheduler or the coordinator of a fleet at random moments, continues, and looks at what is there.

    python -m tests.fleet.kills --kills 30

Two workers as processes of their own run a small suite. Each kill is a SIGKILL; then what died is started again and the
run is continued with --resume. When it is complete, the records here are compared with those of each machine, with those
that were here before each kill, and with what the suite plans; and `harness verify` derives everything again.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness.records.reader import read
from harness.report.verification import verify
from tests.benchmarks.kills import Story, check_finished, whole_lines
from tests.fleet.fleet import Fleet, written

NAMES = ("a", "b")
VICTIMS = ("worker", "scheduler", "coordinator")
FILES = ("measurements.jsonl", "fidelity.jsonl")
LONGEST_SECONDS = 300


def coordinator(fleet: Fleet, suite: Path, out: Path) -> subprocess.Popen:
    """Begins the run, or continues it; on both machines or none: one that is not there when it begins is not left out."""
    how = "--resume" if (out / "fleet.json").exists() else "--output"
    named = [word for name in NAMES for word in ("--machine", name)]
    command = [sys.executable, "-P", "-m", "harness", "run", str(suite), "--on", fleet.address, how, str(out), *named]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def kill(fleet: Fleet, victim: str, run: subprocess.Popen, generator: random.Random) -> None:
    """Kills one process, and starts again what has to be there."""
    if victim == "coordinator":
        run.kill()
        run.communicate()
        return
    died = [generator.choice(NAMES)] if victim == "worker" else list(NAMES)  # workers end with their scheduler
    if victim == "worker":
        fleet.workers[died[0]].kill()
    else:
        fleet.scheduler.kill()
        fleet.scheduler.wait()
    run.communicate(timeout=LONGEST_SECONDS)
    for name in died:
        fleet.workers[name].wait()
    if victim == "scheduler":
        fleet.start_scheduler()
    for name in died:
        fleet.start_worker(name)


def judged(fleet: Fleet, out: Path, name: str, kept: dict[str, bytes], expected) -> tuple[list[str], set]:
    """What is wrong with one machine's run, once it is complete."""
    here = out / name
    if not here.exists():
        code = fleet.workers[name].poll()
        return [f"{name}: took no part, and its worker {'is there' if code is None else f'left with {code}'}"], set()
    there = next(each for each in fleet.runs(name) if read(each).run.started == read(here).run.started)
    problems = [
        f"{name}: {file} here and there differ" for file in FILES if whole_lines(here, file) != whole_lines(there, file)
    ]
    now = whole_lines(here, FILES[0])
    problems += [f"{name}: lines that had arrived are gone"] * (not now.startswith(kept.get(name, b"")))
    doubled = [line for line, count in Counter(now.splitlines()).items() if count > 1]
    problems += [f"{name}: {len(doubled)} lines are there twice"] * bool(doubled)
    story = Story()
    story.kept.update({file: whole_lines(here, file) for file in FILES})
    identities = check_finished(here, expected, story)
    for folder in (here, there):
        found = verify(folder)
        problems += [] if found.agrees else [f"{name}: verify: {found.sentences[0]}"]
    return [*problems, *(f"{name}: {each}" for each in story.problems)], identities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS * 100, help="after which no run is begun")
    asked = parser.parse_args()
    generator = random.Random(asked.seed)
    began, killed, runs, broken = time.monotonic(), Counter(), 0, 0
    with tempfile.TemporaryDirectory() as place, Fleet(Path(place)) as fleet:
        for name in NAMES:
            fleet.start_worker(name)
        suite = written(Path(place) / "suite", measurement={
            "launches": 2, "rounds": 3, "min_sample_seconds": 0.0003, "latency_calls": 5, "self_check": False,
            "max_warm_up_seconds": 0.05,
        })  # fmt: skip
        undisturbed = Path(place) / "undisturbed"
        start = time.monotonic()
        printed, _ = coordinator(fleet, suite, undisturbed).communicate(timeout=LONGEST_SECONDS)
        duration = time.monotonic() - start
        first, expected = judged(fleet, undisturbed, "a", {}, None)
        if first:
            raise SystemExit(f"an undisturbed run fails: {first}\n{printed}")
        print(f"an undisturbed run takes {duration:.1f} s; seed {asked.seed}", flush=True)
        victims = [VICTIMS[number % len(VICTIMS)] for number in range(asked.kills)]
        while victims and time.monotonic() - began < asked.seconds:
            runs += 1
            out, kept, done = Path(place) / f"out-{runs}", dict[str, bytes](), list[str]()
            problems = list[str]()
            for _ in range(min(3, len(victims))):
                run = coordinator(fleet, suite, out)
                try:
                    run.communicate(timeout=generator.uniform(0.15, 0.6) * duration)
                    break
                except subprocess.TimeoutExpired:
                    done.append(victims.pop(0))
                    kill(fleet, done[-1], run, generator)
                for name in NAMES:
                    now = whole_lines(out / name, FILES[0])
                    problems += [f"{name}: lines that had arrived are gone"] * (not now.startswith(kept.get(name, b"")))
                    kept[name] = now
            run = coordinator(fleet, suite, out)
            printed, _ = run.communicate(timeout=LONGEST_SECONDS)
            if run.returncode == 0:
                problems += [each for name in NAMES for each in judged(fleet, out, name, kept, expected)[0]]
            if run.returncode or problems:
                problems.append(f"it left with {run.returncode} and printed: {printed[-1500:]}")
            killed.update(done)
            broken += bool(problems)
            print(f"run {runs}: killed {', '.join(done) or 'nothing'}: {'; '.join(problems) or 'complete'}", flush=True)
    told = ", ".join(f"{killed[each]} {each}s" for each in VICTIMS)
    print(
        f"{runs} runs on {len(NAMES)} machines, {killed.total()} kills ({told}): {runs - broken} complete, {broken} with a problem"
    )
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
