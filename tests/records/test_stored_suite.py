"""What a run's folder says that it was asked, by versions that knew more or said it wrongly."""

from __future__ import annotations

import copy
import re

import pytest

from harness.errors import RecordsError
from harness.records.stored_suite import check, suite_of
from tests.synthetic import Maker


@pytest.fixture
def run():
    return Maker().evidence().run


def with_suite(run, **more):
    return run.model_copy(update={"suite": {**copy.deepcopy(dict(run.suite)), **more}})


def test_keys_of_a_newer_version_are_passed_over_at_any_depth(run):
    newer = with_suite(run, colour="red", search={"hue": {"deep": 1}, "precision": 0.2})
    newer.suite["contenders"]["loop"]["taste"] = "sweet"
    newer.suite["races"][1]["mood"] = "good"
    newer.suite["heads"] = {"values": [18, 1024, 16384], "shape": "round"}
    found = suite_of(newer)
    assert found.search.precision == 0.2
    assert found.contenders["loop"].projector == "lda-loop"
    assert found.races[1].name == "best"
    assert found.heads.values == (18, 1024, 16384)


def test_what_is_wrong_is_named_with_its_place(run):
    with pytest.raises(RecordsError, match=r"invalid file: suite\.seed: "):
        suite_of(with_suite(run, seed="often", colour="red"))
    with pytest.raises(RecordsError, match=r"suite: more than 100 levels of unknown keys|suite\.contenders: "):
        suite_of(with_suite(run, contenders={}))


@pytest.mark.parametrize(
    ("machine", "place"),
    [
        ({"gpus": "one"}, "machine.gpus"),
        ({"limits": {"flops_per_second": {}, "bytes_per_second": {"1": 1.0}}}, "machine.limits.flops_per_second"),
        (
            {"limits": {"flops_per_second": {"0": 1.0}, "bytes_per_second": {"1": 1.0}}},
            "machine.limits.flops_per_second",
        ),
        (
            {"limits": {"flops_per_second": {"1": 0.0}, "bytes_per_second": {"1": 1.0}}},
            "machine.limits.flops_per_second.1",
        ),
        ({"memory_bytes": float("nan")}, "machine.memory_bytes"),
        (
            {"limits": {"flops_per_second": {str(2**53 + 2): 1.0}, "bytes_per_second": {"1": 1.0}}},
            "machine.limits.flops_per_second",
        ),
    ],
)
def test_the_free_parts_are_looked_at_where_they_are_read(run, machine, place):
    with pytest.raises(RecordsError, match=re.escape(place)):
        check(run.model_copy(update={"machine": machine}))


def test_offers_are_looked_at(run):
    check(run.model_copy(update={"offers": {"projector x": {"family": None}}, "machine": {"limits": None}}))
    with pytest.raises(RecordsError, match=r"offers\.runtime x"):
        check(run.model_copy(update={"offers": {"runtime x": 3}}))
    with pytest.raises(RecordsError, match=r"offers\.projector x\.family"):
        check(run.model_copy(update={"offers": {"projector x": {"family": 3}}}))
