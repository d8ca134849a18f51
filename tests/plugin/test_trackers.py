from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from harness.plugin.events import Measured, RunFinished, RunStarted
from harness.plugin.inspection import Listing, TrackerData
from harness.plugin.trackers import Trackers

if TYPE_CHECKING:
    from pathlib import Path

RECORDER = """
import json, pathlib
import harness

LOG = pathlib.Path({log!r})

def write(what):
    print("noise")
    with LOG.open("a") as file:
        file.write(json.dumps(what) + "\\n")

@harness.hookimpl
def harness_run_started(run):
    write(["started", run.suite, run.parameters])

@harness.hookimpl
def harness_measured(measured):
    write(["measured", measured.contender, list(measured.seconds)])

@harness.hookimpl
def harness_run_finished(run):
    write(["finished", run.status])
"""


@pytest.fixture
def trackers(tmp_path):
    made = []

    def make(code: str, **arguments) -> Trackers:
        path = tmp_path / f"tracker{len(made)}.py"
        path.write_text(code)
        made.append(TrackerData(plugin=f"file:{path}", label=path.name))
        return Trackers(tuple(made), **arguments)

    return make


def run(trackers: Trackers, count: int = 2) -> Trackers:
    trackers.started(RunStarted(suite="s", folder="/results", parameters={"seed": 3}))
    for number in range(count):
        trackers.measured(Measured(contender="lda", heads=18, batch_size=1, seconds=(float(number),)))
    trackers.finished(RunFinished(suite="s", folder="/results"))
    return trackers


def told(path: Path) -> list:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_tracker_is_told_everything_in_order(trackers, tmp_path):
    log = tmp_path / "log"
    assert run(trackers(RECORDER.format(log=str(log)))).failures == ()
    assert told(log) == [
        ["started", "s", {"seed": 3}],
        ["measured", "lda", [0.0]],
        ["measured", "lda", [1.0]],
        ["finished", "complete"],
    ]


def test_measurements_are_kept_back_until_nothing_is_timed(trackers, tmp_path):
    keeper = trackers(RECORDER.format(log=str(tmp_path / "log")))
    keeper.started(RunStarted(suite="s", folder="/results"))
    keeper.measured(Measured(contender="lda", heads=18, batch_size=1))
    assert len(keeper._held) == 1
    keeper.deliver()
    assert keeper._held == []
    keeper.close()


def test_a_tracker_that_raises_is_reported_once_and_still_called(trackers, tmp_path):
    log = tmp_path / "log"
    trackers("import harness\n@harness.hookimpl\ndef harness_measured(measured): raise OSError('no server')")
    done = run(trackers(RECORDER.format(log=str(log))), count=3)
    (failure,) = done.failures
    assert failure.what.startswith("harness_measured raised OSError: no server")
    assert len(told(log)) == 5


def test_a_tracker_that_dies_is_reported_and_stops_nothing(trackers):
    done = run(trackers("import harness, os\n@harness.hookimpl\ndef harness_run_started(): os._exit(4)"))
    assert [str(failure) for failure in done.failures] == [
        "tracker0.py: the tracker exited with code 4; later events were lost"
    ]


def test_a_tracker_that_hangs_costs_its_patience_and_no_more(trackers):
    code = "import harness, threading\n@harness.hookimpl\ndef harness_run_started(): threading.Event().wait()"
    done = run(trackers(code, patience_seconds=0.2), count=5000)
    assert [str(failure) for failure in done.failures] == [
        "tracker0.py: the tracker timed out after 0.2 s at the end of the run, and was killed"
    ]


def test_without_trackers_no_process_is_started(monkeypatch):
    monkeypatch.setattr("subprocess.Popen", None)
    assert run(Trackers.of(Listing())).failures == ()


def test_a_tracker_may_wait_for_a_variable(monkeypatch):
    listing = Listing(trackers=(TrackerData(plugin="p", when="MLFLOW_TRACKING_URI"), TrackerData(plugin="q")))
    assert [each.plugin for each in Trackers.of(listing, {})._trackers] == ["q"]
    assert [each.plugin for each in Trackers.of(listing, {"MLFLOW_TRACKING_URI": "x"})._trackers] == ["p", "q"]
