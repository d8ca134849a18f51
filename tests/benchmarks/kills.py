"""Runs that are killed with SIGKILL at random moments and resumed: nothing is lost, nothing is measured twice.

    python -m tests.benchmarks.kills --runs 100

    python -m tests.benchmarks.kills --runs 0 --replaced 10   # files of records replaced while a run writes them

Each run of suites/smoke.yaml, with self-check, regret and scores switched on, is killed once or more (the parent
alone: its children must follow it by themselves), then resumed until it ends. After each kill the whole lines of
measurements.jsonl and fidelity.jsonl are kept in mind; at the end they must be the beginning of the file, byte for
byte.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.records.crossovers import load
from harness.records.reader import FIDELITY, MEASUREMENTS
from harness.records.replay import Recording, replay
from harness.records.writer import read

SMOKE = Path(__file__).parents[2] / "suites" / "smoke.yaml"
SETTINGS = ("measurement.self_check=true", "search.regret=true", "contenders.teacher.scored=true")  # of the smoke suite
FILES = (MEASUREMENTS, FIDELITY)
LONGEST_SECONDS = 300.0


@dataclass
class Story:
    """What happened to one run."""

    kills: list[float] = field(default_factory=list)  # seconds after each start
    kept: dict[str, bytes] = field(default_factory=lambda: dict.fromkeys(FILES, b""))  # whole lines at the last kill
    problems: list[str] = field(default_factory=list)


def command(suite: Path, out: Path) -> list[str]:
    """The run, or its continuation where there is something to go on with."""
    how = "--resume" if (out / "run.json").exists() else "--output"
    settings = [word for setting in SETTINGS if suite == SMOKE for word in ("--set", setting)]
    return [sys.executable, "-m", "harness", "run", str(suite), how, str(out), *settings]


def whole_lines(out: Path, name: str) -> bytes:
    """What a file of records holds up to its last line feed."""
    path = out / name
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def start_and_kill(suite: Path, out: Path, after: float, story: Story) -> bool:
    """Starts the run and kills its parent after that many seconds; False where it had ended before."""
    run = subprocess.Popen(command(suite, out), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = run.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.communicate()
        story.kills.append(after)
        check_kept(out, story)
        return True
    if run.returncode:
        story.problems.append(f"exit code {run.returncode}: {output.decode(errors='replace')[-400:]}")
    check_kept(out, story)
    return False


def check_kept(out: Path, story: Story) -> None:
    """Whether the lines that were there are there still, as they were."""
    for name in FILES:
        now = whole_lines(out, name)
        if not now.startswith(story.kept[name]):
            story.problems.append(f"lines of {name} that were written before a kill are gone or changed")
        story.kept[name] = now


def check_finished(out: Path, expected: set[tuple[object, ...]] | None, story: Story) -> set[tuple[object, ...]]:
    """Whether all is there, once; gives the identity of each table record for the next run to be compared with."""
    evidence = read(out)
    if evidence.run.status != "complete":
        story.problems.append(f"its status is {evidence.run.status!r}")
    for name in FILES:
        for line in story.kept[name].splitlines():
            json.loads(line)
    identities = Counter(
        (each.purpose, each.leg, each.cell, each.launch)
        for each in evidence.measurements
        if each.purpose in ("table", "regret") and each.outcome == "measured"
    )
    seats = Counter(
        (each.visit, each.cell, each.launch) for each in evidence.measurements if each.purpose == "self-check"
    )
    identities.update(("self-check", None, cell, launch) for (_, cell, launch), count in seats.items() if count == 2)
    identities.update(("fidelity", each.contender, each.heads, each.seed) for each in evidence.fidelities)
    story.problems += [f"measured {count} times: {name}" for name, count in identities.items() if count > 1]
    in_visit = Counter((each.visit, each.cell, each.process_id) for each in evidence.measurements)
    story.problems += [f"recorded twice in a visit: {name}" for name, count in in_visit.items() if count > 1]
    planned = {each for each in identities if each[0] != "regret"}  # whose N depend on what the search has seen
    if expected is not None and planned != expected:
        story.problems.append(f"other cells than in an undisturbed run: {planned ^ expected}")
    for each in load(evidence.located):
        if replay(evidence, each.case, each.asked) != each.location:
            story.problems.append(f"{each.case.label}: the records give another answer")
        story.problems += unused(evidence, each)
    if not evidence.located:
        story.problems.append("no search has an answer")
    return planned


def unused(evidence, located) -> list[str]:
    """Visits of a search that its repetition does not ask for: they would have been measured twice."""
    pairs = sum(probe.pairs for probe in located.location.probes)
    recording = Recording(evidence.measurements, located.case)
    visits = Counter(each.visit for each in evidence.measurements if each.leg == located.case.label)
    rounds = sum(
        len(each.sampled.rounds)
        for each in evidence.measurements
        if each.purpose == "search" and each.leg == located.case.label and each.sampled and visits[each.visit] == 2
    )
    return (
        []
        if rounds == 2 * pairs
        else [f"{recording.remaining} visits hold {rounds // 2} pairs, the answer uses {pairs}"]
    )


def one_run(
    suite: Path, folder: Path, duration: float, kills: int, expected: set[tuple[object, ...]], generator: random.Random
) -> tuple[Story, float]:
    """One run with at least one kill, then resumed to its end; and how long a run takes now, which others slow down."""
    for attempt in range(20):
        out, story = folder / f"out-{attempt}", Story()
        began = time.monotonic()
        if start_and_kill(suite, out, generator.uniform(0.0, duration), story):
            break
        duration = time.monotonic() - began
    for _ in range(kills - 1):
        if not start_and_kill(suite, out, generator.uniform(0.0, duration), story):
            break
    else:
        start_and_kill(suite, out, LONGEST_SECONDS, story)
    if not story.problems:
        check_finished(out, expected, story)
    return story, duration


def replaced_run(
    suite: Path, folder: Path, duration: float, expected: set[tuple[object, ...]], generator: random.Random
) -> tuple[Story, int, int]:
    """One run whose files of records are replaced meanwhile, as an editor saves what it had read some time before.

    Returns:
        what happened, how many files were replaced, and how many lines they lacked.
    """
    out, story, replaced, lacked = folder / "out", Story(), 0, 0
    seen: dict[str, bytes] = {}
    with subprocess.Popen(command(suite, out), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        while run.poll() is None:
            try:
                run.communicate(timeout=generator.uniform(0.0, duration / 8))
            except subprocess.TimeoutExpired:
                for name, content in seen.items() if seen and running(out) else ():
                    note(out, name, story)
                    lacked += story.kept[name].count(b"\n") - content.count(b"\n")
                    (out / f"{name}~").write_bytes(content)
                    (out / f"{name}~").replace(out / name)
                    replaced += 1
                seen = {} if seen else {name: (out / name).read_bytes() for name in FILES if (out / name).exists()}
    if run.returncode:
        story.problems.append(f"exit code {run.returncode}")
    check_kept(out, story)
    if not story.problems:
        check_finished(out, expected, story)
    return story, replaced, lacked


def running(out: Path) -> bool:
    """Whether the run has not ended: it guards its records until its report is written."""
    return bool(json.loads((out / "run.json").read_text())["status"] == "running")


def note(out: Path, name: str, story: Story) -> None:
    """Keeps the lines of a file in mind; what was put in its place may lack some, until the next is written."""
    now = whole_lines(out, name)
    shorter, longer = sorted((now, story.kept[name]), key=len)
    if not longer.startswith(shorter):
        story.problems.append(f"lines of {name} are gone or changed")
    story.kept[name] = longer


def undisturbed(suite: Path, folder: Path, *, warm: bool = True) -> tuple[float, set[tuple[object, ...]]]:
    """Seconds of a run that nobody kills, and what it measures."""
    if warm:  # fills the cache
        start_and_kill(suite, folder / "warm", LONGEST_SECONDS, Story())
    story = Story()
    began = time.monotonic()
    start_and_kill(suite, folder / "out", LONGEST_SECONDS, story)
    seconds = time.monotonic() - began
    expected = check_finished(folder / "out", None, story)
    if story.problems:
        raise SystemExit(f"an undisturbed run fails: {story.problems}")
    return seconds, expected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--kills", type=int, default=2, help="at the most, in each run")
    parser.add_argument("--replaced", type=int, default=0, help="files that are replaced, in runs of their own")
    parser.add_argument("--suite", type=Path, default=SMOKE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="copy folders of runs with a problem here")
    asked = parser.parse_args()
    generator = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as place:
        duration, expected = undisturbed(asked.suite, Path(place))
    print(f"an undisturbed run takes {duration:.1f} s; seed {asked.seed}", flush=True)
    broken = kills = 0
    for number in range(1, asked.runs + 1):
        with tempfile.TemporaryDirectory() as place:
            often = generator.randint(1, asked.kills)
            story, duration = one_run(asked.suite, Path(place), duration, often, expected, generator)
            if story.problems and asked.keep:
                shutil.copytree(place, asked.keep / str(number))
        kills += len(story.kills)
        broken += bool(story.problems)
        times = ", ".join(f"{each:.2f}" for each in story.kills)
        print(f"run {number}: killed after {times} s: {'; '.join(story.problems) or 'complete'}", flush=True)
    print(f"{asked.runs} runs, {kills} kills: {asked.runs - broken} complete, {broken} with a problem", flush=True)
    replaced = runs = spoilt = lacked = 0
    while replaced < asked.replaced:
        with tempfile.TemporaryDirectory() as place:
            story, count, lines = replaced_run(asked.suite, Path(place), duration, expected, generator)
            if story.problems and asked.keep:
                shutil.copytree(place, asked.keep / f"replaced-{runs}")
        replaced, runs, spoilt, lacked = replaced + count, runs + 1, spoilt + bool(story.problems), lacked + lines
        said = f"{count} files replaced by others that lacked {lines} lines"
        print(f"{said}: {'; '.join(story.problems) or 'complete'}", flush=True)
    if runs:
        said = f"{runs} runs, {replaced} files replaced by others that lacked {lacked} lines"
        print(f"{said}: {runs - spoilt} complete, {spoilt} with a problem")
    broken += spoilt
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
