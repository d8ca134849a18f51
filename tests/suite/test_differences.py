"""In which keys two suites differ."""

from __future__ import annotations

import pytest

from harness.suite.differences import changed, differences
from harness.suite.schema import Suite

TEXT = {
    "name": "one",
    "source": {"use": "small"},
    "heads": {"values": [4]},
    "contenders": {"a": {"projector": "p", "runtime": "r"}},
}


def suite(**more):
    return Suite.model_validate({**TEXT, **more})


def test_each_key_that_differs_is_named_and_defaults_are_filled_in():
    assert differences(TEXT, suite()) == []
    assert differences(TEXT, suite(seed=7)) == ["seed of the suite: 0 -> 7"]
    found = differences({**TEXT, "measurement": {"launches": 2}}, suite(measurement={"launches": 3}))
    assert found == ["measurement.launches of the suite: 2 -> 3"]


@pytest.mark.parametrize(("count", "named", "rest"), [(6, 6, ""), (7, 6, "1 more keys"), (9, 6, "3 more keys")])
def test_six_are_named(count, named, rest):
    own = {"projector": "p", "runtime": "r"}
    then = {f"c{number}": {**own, "threads": 1} for number in range(count)}
    now = {f"c{number}": {**own, "threads": 2} for number in range(count)}
    found = differences({**TEXT, "contenders": then}, suite(contenders=now))
    assert len([each for each in found if ".threads of the suite: 1 -> 2" in each]) == named
    assert found[named:] == ([f"{rest} of the suite differ"] if rest else [])


def test_a_suite_that_this_version_cannot_read_is_compared_as_it_is():
    found = differences({**TEXT, "colour": "red"}, suite())
    assert "colour of the suite: red -> absent" in found


@pytest.mark.parametrize(
    ("then", "now", "wanted"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", "1", "2")]),
        ({"a": [{"name": "x", "n": 1}]}, {"a": [{"name": "x", "n": 2}]}, [("a[x].n", "1", "2")]),
        ({"a": [{"n": 1}]}, {"a": [{"n": 1}, {"n": 3}]}, [("a[1].n", "absent", "3")]),
        ({"a": [1, 2]}, {"a": (1, 3)}, [("a", "1, 2", "1, 3")]),
        ({"a": None}, {}, []),
        ({"a": {}}, {}, []),  # an empty mapping and none at all ask for the same
        ({"a": {}}, {"a": {"b": 1}}, [("a", "{}", "absent"), ("a.b", "absent", "1")][1:]),
        ({"a": 1}, {"b": 1}, [("a", "1", "absent"), ("b", "absent", "1")]),
    ],
)
def test_nested_keys_are_dotted_and_parts_with_a_name_are_known_by_it(then, now, wanted):
    assert list(changed(then, now)) == wanted
