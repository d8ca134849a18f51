"""A Dask scheduler and two workers as processes of their own: what docs/fleet.md types, killed and continued."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

from harness.fleet.coordinator import FLEET
from harness.plugin.execution import Request
from harness.records.reader import read
from harness_plugins import dask as plugin
from tests import warm
from tests.command_line import called
from tests.fleet import page
from tests.fleet.fleet import Fleet, written
from tests.fleet.test_students import SUITE
from tests.report.fleets import changed

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Fleet(tmp_path_factory.mktemp("fleet")) as started:
        for name in ("a", "b"):
            started.start_worker(name)
        yield started


@pytest.fixture(scope="module")
def typed(fleet):
    """The folder in which the first half of the page was typed, and what its lines answered."""
    folder = fleet.folder / "typed"
    folder.mkdir()
    return folder, page.typed(page.PAGE[: page.SECOND], folder, {page.SCHEDULER: fleet.address}, ("a", "b"))


@pytest.fixture(scope="module")
def finished(typed):
    """The folder of the run on both machines."""
    return typed[0] / "both"


def test_each_machine_has_a_run_of_its_own_and_it_is_here_byte_for_byte(fleet, typed, finished):
    printed = next(done.stdout for line, done in typed[1].items() if line.startswith("harness run"))
    for name in ("a", "b"):
        (there,) = fleet.runs(name)
        for file in ("measurements.jsonl", "run.json", "crossovers.json"):
            assert (finished / name / file).read_bytes() == (there / file).read_bytes()
        assert read(finished / name).run.status == "complete"
        assert f"{name}: complete, " in printed
        assert called("verify", there).returncode == 0  # here, the page does it


def test_the_page_leads_on_to_a_report_and_a_register(typed, finished):
    folder = typed[0]
    for place, name in enumerate(("epyc", "xeon", "graviton")):
        shutil.copytree(finished / "ab"[place % 2], folder / "results" / name)
        changed(folder / "results" / name, lambda run, name=name: run["machine"].update(processor=name))
    shutil.copytree(finished / "a", folder / "results" / "crossover-20260803")
    repository = folder / "runs.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", repository], check=True)
    answered = page.typed(page.PAGE[page.SECOND :], folder, {page.REPOSITORY: str(repository)})
    of_three, of_both = (done.stdout for line, done in answered.items() if line.startswith("harness report fleet"))
    assert "3 machines" in of_three
    assert all(name in of_three for name in ("epyc", "xeon", "graviton"))
    assert "2 machines" in of_both  # alike in all but their names, which fleet.json beside their folders knows
    machines = json.loads((folder / "fleet-report" / "fleet.json").read_text())["machines"]
    assert {each["name"] for each in machines} == {"a", "b"}
    assert answered["harness register verify register"].stdout.endswith("1 accepted, 0 refused\n")
    (entry,) = (folder / "register").iterdir()
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "main"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert f"{entry.name}/measurements.jsonl" in listed.stdout


def test_what_dasks_nanny_would_set_is_not_seen_and_the_rest_is_recorded(finished):
    about = json.loads((finished / FLEET).read_text())["machines"]["a"]
    assert about["removed"] == ["MALLOC_TRIM_THRESHOLD_"]
    assert about["environment"]["HARNESS_LOCK"].endswith("turn.lock")
    assert about["facts"]["machine"]["logical_cores"] == os.cpu_count()


def test_a_complete_run_that_is_continued_stays_as_it_is(fleet, typed, finished):
    before = (finished / "a" / "measurements.jsonl").read_bytes()
    done = called("run", typed[0] / "pair.yaml", "--on", fleet.address, "--resume", finished, "--machine", "a")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (finished / "a" / "measurements.jsonl").read_bytes() == before
    assert "b: " not in done.stdout


def test_two_workers_that_claim_one_machine_are_refused(fleet):
    environment = {**os.environ, **fleet.environment("a")}
    words = [sys.executable, "-P", "-m", "harness", "fleet", "worker", fleet.address, "--name", "other"]
    done = warm.ran(words, env=environment, timeout=60)
    assert done.returncode == 2
    assert f"this machine has a worker already, process {fleet.workers['a'].pid}" in done.stderr


def test_a_port_or_a_name_that_is_taken_is_a_sentence(fleet, tmp_path):
    own = {**os.environ, **Fleet.environment_in(tmp_path, "a")}
    for words, sentence in (
        (["up", "--port", str(fleet.port)], f"error: there can be no scheduler at port {fleet.port}: "),
        (
            ["worker", fleet.address, "--name", "a"],
            f"error: a cannot be lent to {fleet.address}: there is a machine of this ",
        ),
    ):
        command = [sys.executable, "-P", "-m", "harness", "fleet", *words]
        done = warm.ran(command, env=own, timeout=60)
        assert done.returncode == 2, done.stdout + done.stderr
        assert done.stderr.startswith(sentence)
        assert done.stderr.count("\n") == 1


def test_a_worker_that_the_harness_did_not_start_is_refused(fleet):
    command = [sys.executable, "-m", "distributed.cli.dask_worker", fleet.address, "--no-nanny", "--name", "plain"]
    plain = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        next(line for line in plain.stderr if "Registered to" in line)
        status = called("fleet", "status", fleet.address)
        assert status.returncode == 1
        assert "plain" in status.stdout
        done = called("run", written(fleet.folder / "plain"), "--on", fleet.address, "--output", fleet.folder / "no")
    finally:
        plain.kill()
        plain.wait()
    assert done.returncode == 2
    assert "plain: it was not started by `harness fleet worker`" in done.stderr
    assert not (fleet.folder / "no").exists()


def test_what_a_machine_lacks_or_may_not_run_is_said_before_anything_runs(fleet, tmp_path, monkeypatch):
    suite = written(tmp_path / "s", setup=f"{tmp_path}/inputs.py:made")  # it does not travel
    (tmp_path / "inputs.py").write_text("def made(n, seed):\n    return n\n")
    monkeypatch.setenv("HARNESS_ALLOW_PLUGINS", str(tmp_path / "inputs.py"))  # here, and not on the machines
    done = called("run", suite, "--on", fleet.address, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "nothing was run" in done.stderr
    assert "\na: " in done.stderr
    assert "\nb: " in done.stderr
    assert "HARNESS_ALLOW_PLUGINS" in done.stderr
    assert not (tmp_path / "out" / "a").exists()


def test_a_worker_that_is_killed_costs_its_own_machine_and_the_run_goes_on_later(fleet, tmp_path):
    suite = written(tmp_path / "s")
    words = ["run", str(suite), "--on", fleet.address, "--output", str(tmp_path / "out")]
    run = warm.opened([sys.executable, "-P", "-u", "-m", "harness", *words], stdout=subprocess.PIPE, text=True)
    next(line for line in run.stdout if line.startswith("a: ") and " so far" in line)
    fleet.workers["a"].send_signal(signal.SIGKILL)
    fleet.workers["a"].wait()
    rest = run.stdout.read()
    run.wait()
    run.stdout.close()
    assert run.returncode == 1
    assert "a: lost, " in rest
    assert "b: complete, " in rest
    kept = (tmp_path / "out" / "a" / "measurements.jsonl").read_bytes()
    report = called("report", "fleet", tmp_path / "out", "--format", "json")
    assert report.returncode == 0, report.stdout + report.stderr
    found = json.loads(report.stdout)
    (lost,) = found["notes"]
    assert "a, " in lost
    assert lost.endswith("the run has not ended: it is still going on, or its machine was lost")
    assert {each["name"]: each["status"] for each in found["machines"]} == {"a": "running", "b": "complete"}
    assert called("verify", tmp_path / "out" / "b").returncode == 0
    fleet.start_worker("a")
    done = called("run", suite, "--on", fleet.address, "--resume", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "a" / "measurements.jsonl").read_bytes().startswith(kept)
    assert called("verify", tmp_path / "out" / "a").returncode == 0


def test_nothing_of_dask_wakes_on_a_machine_but_a_heartbeat_and_nothing_is_tried_again(fleet):
    import distributed

    def of_worker(dask_worker):
        import dask.config

        running = {name for name, each in dask_worker.periodic_callbacks.items() if each.is_running()}
        off = [
            dask.config.get(f"distributed.{name}")
            for name in ("worker.profile.enabled", "admin.system-monitor.gil.enabled")
        ]
        return running, off, dask_worker.state.nthreads, type(dask_worker.nanny).__name__

    with distributed.Client(fleet.address, set_as_default=False) as client:
        (running, off, threads, nanny), _ = client.run(of_worker).values()
        limits = client.run_on_scheduler(
            lambda dask_scheduler: (dask_scheduler.allowed_failures, dask_scheduler.worker_ttl)
        )
    assert running <= {"heartbeat", "keep-alive"}
    assert (off, threads, nanny) == ([False, False], 1, "NoneType")
    assert limits == (0, None)


def test_a_scheduler_that_repeats_what_has_killed_a_worker_is_refused():
    import distributed

    with distributed.LocalCluster(n_workers=0, dashboard_address=None, processes=False, protocol="tcp://") as cluster:
        done = called("fleet", "status", cluster.scheduler_address)
    assert done.returncode == 2
    assert "the scheduler retries what has killed a worker, 3 times; start it with `harness fleet up`" in done.stderr


def test_a_request_is_a_task_for_one_worker_alone_that_is_never_tried_again():
    class Client:
        def subscribe_topic(self, *_): ...

        def run(self, *_, **__): ...

        def submit(self, *_, **how):
            self.how = how

    client = Client()
    plugin._Sent(client, "tcp://a:1", Request(key="0" * 32, text="x"))
    key = client.how.pop("key")
    plugin._Sent(client, "tcp://a:1", Request(key="0" * 32, text="x"))
    assert client.how.pop("key") != key  # the answer of one is never taken for that of the other
    assert client.how == {
        "workers": ["tcp://a:1"], "allow_other_workers": False, "retries": 0, "pure": False, "resources": {"machine": 1},
    }  # fmt: skip


@pytest.mark.parametrize("rest", ["127.0.0.1:1", "no.such.host.invalid:8786", "127.0.0.1:no", ""])
def test_a_scheduler_that_is_not_there_is_a_sentence(tmp_path, monkeypatch, rest):
    monkeypatch.setattr(plugin, "_CONNECT_SECONDS", 1)
    done = called("run", written(tmp_path), "--on", f"tcp://{rest}", "--output", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: tcp://{rest}: there is no scheduler: ")
    assert done.stderr.endswith("; start one with `harness fleet up`, or correct the address\n")
    assert not (tmp_path / "out").exists()


def test_students_are_trained_and_scored_once_and_the_records_of_each_machine_follow(fleet, tmp_path):
    contenders = {name: each for name, each in SUITE["contenders"].items() if name != "exported"}
    int8 = {"projector": "lda", "runtime": "onnxruntime-int8", "scored": True}
    suite = {
        **SUITE, "heads": {"values": [16]}, "contenders": {**contenders, "int8": int8}, "measurement": {"table": False},
    }  # fmt: skip
    path = tmp_path / "taught.yaml"
    path.write_text(yaml.safe_dump(suite))
    done = called("run", path, "--on", fleet.address, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    about = json.loads((tmp_path / "out" / FLEET).read_text())
    by = {(each["contender"], each["seed"]): each["machine"] for each in about["scores"]}
    assert sorted(by) == [("student", 0), ("student", 1)]
    for name in ("a", "b"):
        records = {(each.contender, each.seed): each for each in read(tmp_path / "out" / name).fidelities}
        assert sorted(records) == [("int8", 0), *sorted(by)]
        for key, each in records.items():
            assert each.failure is None
            noted = [note for note in each.notes if note.startswith("scored on")]
            assert noted == ([] if by.get(key, name) == name else [f"scored on {by[key]}"])
        assert called("verify", tmp_path / "out" / name).returncode == 0
        (there,) = (each for each in fleet.runs(name) if read(each).run.suite["name"] == "taught")
        assert (there / "fidelity.jsonl").read_bytes() == (tmp_path / "out" / name / "fidelity.jsonl").read_bytes()
    before = (tmp_path / "out" / "a" / "fidelity.jsonl").read_bytes()
    again = called("run", path, "--on", fleet.address, "--resume", tmp_path / "out")
    assert again.returncode == 0, again.stdout + again.stderr
    assert " scored, of " not in again.stdout
    assert (tmp_path / "out" / "a" / "fidelity.jsonl").read_bytes() == before
