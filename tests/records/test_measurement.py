"""One line of the records: what it is of, whether it counts as failed, what it may not hold."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.process.failure import TOO_SLOW, Failure
from harness.records.measurement import (
    INTERRUPTED,
    PILOT,
    RIVAL_FAILED,
    THROTTLED,
    Fidelity,
    Measurement,
    Parity,
    RunInfo,
    Sampled,
    content_hash,
)

LINE = {
    "key": "k", "contender": "one", "heads": 18, "batch_size": 4, "purpose": "table", "visit": 1, "launch": 1,
    "outcome": "measured",
}  # fmt: skip
SERIES = {
    "seconds": (1e-3, 2e-3), "rounds": (0, 1), "positions": (0, 1), "started": (5.0, 6.0), "inner_loops": 3,
    "overhead_seconds": 4e-8,
}  # fmt: skip


def line(**more):
    return Measurement.model_validate(LINE | more)


def failure(kind):
    return Failure(stage="load", what="it broke", kind=kind)


def test_a_cell_is_a_contender_at_one_n_and_one_batch_size():
    assert line().cell == ("one", 18, 4)


@pytest.mark.parametrize(
    ("outcome", "purpose", "kind", "failing"),
    [
        ("measured", "table", None, False),
        ("skipped", "table", None, False),
        ("failed", "table", None, True),
        ("failed", PILOT, None, False),  # a pilot only finds out how a cost grows
        ("failed", "table", "error", True),
        ("skipped", "search", "memory", True),  # it was left out, since it would have failed
        ("skipped", "search", TOO_SLOW, False),
        ("failed", PILOT, "error", False),
    ],
)
def test_what_would_only_take_too_long_has_not_failed(outcome, purpose, kind, failing):
    found = line(outcome=outcome, purpose=purpose, failure=failure(kind) if kind else None)
    assert found.failing is failing


@pytest.mark.parametrize(
    ("outcome", "reason", "interrupted"),
    [
        ("skipped", INTERRUPTED, True),
        ("skipped", THROTTLED, True),
        ("skipped", RIVAL_FAILED, False),
        ("skipped", None, False),
        ("failed", INTERRUPTED, False),
    ],
)
def test_a_visit_that_was_cut_off_is_made_again(outcome, reason, interrupted):
    assert line(outcome=outcome, reason=reason).interrupted is interrupted


@pytest.mark.parametrize("name", ["rounds", "positions", "started"])
def test_a_series_has_one_of_each_for_every_sample(name):
    assert len(Sampled.model_validate(SERIES).seconds) == 2
    with pytest.raises(ValidationError, match="seconds, rounds, positions and started must be of one length"):
        Sampled.model_validate(SERIES | {name: SERIES[name][:1]})


@pytest.mark.parametrize(
    ("name", "value"),
    [("seconds", ()), ("seconds", (0.0, 1.0)), ("seconds", (1.0, 2e12)), ("started", (-1.0, 0.0)), ("rounds", (-1, 0))],
)
def test_a_series_holds_seconds_that_can_have_been_taken(name, value):
    with pytest.raises(ValidationError):
        Sampled.model_validate(SERIES | {name: value})


def test_n_and_numbers_end_where_floating_point_numbers_leave_integers_out():
    largest = 2**53
    assert line(heads=largest, visit=largest, launch=0).heads == largest
    for wrong in ({"heads": largest + 1}, {"heads": 0}, {"batch_size": 0}, {"visit": -1}, {"launch": largest + 1}):
        with pytest.raises(ValidationError):
            line(**wrong)


def test_keys_of_a_newer_version_are_passed_over_and_records_do_not_change():
    found = line(colour="red")
    assert not hasattr(found, "colour")
    with pytest.raises(ValidationError, match="frozen"):
        found.heads = 3
    assert Parity(error=1e-6, tolerance=1e-4).against is None
    assert Fidelity(contender="s", heads=18, temperature=1.0, seed=0, scores={}).failure is None
    assert RunInfo(suite={}, suite_path="s", suite_digest="d", started="now").status == "running"


def test_a_content_hash_does_not_depend_on_the_order_of_keys():
    # the first 16 digits of: printf '{"a":1,"b":[2]}' | sha256sum
    assert content_hash({"b": [2], "a": 1}) == content_hash({"a": 1, "b": (2,)}) == "0855bfc20eb6cfaa"
    assert content_hash({"a": 1}) != content_hash({"a": 2})
