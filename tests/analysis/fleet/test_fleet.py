"""Runs of several machines together: each its own, the spread between them, and what is not comparable."""

from __future__ import annotations

import math
import shutil

import pytest

from harness.analysis.fleet.fleet import fleet
from harness.analysis.summary import summarise
from harness.errors import UserError
from harness.records.reader import read
from tests.report.fleets import MIXED, TAU, changed, write


def of(folders, **more):
    return fleet([summarise(read(each)) for each in folders], **more)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def found(folders):
    return of(folders)


def search(found, race, batch):
    return next(each for each in found.searches if (each.race, each.batch_size) == (race, batch))


def test_every_machine_keeps_its_own_crossover(found, folders):
    assert [each.key for each in found.machines] == list("ABCDEFGHI")
    here = search(found, "documented", 32)
    stored = [read(each).located for each in folders]
    wanted = [
        next(each for each in one if (each["leg"]["race"], each["leg"]["batch_size"]) == ("documented", 32))
        for one in stored
    ]
    assert [each.crossing.heads for each in here.places] == [
        each["location"]["crossings"][0]["heads"] for each in wanted
    ]


def test_the_spread_between_nine_machines_and_where_another_would_lie(found):
    here = search(found, "documented", 32).estimate
    assert here.machines == 9
    assert here.tau_low < TAU < here.tau_high
    logs = [math.log(each.crossing.heads) for each in search(found, "documented", 32).places]
    assert here.centre == pytest.approx(sum(logs) / 9, abs=0.05)
    assert here.predicted_low < min(logs)
    assert "an unseen machine has its N* between" in search(found, "documented", 32).sentence


def test_a_machine_without_a_crossover_is_named_beside_the_estimate(found):
    here = search(found, *MIXED)
    assert here.estimate.machines == 8
    assert here.beside == (
        "machine I: loop is faster throughout",
        "the figures above are about the 8 machines with one N*, out of 9",
    )


def test_seven_machines_have_no_estimate(folders):
    found = of(folders[:7])
    assert all(each.estimate is None for each in found.searches)
    assert search(found, "documented", 32).sentence == (
        "7 machines with one N*: the spread between machines is estimated from 8 on"
    )


def test_of_several_runs_of_a_machine_the_newest_counts(folders, tmp_path):
    again = shutil.copytree(folders[0], tmp_path / "again")
    changed(again, lambda run: run.update(started="2026-05-01T00:00:00+00:00"))
    changed(again, lambda run: run["machine"].update(memory_bytes=run["machine"]["memory_bytes"] - 4096))  # a kernel's
    found = of([again, *folders[:2]])
    assert [(each.key, each.summary.folder, each.earlier) for each in found.machines] == [
        ("A", "again", ("machine-0",)),
        ("B", "machine-1", ()),
    ]
    assert found.notes == ("A: Processor 0: the newest run is used, again; 1 earlier run left out: machine-0",)


def test_only_what_differs_is_listed(found):
    rows = {each.name: each.values for each in found.differences}
    assert rows["processor"] == tuple(f"Processor {place}" for place in range(9))
    assert rows["cache L3"][:3] == ("32.0 MiB", "64.0 MiB", "96.0 MiB")
    assert rows["torch"][:2] == ("2.14.0+cpu", "2.13.0+cpu")
    assert set(rows) == {"processor", "cache L3", "torch"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda run: run["suite"].update(seed=7), r"are of different suites \(seed is 0 and 7\)"),
        (lambda run: run["source"].update(digest="0" * 64), "have different digests"),
        (lambda run: run.update(quick=True), "is a quick run"),
        (lambda run: run["offers"].update({"projector own": {"sha256": "0" * 64}}), "a plugin file of .* differs"),
    ],
)
def test_runs_of_different_questions_are_refused_unless_forced(folders, tmp_path, change, sentence):
    other = changed(shutil.copytree(folders[1], tmp_path / "other"), change)
    with pytest.raises(UserError, match=f"the runs cannot be combined: .*{sentence}.*; report those of one suite"):
        of([folders[0], other])
    found = of([folders[0], other], force=True)
    assert found.notes[0].startswith("taken with --force although ")


def test_another_description_is_the_same_question(folders, tmp_path):
    other = shutil.copytree(folders[1], tmp_path / "other")
    changed(other, lambda run: run["suite"].update(description="another"))
    assert len(of([folders[0], other]).machines) == 2


def test_limits_that_were_not_measured_are_named(found):
    assert search(found, "documented", 32).about_limits == (
        "no prediction from limits: no run has measured them (`limits: true` under `measurement`)"
    )


def test_a_prediction_stands_beside_the_measured_crossover(tmp_path):
    folders = write(tmp_path, 3, limits=True, above=False)
    changed(folders[2], lambda run: run["machine"].pop("limits"))
    found = of(folders)
    predicted = [each for each in found.searches if each.transfer.error is not None]
    assert predicted
    for each in predicted:
        first, second, third = each.transfer.predicted
        # all limits are alike here: what is predicted for one machine is the other's N*
        assert first == pytest.approx(each.places[1].crossing.heads)
        assert second == pytest.approx(each.places[0].crossing.heads)
        assert third is None
        assert each.about_limits.endswith("; limits were not measured on C")
        assert "is off by a factor of" in each.about_limits


def test_no_runs_are_refused():
    with pytest.raises(UserError, match="there are no runs"):
        fleet([])
