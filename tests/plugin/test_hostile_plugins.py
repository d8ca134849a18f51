"""Plugins that cannot even be imported, beside one that works: the run goes on, tells what happened, and exits 1."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.records.writer import read
from tests.command_line import called

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "faulty.py"
MISSHAPEN = """
import harness

class Misshapen(harness.Projector):
    "Gives one column too few."
    name = "misshapen"
    forms = ("numpy",)

    def build(self, heads, context):
        return lambda queries: ((queries @ heads.centroids.T) @ heads.answers)[:, 1:]

    def reference(self, heads, queries):
        return (queries.astype(float) @ heads.centroids.T.astype(float)) @ heads.answers

@harness.hookimpl
def harness_projectors():
    return [Misshapen()]
"""
TRACKER = """
import harness

@harness.hookimpl
def harness_run_started(run):
    raise OSError("no server")
"""
HOSTILE = {
    "raises": ("raise RuntimeError('no license')", "RuntimeError: no license"),
    "exits": ("import sys; sys.exit('good-bye')", "it called sys.exit('good-bye') while it was imported"),
    "hangs": ("import threading; threading.Event().wait()", "it did not end within 4 s while it was imported"),
    "crashes": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "it was killed by SIGSEGV while it was imported",
    ),
    "misshapen": (MISSHAPEN, "the output has the shape [2, 7], expected [2, 8]"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    for name, (code, _) in HOSTILE.items():
        (folder / f"{name}.py").write_text(code)
    (folder / "tracker.py").write_text(TRACKER)
    contenders = {name: {"projector": name, "runtime": "faulty"} for name in HOSTILE}
    suite = {
        "name": "hostile",
        "plugins": [str(PLUGIN), "./tracker.py", *(f"./{name}.py" for name in HOSTILE)],
        "source": {"use": "small"},
        "heads": {"values": [4]},
        "batch_sizes": [2],
        "contenders": {**contenders, "good": {"projector": "product", "runtime": "faulty"}},
        "races": [{"name": "race", "baseline": "good", "challenger": "raises", "heads": {"from": 2, "to": 64}}],
        "search": {"regret": False},
        "measurement": {
            "launches": 2,
            "rounds": 2,
            "latency_calls": 3,
            "min_sample_seconds": 0.0003,
            "max_warm_up_seconds": 0.05,
            "self_check": False,
        },
    }
    (folder / "hostile.yaml").write_text(yaml.safe_dump(suite))
    environment = {"HARNESS_PLUGIN_SECONDS": "4", "HARNESS_CACHE": str(folder / "cache")}
    done = called("run", "hostile.yaml", "--output", "out", cwd=folder, env=environment)
    return folder / "out", done


def test_the_good_contender_is_measured_and_the_exit_code_is_one(finished):
    folder, done = finished
    assert done.returncode == 1, done.stdout + done.stderr
    measured = {(each.contender, each.launch) for each in read(folder).measurements if each.outcome == "measured"}
    assert measured == {("good", 1), ("good", 2)}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_happened_is_told(finished, name):
    folder, done = finished
    told = " ".join((done.stdout + done.stderr).split())
    assert HOSTILE[name][1] in told
    assert HOSTILE[name][1] in " ".join((folder / "report.md").read_text().replace("\\", "").split())


def test_a_tracker_that_raises_is_reported(finished):
    told = " ".join((finished[1].stdout + finished[1].stderr).split())
    assert "a tracker failed; the run continues: " in told
    assert "tracker.py: harness_run_started raised OSError: no server" in told


def test_nothing_is_a_traceback(finished):
    assert "Traceback" not in finished[1].stdout + finished[1].stderr
