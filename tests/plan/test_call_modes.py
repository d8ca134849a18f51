"""From what is wanted of transfers and queued calls to contenders and races, one for each way of calling."""

from __future__ import annotations

import pytest

from harness.plan.call_modes import spread
from harness.suite.schema import Suite

HERE, THERE = (
    {"projector": "lda", "runtime": "eager"},
    {"projector": "transformer", "runtime": "eager", "device": "cuda"},
)


def suite(**more):
    data = {
        "name": "s",
        "source": {"use": "playbook"},
        "heads": {"from": 1, "to": 64},
        "contenders": {"teacher": HERE, "student": THERE},
        "races": [{"name": "r", "baseline": "teacher", "challenger": "student"}],
    }
    return Suite.model_validate({**data, **more})


def ways(found):
    return {name: (each.transfers, each.mode) for name, each in found.suite.contenders.items()}


def races(found):
    return {race.name: (race.baseline, race.challenger) for race in found.suite.races}


def test_where_devices_differ_a_race_is_run_with_and_without_transfers():
    found = spread(suite())
    assert races(found) == {"r": ("teacher", "student"), "r+transfers": ("teacher", "student+transfers")}
    assert ways(found) == {"teacher": (None, None), "student": (None, None), "student+transfers": ("included", None)}
    assert found.bases == {"teacher": "teacher", "student": "student", "student+transfers": "student"}


def test_on_one_device_a_suite_stays_as_it_is():
    one = suite(contenders={"teacher": HERE, "student": {**THERE, "device": "cpu"}})
    assert spread(one).suite == one


@pytest.mark.parametrize("wanted", ["excluded", "included"])
def test_a_suite_may_want_one_of_the_two(wanted):
    found = spread(suite(transfers=wanted))
    assert races(found) == {"r": ("teacher", "student")}
    assert ways(found) == {"teacher": (None, None), "student": (None if wanted == "excluded" else wanted, None)}


def test_a_race_may_want_what_its_suite_does_not():
    both = {"baseline": "teacher", "challenger": "student", "mode": "both", "transfers": "excluded"}
    found = spread(suite(races=[{"name": "r", **both}]))
    assert races(found) == {"r": ("teacher", "student"), "r+pipelined": ("teacher+pipelined", "student+pipelined")}
    assert ways(found)["teacher+pipelined"] == (None, "pipelined")


def test_all_four_are_raced_where_both_of_both_are_wanted():
    found = spread(suite(mode="both"))
    assert list(races(found)) == ["r", "r+pipelined", "r+transfers", "r+transfers+pipelined"]
    assert ways(found)["student+transfers+pipelined"] == ("included", "pipelined")


def test_what_a_contender_says_itself_counts():
    own = {"teacher": HERE, "student": {**THERE, "transfers": "included"}}
    found = spread(suite(contenders=own))
    assert races(found) == {"r": ("teacher", "student")}
    assert ways(found)["student"] == ("included", None)


def test_a_suite_that_was_spread_is_not_spread_again():
    once = spread(suite(mode="both")).suite
    assert {race.name for race in spread(once).suite.races} >= {race.name for race in once.races}
    again = Suite.model_validate(once.model_dump(mode="json", by_alias=True))
    assert again == once
