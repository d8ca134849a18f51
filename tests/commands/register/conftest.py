"""Honest runs: made-up ones that keep what every real run keeps, and a committed one, each sealed as a run seals itself."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil

import pytest
from pydantic_core import to_json

from harness.plan.sweep import sweep
from harness.records.reader import read_run
from harness.records.seal import sealed
from harness.report import writing
from tests.baselines import FOLDER
from tests.report.conftest import write
from tests.synthetic import SUITE, Maker

RACES = [{"name": "best", "baseline": "teacher", "challenger": "student"}]


def small(seed=0, processor="A Processor"):
    """A run of two contenders whose samples follow one another as those of a real one."""
    contenders = {name: SUITE["contenders"][name] for name in ("teacher", "student")}
    suite = {
        "name": "small", "source": SUITE["source"], "heads": SUITE["heads"], "batch_sizes": [1], "contenders": contenders,
        "races": RACES,
    }  # fmt: skip
    maker = Maker(suite, seed=seed)
    for case in sweep(maker.suite).cases:
        maker.search(case)
    maker.table(launches=maker.suite.measurement.launches, rounds=2)
    clock = 1_767_225_600.0 + 1000 * seed
    placed = []
    for visit in sorted({each.visit for each in maker.measurements}):
        records = [each for each in maker.measurements if each.visit == visit]
        starts = [[0.0] * len(each.sampled.started) for each in records]
        for place in range(len(records[0].sampled.started)):
            for index in sorted(range(len(records)), key=lambda each: records[each].sampled.positions[place]):
                taken = records[index].sampled
                starts[index][place] = clock
                clock += 1.4 * taken.inner_loops * (taken.seconds[place] + taken.overhead_seconds)
        for record, started in zip(records, starts, strict=True):
            sampled = record.sampled.model_copy(update={"started": tuple(started)})
            placed.append(record.model_copy(update={"sampled": sampled}))
    maker.measurements = placed
    maker.machine = {"processor": processor, "usable_cores": 2, "memory_bytes": 8 * 2**30, "python": "3.12.1"}
    maker.clock_end = clock
    return maker


def sealed_folder(folder):
    """The run of a folder, sealed; its report is written anew."""
    run = read_run(folder)
    run = run.model_copy(update={"suite_digest": hashlib.sha256(to_json(run.suite)).hexdigest()[:16], "seal": {}})
    for name in (".lock", ".owner"):
        (folder / name).unlink(missing_ok=True)
    (folder / "run.json").write_text(sealed(run, folder).model_dump_json(indent=2), encoding="utf-8")
    return folder


def honest(folder, seed=0, processor="A Processor"):
    """A small run as a folder."""
    maker = small(seed, processor)
    begun = 1_767_225_600.0 + 1000 * seed
    evidence = maker.evidence

    def when(seconds):
        return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="seconds")

    maker.evidence = lambda folder: evidence(
        folder, machine=maker.machine, started=when(begun - 1), finished=when(maker.clock_end + 1)
    )
    write(maker, folder)
    return sealed_folder(folder)


def baseline(folder, name="nearest"):
    """A committed run, measured before runs were sealed."""
    shutil.copytree(FOLDER / name, folder)
    return sealed_folder(folder)


@pytest.fixture(scope="session")
def made_run(tmp_path_factory):
    return honest(tmp_path_factory.mktemp("honest") / "run")


@pytest.fixture(scope="session")
def other_run(tmp_path_factory):
    return honest(tmp_path_factory.mktemp("honest") / "other", seed=1, processor="Another Processor")


@pytest.fixture
def run(made_run, tmp_path):
    return copied(made_run, tmp_path / "run")


def copied(folder, to):
    shutil.copytree(folder, to)
    return to


def records(folder):
    return [json.loads(line) for line in (folder / "measurements.jsonl").read_text().splitlines()]


def put(folder, rows):
    (folder / "measurements.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


def rewritten(folder):
    """The report derived anew from what the folder now holds, as a forger would."""
    writing.write(folder)
    (folder / "report.html").unlink(missing_ok=True)
    (folder / "report.md").unlink(missing_ok=True)
    (folder / "dispatch.json").unlink(missing_ok=True)
    return folder
