"""A run from suite to records: what is measured, what is remembered, what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import yaml

from harness.commands import race
from harness.commands.register.checking import verified
from harness.commands.register.submitting import submit
from harness.errors import RecordsError, ResourceError
from harness.plan import plan as planning
from harness.records import writer as store_module
from harness.records.replay import replay
from harness.records.seal import changes_since_end
from harness.records.writer import read
from harness.run import session
from harness.run.listeners import Silent
from harness.suite import loading
from tests.command_line import called

QUICK = {"launches": 2, "rounds": 2, "min_sample_seconds": 0.0003, "latency_calls": 5, "max_warm_up_seconds": 0.05}
THREE = {"from": 2, "to": 64, "points": 3}
PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "faulty.py"


def written(folder: Path, **more) -> Path:
    """A suite that races a contender against another of linear cost, on heads of width 8."""
    contender = {"projector": "product", "runtime": "faulty"}
    suite = {
        "name": "small",
        "plugins": [str(PLUGIN)],
        "source": {"use": "small"},
        "heads": {"from": 2, "to": 64, "points": 2},
        "batch_sizes": [2],
        "contenders": {"one": contender, "two": contender},
        "races": [{"name": "twins", "baseline": "one", "challenger": "two"}],
        "measurement": {**QUICK, "self_check": False},
        "search": {"budget_samples": 40},
        **more,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def plain_listener():
    """A listener that says nothing."""
    names = ("say", "stage", "step", "search", "recorded", "outline", "launch", "pause", "answered")
    return SimpleNamespace(**{name: lambda *_, **__: None for name in names})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("session")
    done = called("run", written(folder, batch_sizes=[2, 4], measurement=QUICK), "--output", folder / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done


def test_a_run_leaves_its_records_and_its_report(finished):
    folder, done = finished
    names = {each.name for each in (folder / "out").iterdir()}
    assert {"run.json", "measurements.jsonl", "crossovers.json", "report.md"} <= names
    evidence = read(folder / "out")
    assert evidence.run.status == "complete"
    assert evidence.run.source["kind"] == "synthetic"
    assert evidence.run.offers["runtime faulty"]["sha256"]
    assert "twins" in done.stdout


def test_a_run_seals_its_records_and_a_register_takes_it(finished, tmp_path):
    folder = finished[0] / "out"
    assert list(changes_since_end(json.loads((folder / "run.json").read_text()), folder)) == []
    submit(folder, str(tmp_path))
    (found,) = verified(tmp_path)
    assert found.accepted, found.sentence


def test_how_long_contenders_take_to_be_back_at_speed_is_kept_and_used(finished):
    evidence = read(finished[0] / "out")
    assert evidence.run.recovery.keys() == {"one", "two"}
    known = {
        (name, int(batch), seconds)
        for name, by_batch in evidence.run.recovery.items()
        for batch, by_heads in by_batch.items()
        for seconds in by_heads.values()
    }
    sampled = [each for each in evidence.measurements if each.sampled is not None and each.launch > 0]
    assert {(each.contender, each.batch_size, each.sampled.untimed_seconds) for each in sampled} <= known


def test_a_contender_is_raced_against_itself_by_two_processes_that_do_nothing_else(finished):
    evidence = read(finished[0] / "out")
    own = {each.process_id for each in evidence.measurements if each.purpose != "self-check"}
    twins = [each for each in evidence.measurements if each.purpose == "self-check"]
    assert twins
    assert own.isdisjoint(each.process_id for each in twins)
    for visit in {each.visit for each in twins}:
        assert len({each.process_id for each in twins if each.visit == visit}) == 2


def test_every_cell_of_the_sweep_is_measured_in_every_launch(finished):
    evidence = read(finished[0] / "out")
    seen = sorted(
        (each.contender, each.heads, each.batch_size, each.launch)
        for each in evidence.measurements
        if each.purpose == "table"
    )
    wanted = [(c, n, b, k) for c in ("one", "two") for n in (2, 64) for b in (2, 4) for k in (1, 2)]
    assert seen == sorted(wanted)


def test_rivals_of_a_visit_have_the_same_rounds_and_alternate(finished):
    visits = {}
    for each in read(finished[0] / "out").measurements:
        visits.setdefault(each.visit, []).append(each)
    pairs = [each for each in visits.values() if each[0].purpose == "search"]
    assert pairs
    for one, two in pairs:
        assert one.sampled.rounds == two.sampled.rounds
        assert all({a, b} == {0, 1} for a, b in zip(one.sampled.positions, two.sampled.positions, strict=True))
        times = sorted(one.sampled.started + two.sampled.started)
        assert times[:2] == sorted((one.sampled.started[0], two.sampled.started[0]))


def test_the_search_is_repeated_from_the_records_to_the_same_answer(finished):
    evidence = read(finished[0] / "out")
    from harness.records.crossovers import load

    for each in load(evidence.located):
        assert replay(evidence, each.case, each.asked) == each.location


def test_a_run_that_was_cut_off_goes_on_where_it_ended(finished, tmp_path):
    folder, _ = finished
    lines = (folder / "out" / "measurements.jsonl").read_bytes().splitlines(keepends=True)
    out = tmp_path / "out"
    out.mkdir()
    (out / "run.json").write_bytes((folder / "out" / "run.json").read_bytes())
    kept = random.Random(3).randrange(len(lines) // 4, len(lines) // 2)
    (out / "measurements.jsonl").write_bytes(b"".join(lines[:kept]) + lines[kept][:40])
    done = called("run", folder / "small.yaml", "--resume", out)
    assert done.returncode == 0, done.stdout + done.stderr
    after = (out / "measurements.jsonl").read_bytes().splitlines(keepends=True)
    assert after[:kept] == lines[:kept]
    records = read(out).measurements
    table = [(each.cell, each.launch) for each in records if each.purpose == "table"]
    assert len(set(table)) == len(table) == 16
    assert read(out).run.status == "complete"


def test_resuming_another_suite_is_refused_with_the_keys_that_differ(finished, tmp_path):
    folder, _ = finished
    other = written(tmp_path, seed=7, measurement={"launches": 3, "rounds": 2, "min_sample_seconds": 0.0003})
    done = called("run", other, "--resume", folder / "out")
    assert done.returncode == RecordsError.exit_code
    assert "seed of the suite: 0 -> 7" in done.stderr
    assert "measurement.launches of the suite: 2 -> 3" in done.stderr
    assert "--force" in done.stderr


def copied(finished, tmp_path, change=None):
    """A copy of the finished run that somebody changed by hand, and the bytes of its files."""
    out = tmp_path / "out"
    shutil.copytree(finished[0] / "out", out)
    if change is not None:
        about = json.loads((out / "run.json").read_text())
        change(about)
        (out / "run.json").write_text(json.dumps(about))
    return out, {each.name: each.read_bytes() for each in out.iterdir() if not each.name.startswith(".")}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda about: about["offers"]["runtime faulty"].update(sha256="0" * 64),
            "the file of runtime faulty: 000000000000 -> ",
        ),
        (lambda about: about["offers"]["source small"].update(version="0.9"), "version of source small: 0.9 -> "),
        (lambda about: about["versions"].update({"crossover-harness": "0.0.1"}), "crossover-harness: 0.0.1 -> "),
        (lambda about: about["source"].update(digest="f" * 64), "the source's data: ffffffffffff -> small-0-2"),
    ],
)
def test_other_code_and_other_data_are_refused_and_nothing_is_overwritten(finished, tmp_path, change, sentence):
    out, before = copied(finished, tmp_path, change)
    done = called("run", finished[0] / "small.yaml", "--resume", out)
    assert done.returncode == RecordsError.exit_code
    assert sentence in done.stderr
    assert {each.name: each.read_bytes() for each in out.iterdir() if not each.name.startswith(".")} == before


def test_records_of_another_experiment_are_refused_unless_forced(finished, tmp_path):
    out, _ = copied(finished, tmp_path)
    path = out / "measurements.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if (line["contender"], line["heads"], line["batch_size"]) == ("two", 64, 4):
            line["key"] = "another"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = called("run", finished[0] / "small.yaml", "--resume", out)
    assert done.returncode == RecordsError.exit_code
    assert f" of {len(lines):,} records do not match this suite (first: two at N = 64, batch 4)" in done.stderr
    done = called("run", finished[0] / "small.yaml", "--resume", out, "--force")
    assert done.returncode == 0, done.stderr
    assert "do not match this suite" in read(out).run.forced[0]


def test_a_run_is_resumed_from_another_folder_as_from_its_own(finished, tmp_path):
    out, before = copied(finished, tmp_path)
    done = called("run", "small.yaml", "--resume", out, cwd=finished[0])
    assert done.returncode == 0, done.stderr
    assert (out / "measurements.jsonl").read_bytes() == before["measurements.jsonl"]


def test_what_a_resumed_run_knows_is_read_under_the_lock(finished, tmp_path, monkeypatch):
    """What another process wrote until it let go of the lock counts, whatever was read before."""
    from harness.plan import plan as planning
    from harness.plan.check import check_suite
    from harness.records.writer import Store
    from harness.run import session
    from harness.suite import loading

    out, _ = copied(finished, tmp_path)
    loaded = loading.load(finished[0] / "small.yaml")
    plan = planning.plan(loaded, check_suite(loaded))
    resume, seen = Store.resume, []

    def late(folder):
        store, found = resume(folder)
        seen.append(store)
        return store, dataclasses.replace(found, run=found.run.model_copy(update={"suite": {"name": "another"}}))

    monkeypatch.setattr(Store, "resume", late)
    with pytest.raises(RecordsError, match="name of the suite: another -> small"):
        session.run(plan, out, plain_listener(), resume=True)
    assert not seen[0]._lock.is_locked


def test_reports_are_written_under_the_lock(finished, tmp_path):
    from filelock import FileLock, Timeout

    from harness.plan import plan as planning
    from harness.plan.check import check_suite
    from harness.report import writing
    from harness.run import session
    from harness.suite import loading

    out, _ = copied(finished, tmp_path)
    loaded = loading.load(finished[0] / "small.yaml")
    plan = planning.plan(loaded, check_suite(loaded))
    write, held = writing.write, []

    def wrote(folder):
        try:
            FileLock(folder / ".lock").acquire(timeout=0)
        except Timeout:
            held.append(True)
        return write(folder)

    silent = plain_listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.writing, "write", wrote)
        session.run(plan, out, silent, resume=True)
    assert held == [True]


def test_a_run_whose_training_failed_ends_resumed_as_it_ended_first(tmp_path):
    suite = written(
        tmp_path,
        races=[],
        heads={"values": [2]},
        contenders={"one": {"projector": "product", "runtime": "faulty", "scored": True, "teacher": "breaks"}},
    )
    plugin = tmp_path / "breaks.py"
    plugin.write_text(
        "import harness\n"
        "class Breaks(harness.Projector):\n"
        "    name = 'breaks'\n"
        "    forms = ('numpy',)\n"
        "    def build(self, heads, context): raise ValueError('it breaks')\n"
        "    def reference(self, heads, queries): raise ValueError('it breaks')\n"
        "@harness.hookimpl\n"
        "def harness_projectors(): return [Breaks()]\n"
    )
    document = yaml.safe_load(suite.read_text())
    document["plugins"].append(str(plugin))
    suite.write_text(yaml.safe_dump(document))
    first = called("run", suite, "--output", tmp_path / "out")
    assert read(tmp_path / "out").fidelities[0].failure is not None
    again = called("run", suite, "--resume", tmp_path / "out")
    assert (first.returncode, again.returncode) == (1, 1), first.stderr + again.stderr


def test_a_folder_that_holds_a_run_is_not_written_over(finished):
    folder, _ = finished
    before = (folder / "out" / "measurements.jsonl").read_bytes()
    done = called("run", folder / "small.yaml", "--output", folder / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert (folder / "out" / "measurements.jsonl").read_bytes() == before


def test_two_functions_are_raced_without_a_suite(tmp_path):
    (tmp_path / "two.py").write_text(
        "import time\n"
        "def wait(seconds):\n"
        "    ends = time.perf_counter() + seconds\n"
        "    while time.perf_counter() < ends: pass\n"
        "def linear(n, batch): wait(1e-7 * n * batch)\n"
        "def constant(n, batch): wait(2e-5 * batch)\n"
    )
    arguments = ("two:linear", "two:constant", "--range", "50:800", "--launches", "2", "--budget", "100")
    done = called("locate", *arguments, "--output", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    stored = json.loads((tmp_path / "out" / "crossovers.json").read_text())
    location = stored["located"][0]["location"]
    leads = {probe["heads"]: probe["log_ratio"] > 0 for probe in location["probes"]}
    assert (leads[50], leads[800]) == (False, True), done.stdout
    for crossing in location["crossings"]:  # a busy machine may leave it unresolved
        assert crossing["direction"] == "challenger"
        assert 60 <= crossing["heads"] <= 700
    assert ("constant is faster" if location["status"] == "crossing" else location["status"]) in done.stdout


def test_a_function_that_is_not_there_is_told(tmp_path):
    done = called("locate", "os:nothing", "os:getpid", "--output", "out", cwd=tmp_path)
    assert done.returncode != 0
    assert "'os:nothing' cannot be imported" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def answers(folder):
    return json.loads((folder / "crossovers.json").read_text())["located"]


def test_the_seconds_of_a_search_outlive_a_resumption(finished, tmp_path):
    folder, _ = finished
    seconds = [each["seconds"] for each in answers(folder / "out")]
    assert min(seconds) > 0
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    shutil.copytree(folder / "out", whole)
    shutil.copytree(folder / "out", cut)
    (cut / "crossovers.json").unlink()  # a run that was killed has not written it
    for out in (whole, cut):
        done = called("run", folder / "small.yaml", "--resume", out)
        assert done.returncode == 0, done.stderr
    assert [each["seconds"] for each in answers(whole)] == seconds
    assert all(0 < each["seconds"] <= before for each, before in zip(answers(cut), seconds, strict=True))


def test_seconds_that_are_over_are_named_and_the_answer_follows_from_the_records(tmp_path):
    suite = written(tmp_path, search={"budget_seconds": 0.001})
    done = called("run", suite, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (answer,) = answers(tmp_path / "out")
    assert answer["location"]["status"] == "unresolved"
    assert answer["location"]["notes"][0] == "the budget of 0.001 s is spent"
    assert "the budget of 0.001 s is spent" in done.stdout
    assert called("verify", tmp_path / "out").returncode == 0


def test_a_grid_visits_the_points_of_the_table_and_its_answer_follows_from_the_records(tmp_path):
    suite = written(tmp_path, search={"method": "grid", "budget_samples": 60}, heads=THREE)
    done = called("run", suite, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    evidence = read(tmp_path / "out")
    searched = {(each.heads, each.launch) for each in evidence.measurements if each.purpose == "search"}
    assert searched == {(heads, launch) for heads in (2, 11, 64) for launch in (0, 1, 2)}
    assert called("verify", tmp_path / "out").returncode == 0


def test_launches_are_apart_by_a_gap_that_varies_and_nobody_waits_for_what_is_recorded(tmp_path, monkeypatch):
    (tmp_path / "two.py").write_text("def one(n, batch): sum(range(n))\ndef other(n, batch): sum(range(99))\n")
    monkeypatch.chdir(tmp_path)
    made = race.plan(["two:one", "two:other"], low=64, high=200, launches=2, budget=20, gap=10.0)
    pauses = []
    session.run(made, tmp_path / "out", Silent(), sleep=pauses.append)
    first, second = (sum(slices) for _, slices in itertools.groupby(pauses))  # before launches 1 and 2, by the second
    assert all(5.0 <= each <= 15.0 for each in (first, second))
    assert first != second
    again = []
    session.run(made, tmp_path / "out", Silent(), resume=read(tmp_path / "out"), sleep=again.append)
    assert again == []


class Notified:
    """Trackers that remember what they are told."""

    failures = ()

    def __init__(self):
        self.told = []

    def started(self, run):
        self.told.append("started")

    def measured(self, measured):
        pass

    def deliver(self):
        pass

    def finished(self, run):
        self.told.append(run.status)


@pytest.mark.parametrize("full", ["records", "everything"])
def test_a_run_that_fails_ends_like_any_other(tmp_path, monkeypatch, full):
    from harness.plan.check import check_suite

    checked = loading.load(written(tmp_path))
    trackers = Notified()
    plan = dataclasses.replace(planning.plan(checked, check_suite(checked)), trackers=trackers)
    append, write, appended = store_module.Store.append, store_module.write_atomically, []
    no_room = ResourceError("the disk is full", where=str(tmp_path / "out"))

    def once(self, *records):
        if len(appended) > 2:
            raise no_room
        appended.append(records)
        append(self, *records)

    def replaced(path, text):
        if full == "everything" and len(appended) > 2:
            raise no_room
        write(path, text)

    monkeypatch.setattr(store_module.Store, "append", once)
    monkeypatch.setattr(store_module, "write_atomically", replaced)
    monkeypatch.setattr(session.writing, "write_atomically", replaced)
    children = set(psutil.Process().children(recursive=True))
    threads = threading.active_count()
    with pytest.raises(ResourceError, match="the disk is full"):
        session.run(plan, tmp_path / "out", plain_listener(), sleep=lambda seconds: None)
    assert trackers.told == ["started", "failed"]
    assert set(psutil.Process().children(recursive=True)) <= children
    assert threading.active_count() <= threads
    assert len(read(tmp_path / "out").measurements) == sum(len(each) for each in appended)
    if full == "records":
        assert read(tmp_path / "out").run.status == "failed"
        assert (tmp_path / "out" / "report.md").exists()
