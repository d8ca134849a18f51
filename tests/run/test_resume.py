"""A run that is killed at random moments and resumed: a short version of `tests.benchmarks.kills`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.plan.check import check_suite
from harness.records.crossovers import dump
from harness.records.writer import LOCATED, Store, read
from harness.suite import loading
from tests import warm
from tests.benchmarks import kills
from tests.benchmarks.kills import LONGEST_SECONDS, Story, check_finished, check_kept, start_and_kill, undisturbed
from tests.run.test_session import PLUGIN, QUICK, written
from tests.synthetic import Maker

KILLS = 2


@pytest.mark.timeout(600)  # many starts, on a machine that may be shared
def test_a_run_that_is_killed_again_and_again_loses_nothing_and_measures_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "subprocess", warm.processes())
    suite = written(
        tmp_path,
        plugins=[str(PLUGIN), str(PLUGIN.parent / "slowed.py")],
        heads={"from": 40, "to": 240, "points": 2},
        batch_sizes=[2],
        contenders={
            "one": {"projector": "growing", "runtime": "faulty", "scored": True, "teacher": "product"},
            "two": {"projector": "counting", "runtime": "slow"},
        },
        search={"budget_samples": 100, "precision": 0.5},
        measurement=QUICK,
    )
    seconds, expected = undisturbed(suite, tmp_path / "whole", warm=False)
    generator, story, out = random.Random(4), Story(), tmp_path / "out"
    out.mkdir()
    (out / ".run.json.abcd1234").write_text("{")  # killed while it wrote its very first file
    for _ in range(KILLS):
        # from where there may be something to lose, to shortly before the end of what is left
        start_and_kill(suite, out, generator.uniform(0.2, 0.7) * seconds, story)
    start_and_kill(suite, out, LONGEST_SECONDS, story)
    check_finished(out, expected, story)
    assert story.problems == []
    assert story.kills
    assert {("fidelity", "one", heads, 0) for heads in (40, 240)} < expected
    assert {name for name, *_ in expected} == {"table", "self-check", "fidelity"}
    assert read(out).torn == ()
    assert not (out / ".run.json.abcd1234").exists()


def test_records_that_are_gone_or_made_twice_are_seen(tmp_path):
    """The check itself: it would tell if a score or a self-check were lost or made again."""
    maker = Maker().table(launches=2).self_check(launches=2).searches()
    maker.score("student", 18, mean_cosine=0.9)
    out = tmp_path / "out"
    with Store.create(out, maker.evidence(out).run) as store:
        store.append(*maker.measurements)
        store.append(*maker.fidelities)
        store.write(LOCATED, dump(maker.located))
    story = Story()
    check_kept(out, story)
    expected = check_finished(out, None, story)
    assert story.problems == []
    store, _ = Store.resume(out)
    with store:
        store.append(*maker.fidelities)
        again = [each for each in maker.measurements if each.purpose == "self-check"][:2]
        store.append(*(each.model_copy(update={"visit": 10**6}) for each in again))
    check_finished(out, expected, story)
    assert [each.split(":")[0] for each in story.problems] == ["measured 2 times", "measured 2 times"]
    (out / "fidelity.jsonl").write_text("")
    story = Story(kept=story.kept)
    check_kept(out, story)
    check_finished(out, expected, story)
    assert "lines of fidelity.jsonl that were written before a kill are gone or changed" in story.problems
    assert any(each.startswith("other cells than in an undisturbed run: {('fidelity'") for each in story.problems)


def test_the_projects_own_hot_paths_are_a_suite_that_runs_here():
    loaded = loading.load(Path(__file__).parents[1] / "benchmarks" / "hot_paths.yaml")
    checked = check_suite(loaded)
    assert checked.sweep.cells
    assert not checked.broken
    assert set(loaded.suite.relative_to["loop"]) <= set(loaded.suite.contenders)
