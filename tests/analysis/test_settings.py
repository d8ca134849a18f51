"""Where and how contenders are called, as far as they differ."""

from __future__ import annotations

from harness.analysis.settings import remarks, settings
from harness.suite.schema import Suite

OWN = {"projector": "product", "runtime": "python"}


def suite(**contenders):
    text = {"name": "one", "source": {"use": "small"}, "heads": {"values": [4]}, "contenders": contenders}
    return Suite.model_validate(text)


def test_nothing_is_said_where_all_are_alike():
    assert settings(suite(one=OWN, other={**OWN, "device": "cpu", "threads": 1})) == {}
    assert remarks(suite(one=OWN, other=OWN)) == []


def test_a_fact_is_named_for_all_as_soon_as_two_differ_in_it():
    found = settings(suite(one=OWN, two={**OWN, "threads": 2}))
    assert found == {"one": "1 thread", "two": "2 threads"}
    found = settings(suite(one=OWN, gpu={**OWN, "device": "cuda:1"}))
    assert found == {"one": "cpu", "gpu": "cuda:1"}


def test_transfers_and_queued_calls_are_named_where_they_count():
    found = settings(suite(one=OWN, two={**OWN, "transfers": "included"}, three={**OWN, "mode": "pipelined"}))
    assert found == {"two": "transfers included", "three": "pipelined"}


def test_how_threads_wait_is_said_where_contenders_have_different_numbers_of_them():
    (passive,) = remarks(suite(one=OWN, two={**OWN, "threads": 2}))
    assert passive.endswith(
        "where ONNX Runtime is deployed spinning, its default, set runtime_options: {spinning: true}"
    )
    spinning = {**OWN, "threads": 2, "runtime_options": {"spinning": True}}
    (told,) = remarks(suite(one=OWN, two=spinning))
    assert told.endswith("those of two spin, as their options say")
