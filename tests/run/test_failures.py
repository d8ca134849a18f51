"""Contenders that fail from some N on, or would take for ever: real runs, from the command line to their answers."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

import harness
from harness.process.failure import TOO_SLOW
from harness.records.measurement import PILOT
from harness.records.writer import read
from tests.command_line import called

FUNCTIONS = """
def fails_late(n, batch):
    if n > 500:
        raise MemoryError("too much")
    return sum(range(50))

def other(n, batch):
    return sum(range(2000))

def insertion(n, batch):
    values = [(7919 * i) % 100_003 for i in range(n)]
    for i in range(1, n):
        value, j = values[i], i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    return values

def quick(n, batch):
    for _ in range(2000):
        pass
    return sorted((7919 * i) % 100_003 for i in range(n))

def types(n, batch):
    if (type(n), type(batch)) != (int, int):
        raise TypeError(f"{type(n)}, {type(batch)}")
    return sum(range(300))

def root(n, batch):
    import math
    return sum(math.isqrt(n) for _ in range(50))
"""

PROJECTOR = '''
import numpy as np

import harness


class Limited(harness.Projector):
    """Two products, up to 600 heads."""

    name = "limited"
    forms = ("numpy",)

    def build(self, heads, context):
        if len(heads.centroids) > 600:
            raise RuntimeError("no more than 600 heads")
        return lambda queries: (queries @ heads.centroids.T) @ heads.answers

    def reference(self, heads, queries):
        return (queries.astype(np.float64) @ heads.centroids.T.astype(np.float64)) @ heads.answers.astype(np.float64)


@harness.hookimpl
def harness_projectors():
    return [Limited()]
'''
FAULTY = Path(__file__).parents[1] / "fixtures" / "plugins" / "faulty.py"


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(FUNCTIONS)
    return folder


@pytest.fixture(scope="module")
def late(mine):
    arguments = ("locate", "mine:fails_late", "mine:other", "--range", "100:4k", "--launches", "3", "--output", "late")
    return called(*arguments, cwd=mine), mine / "late"


def answer(folder):
    (found,) = json.loads((folder / "crossovers.json").read_text())["located"]
    return found["location"]


def entry(folder):
    return json.loads((folder / "dispatch.json").read_text())["races"][0]["entries"][0]


def test_an_answer_covers_what_was_measured_and_beyond_it_the_one_that_works_is_used(late):
    done, folder = late
    assert done.returncode == 1, done.stdout + done.stderr
    found = answer(folder)
    low, high = found["measured"]
    assert (low, found["status"]) == (100, "above")
    assert high <= 500
    (failures,) = found["failures"]
    assert (failures["last_good"], failures["high"], failures["contender"]) == (high, 4000, "baseline")
    assert failures["low"] > 500
    assert "memory ran out: too much" in failures["reason"]
    assert "mine.py:4" in failures["reason"]
    row = entry(folder)
    assert (row["below"], row["undecided"]) == ("fails_late", [[high + 1, failures["low"] - 1]])
    assert [(each["heads"], each["use"]) for each in row["changes"]] == [(failures["low"], "other")]
    assert called("verify", "late", cwd=folder.parent).returncode == 0


def test_memory_that_ran_out_settles_larger_n_which_are_recorded_as_skipped(late):
    records = [each for each in read(late[1]).measurements if each.contender == "fails_late" and each.heads > 500]
    failed = {each.heads for each in records if each.outcome == "failed"}
    skipped = [each for each in records if each.outcome == "skipped"]
    assert len(failed) == 1
    assert {each.purpose for each in skipped} == {"search", "table"}
    assert all(each.heads > max(failed) and "larger N were not tried" in each.reason for each in skipped)
    report = json.loads((late[1] / "report.json").read_text())
    assert {
        each["outcome"] for each in report["cells"] if each["contender"] == "fails_late" and each["heads"] > 500
    } == {"failed"}


@pytest.mark.parametrize(("heads", "first", "refused"), [(100, "fails_late", False), (4000, "other", True)])
def test_advice_leaves_out_who_fails(late, heads, first, refused):
    done = called("advise", "late", "--heads", heads, cwd=late[1].parent)
    assert f"\n{first} takes " in done.stdout
    assert ("left out: fails_late (fails at N = " in done.stdout) == refused


def test_a_projector_that_cannot_be_built_from_some_n_on_wins_nothing_there(tmp_path):
    (tmp_path / "limited.py").write_text(PROJECTOR)
    suite = {
        "name": "limited",
        "plugins": [str(FAULTY), "limited.py"],
        "source": {"use": "small"},
        "heads": {"values": [150, 1200]},
        "batch_sizes": [2],
        "contenders": {
            "limited": {"projector": "limited", "runtime": "faulty"},
            "unlimited": {"projector": "product", "runtime": "faulty"},
        },
        "races": [{"name": "race", "baseline": "limited", "challenger": "unlimited"}],
        "measurement": {
            "launches": 2,
            "rounds": 2,
            "min_sample_seconds": 0.0003,
            "max_warm_up_seconds": 0.05,
            "latency_calls": 5,
            "self_check": False,
        },
        "search": {"budget_samples": 60, "regret": False},
    }
    (tmp_path / "limited.yaml").write_text(yaml.safe_dump(suite))
    done = called("run", "limited.yaml", "--output", "out", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    found = answer(tmp_path / "out")
    assert found["measured"][1] <= 600
    assert found["failures"][0]["contender"] == "baseline"
    assert "no more than 600 heads" in found["failures"][0]["reason"]
    assert "limited.py:" in found["failures"][0]["reason"]
    table = entry(tmp_path / "out")
    last = [each["use"] for each in table["changes"] if each["heads"] > 600] or [table["below"]]
    assert last == ["unlimited"]


def test_a_quadratic_function_ends_with_its_crossover_where_it_is_still_quick_enough(mine):
    settings = ("--range", "10:50k", "--launches", "2", "--precision", "0.3", "--budget", "300", "--deadline", "4")
    done = called("locate", "mine:insertion", "mine:quick", *settings, "--output", "slow", cwd=mine)
    assert done.returncode == 0, done.stdout + done.stderr
    found = answer(mine / "slow")
    told = [each["heads"] for each in found["crossings"] if each["direction"] == "challenger"]
    # beside other work the pairs may differ by too much for an interval: then it says between which n
    assert told or found["status"] == "unresolved"
    assert all(each < 1000 for each in told or found["bracket"])
    (failures,) = found["failures"]
    assert (failures["contender"], failures["high"], failures["next_good"]) == ("baseline", 50_000, None)
    assert "insertion: a call at N = " in failures["reason"]
    assert "the deadline is 4 s" in failures["reason"]
    skipped = [each.failure.kind for each in read(mine / "slow").measurements if each.failure]
    assert set(skipped) == {TOO_SLOW}
    changes = [each["heads"] for each in entry(mine / "slow")["changes"] if each["use"] == "quick"]
    assert changes == told or not told
    assert called("verify", "slow", cwd=mine).returncode == 0
    assert any(each.purpose == PILOT for each in read(mine / "slow").measurements)


def test_the_seconds_bound_all_of_a_race(mine):
    arguments = ("mine:fails_late", "mine:other", "--range", "10:400", "--gap", "1000", "--seconds", "4")
    started = time.monotonic()
    done = called("locate", *arguments, "--output", "brief", cwd=mine)
    took = time.monotonic() - started
    assert done.returncode == 0, done.stdout + done.stderr
    assert took < 500  # with the pauses it would be hours
    evidence = read(mine / "brief")
    assert {each.launch for each in evidence.measurements} <= {0, 1}
    assert answer(mine / "brief")["status"] == "unresolved"
    assert answer(mine / "brief")["notes"][0] == "the budget of 4 s is spent"
    first = min(each.process_started for each in evidence.measurements if each.process_started)
    last = max(max(each.sampled.started) for each in evidence.measurements if each.sampled)
    assert last - first <= 4


def test_n_is_an_int_on_its_whole_way(mine, monkeypatch):
    import numpy as np

    monkeypatch.chdir(mine)
    low, high = 2**50, 2**53
    found = harness.race(
        "mine:types", "mine:root", low=np.int64(low), high=high, batch=np.int32(3), launches=2, budget=30
    )
    assert found.measured is not None
    assert max(each.heads for each in found.probes) > 2**52
    assert not found.failures


def test_n_that_floating_point_numbers_cannot_tell_apart_are_refused_before_anything_runs(mine):
    done = called("locate", "mine:types", "mine:root", "--range", "2:1e20", cwd=mine)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip() == (
        "error: the range '2:1e20' ends above 9,007,199,254,740,992; "
        "lower its end: beyond 2^53, floating-point numbers cannot represent every integer"
    )
    with pytest.raises(harness.UserError, match="the range ends at 100,000,000,000,000,000,000, above 9,007,199"):
        harness.race("mine:types", "mine:root", low=2, high=10**20)
    with pytest.raises(ValueError, match=r"beyond 2\^53"):
        harness.locate(lambda *_: [], 2, 10**20)
