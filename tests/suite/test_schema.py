"""The parts of a suite one by one: numbers as people write them, spans of N, defaults that come from the whole."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.suite.schema import (
    Contender,
    DeviceName,
    HeadsList,
    HeadsRange,
    HeadsSweep,
    Measurement,
    Part,
    Search,
    Suite,
)

FUNCTIONS = {
    "name": "f",
    "heads": {"from": 1, "to": 9},
    "contenders": {"f": {"function": "a:f"}, "g": {"function": "a:g"}},
}
WHOLE = {
    "name": "s", "source": {"use": "playbook"}, "heads": {"values": [8, 2, 8]},
    "contenders": {"one": {"projector": "lda", "runtime": "python"}},
}  # fmt: skip


def test_a_range_is_swept_geometrically_with_both_ends():
    span = HeadsRange.model_validate({"from": "4", "to": "1k", "points": 3})
    assert (span.low, span.high) == (4, 1000)
    assert span.grid() == (4, 63, 1000)  # 63.2 is the root of 4 x 1,000
    assert HeadsRange.model_validate({"from": 2, "to": 4, "points": 9}).grid() == (2, 3, 4)  # no N twice
    assert HeadsRange.model_validate({"from": 2, "to": 9, "points": 1}).grid() == (2, 9)
    assert HeadsRange.model_validate({"from": 5, "to": 5}).grid() == (5,)
    assert [span.includes(n) for n in (3, 4, 5, 1000, 1001)] == [False, True, True, True, False]
    assert span.describe() == "from N = 4 to 1,000"


def test_a_list_is_the_n_themselves():
    span = HeadsList.model_validate({"values": [8, 2000, 8]})
    assert (span.low, span.high, span.grid()) == (8, 2000, (8, 2000))
    assert [span.includes(n) for n in (8, 9, 2000)] == [True, False, True]
    assert span.describe() == "at N = 8, 2,000"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"from": 9, "to": 8}, "the range from 9 to 8 is empty: `from` must not exceed `to`"),
        ({"from": 0, "to": 8}, "greater than or equal to 1"),
        ({"from": True, "to": 8}, "expected a whole number, got true"),
        ({"from": "many", "to": 8}, "'many'"),
        ({"from": 1, "to": 8, "points": 201}, "less than or equal to 200"),
        ([1, 2], "expected a mapping, `from` and `to` for a range or `values` for a list"),
        ({"values": []}, "at least 1 item"),
        ({"values": [1], "from": 1}, "Extra inputs are not permitted"),
        ({"from": 1, "to": 2**53 + 1}, "less than or equal to 9007199254740992"),
    ],
)
def test_a_span_that_is_none_is_refused(value, sentence):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(HeadsSweep).validate_python(value)
    assert sentence in str(caught.value)


def test_which_way_was_meant_decides():
    assert isinstance(TypeAdapter(HeadsSweep).validate_python({"values": [3]}), HeadsList)
    assert isinstance(TypeAdapter(HeadsSweep).validate_python({"from": 3, "to": 3}), HeadsRange)


@pytest.mark.parametrize(
    ("text", "fine"), [("cpu", True), ("cuda:1", True), ("CUDA", False), ("cuda:", False), ("", False)]
)
def test_a_device_is_a_kind_and_maybe_a_number(text, fine):
    adapter = TypeAdapter(DeviceName)
    if fine:
        assert adapter.validate_python(text) == text
    else:
        with pytest.raises(ValidationError, match="expected a device such as cpu, cuda or cuda:1"):
            adapter.validate_python(text)


def test_a_function_is_projector_and_runtime_at_once():
    found = Contender.model_validate({"function": "a:f", "setup": "a:s", "threads": 2})
    assert (found.projector, found.runtime, found.setup, found.threads) == ("a:f", "python", "a:s", 2)
    again = Contender.model_validate(
        found.model_dump(exclude_defaults=True) | {"projector": "a:f"}
    )  # as records hold it
    assert again.function == "a:f"


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"function": "a:f", "trainer": {"use": "x"}, "device": "cpu"}, "a function takes no device, trainer"),
        ({"function": "a:f", "options": {}}, "a function takes no options"),
        ({"function": "f", "workload": "w", "setup": "s"}, "a function of a workload takes no setup"),
    ],
)
def test_a_function_takes_nothing_that_projectors_take(value, sentence):
    with pytest.raises(ValidationError, match=sentence):
        Contender.model_validate(value)
    assert Contender.model_validate({"function": "f", "workload": "w", "options": {"a": 1}}).options == {"a": 1}


def test_a_suite_of_functions_needs_no_source():
    suite = Suite.model_validate(FUNCTIONS)
    assert (suite.source.use, suite.fidelity, suite.batch_sizes, suite.functions) == ("none", False, (1,), True)
    assert suite.size_title == "n"
    assert Suite.model_validate(FUNCTIONS | {"size_label": "n, samples"}).size_title == "n, samples"
    mixed = {**FUNCTIONS["contenders"], "one": WHOLE["contenders"]["one"]}
    with pytest.raises(ValidationError, match="source"):
        Suite.model_validate(FUNCTIONS | {"contenders": mixed})


def test_what_a_contender_does_not_say_the_suite_says():
    suite = Suite.model_validate(WHOLE)
    assert (suite.device_of("one"), suite.threads_of("one"), suite.batch_sizes) == ("cpu", 1, (1, 32))
    assert (suite.functions, suite.size_title, suite.fidelity) == (False, "N, number of heads", True)
    own = WHOLE | {
        "threads": 3,
        "contenders": {"one": {**WHOLE["contenders"]["one"], "device": "cuda:1", "threads": 2}},
    }
    suite = Suite.model_validate(own)
    assert (suite.device_of("one"), suite.threads_of("one")) == ("cuda:1", 2)


def test_a_race_is_found_by_its_name():
    suite = Suite.model_validate(FUNCTIONS | {"races": [{"name": "r", "baseline": "f", "challenger": "g"}]})
    assert suite.race("r").challenger == "g"
    with pytest.raises(KeyError, match="other"):
        suite.race("other")


def test_launches_are_spread_by_the_longer_of_the_two_pauses():
    how = Measurement(launches=5, gap_seconds=2.0, launch_every_seconds=3.0)
    assert how.spread_seconds(searched=True) == 15.0
    assert how.spread_seconds(searched=False) == 12.0
    assert Measurement().spread_seconds(searched=True) == 0.0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Measurement, {"launches": 1}), (Measurement, {"launches": 65}), (Measurement, {"min_sample_seconds": 0}),
        (Measurement, {"gap_seconds": -1}), (Measurement, {"deadline_seconds": 1e7 + 1}), (Search, {"precision": 1}),
        (Search, {"confidence": 0.5}), (Search, {"budget_samples": 1}), (Measurement, {"memory_limit_bytes": 2**26 - 1}),
        (Search, {"precision": float("nan")}), (Measurement, {"rounds": 0}),
    ],
)  # fmt: skip
def test_the_limits_of_numbers(kind, value):
    with pytest.raises(ValidationError):
        kind.model_validate(value)


def test_numbers_at_their_limits_are_taken():
    assert Measurement(launches=2, latency_calls=0, deadline_seconds=1e7, memory_limit_bytes=2**26).launches == 2
    assert Measurement(launches=64, rounds=1, input_batches=1, models_in_memory_bytes=2**20).launches == 64
    assert Search(budget_samples=2, confidence=0.51, precision=0.99).budget_samples == 2


@pytest.mark.parametrize("name", ["a" * 97, "-a", "a b", ""])
def test_a_name_is_short_and_plain(name):
    with pytest.raises(ValidationError, match="name"):
        Suite.model_validate(WHOLE | {"name": name})
    assert Suite.model_validate(WHOLE | {"name": "a" * 96}).name == "a" * 96


def test_parts_are_frozen_and_know_their_keys():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Search.model_validate({"precison": 0.1})
    with pytest.raises(ValidationError, match="frozen"):
        Search().precision = 0.2
    assert issubclass(Suite, Part)
