"""What a child answers fits into the records, or is an invalid response."""

from __future__ import annotations

import pytest

from harness.measure.answers import ANSWERS
from harness.measure.pool import Built
from harness.process.messages import InvalidAnswer, checked
from tests.fuzz.answers import VALUES, recorded


def answered(asked, key, value):
    return checked({**VALUES[asked], key: value}, ANSWERS[asked]).model_dump(exclude_unset=True)


@pytest.mark.parametrize(
    ("asked", "key", "value"),
    [
        ("sample", "seconds", 1e13),
        ("sample", "seconds", 0.0),
        ("sample", "seconds", -1.0),
        ("sample", "seconds", float("nan")),
        ("sample", "started", 1e300),
        ("calls", "seconds", [1e13]),
        ("watch", "windows", [[1.0]]),
        ("ready", "threads", {"blas": 10**30}),
        ("ready", "device_memory", {"used": -(10**30)}),
        ("ready", "first_call_seconds", 1e13),
        ("build", "build_seconds", 1e13),
        ("describe", "heads", 10**30),
        ("hold_out", "training_seconds", 1e13),
        ("score", "intervals", {"mean_cosine": [0.1]}),
        ("score", "scores", {"mean_cosine": float("inf")}),
        ("save", "card", {}),
        ("costs", "costs", [[18, 1, 1.0, 1.0, [[0, 384, 18]]]]),
        ("costs", "costs", [[18, 1, 1.0, 1.0, [[384, 18]]]]),
        ("costs", "costs", [[18, 1, -1.0, 1.0, []]]),
        ("rates", "flops_per_second", {"many": 1e9}),
        ("rates", "bytes_per_second", {"0": 1e9}),
        ("rates", "products", [[0.5, 1, 1, 1e9]]),
        ("rates", "products", [[1, 1, 1e9]]),
    ],
)
def test_what_no_record_can_hold_is_an_invalid_response(asked, key, value):
    with pytest.raises(InvalidAnswer, match=f"the answer is not what was asked for: {key}"):
        answered(asked, key, value)


@pytest.mark.parametrize(
    ("asked", "key", "value"),
    [
        ("sample", "seconds", 1e12),
        ("sample", "started", 1e12),
        ("calls", "device_seconds", [1e12]),
        ("ready", "threads", {"blas\x1b": 2**53}),
        ("ready", "settings", {"\udcff": "\ud800\x00"}),
        ("ready", "warnings", ["x" * 100_000]),
        ("build", "warnings", ["\udcff"]),
        ("score", "data", "\udcff"),
        ("hold_out", "notes", ["\x1b[31m"]),
    ],
)
def test_what_is_taken_is_written_and_read_again(asked, key, value):
    recorded(asked, answered(asked, key, value))


@pytest.mark.parametrize("place", ["x" * 5000, "a\x00b", "\udcff", ""])
def test_a_place_that_no_folder_has_is_lost(place):
    answer = answered("build", "place", place)
    assert Built(
        place=answer["place"], heads=1, model_bytes=0, build_seconds=0, cached=True, costs={}, proofs={}
    ).is_gone
