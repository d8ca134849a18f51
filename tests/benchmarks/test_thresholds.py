from __future__ import annotations

import copy

import pytest

from harness.analysis.summary import summarise
from tests.benchmarks import thresholds
from tests.synthetic import SUITE, Maker, linear

COSTS = {
    "loop": linear(5, 5),
    "teacher-onnx": linear(3, 0.03),
    "student-eager": linear(480, 0, 90),
    "folded-onnx": linear(60, 0, 25),
    "folded-int8": linear(6, 0, 2.5),
}


def summary(**costs):
    suite = copy.deepcopy(SUITE)
    suite |= {"races": [], "documented": None, "relative_to": {}}
    suite["contenders"] = {
        "loop": {"projector": "lda-loop", "runtime": "python"},
        "teacher-onnx": {"projector": "lda", "runtime": "onnxruntime"},
        "student-eager": {"projector": "transformer", "runtime": "eager"},
        "folded-onnx": {"projector": "transformer", "runtime": "onnxruntime"},
        "folded-int8": {"projector": "transformer", "runtime": "onnxruntime-int8"},
    }
    suite["relative_to"] = {"loop": ["teacher-onnx"], "student-eager": ["folded-onnx", "folded-int8"]}
    evidence = Maker(suite, COSTS | costs).table(launches=2, rounds=2).evidence()
    offers = {"runtime onnxruntime-int8": {"precision": "int8"}}
    machine = {"limits": {"flops_per_second": {"32": 1e11}, "bytes_per_second": {"1024": 1e10}}}
    run = evidence.run.model_copy(update={"offers": offers, "machine": {**evidence.run.machine, **machine}})
    return summarise(evidence.__class__(**{**vars(evidence), "run": run}))


@pytest.mark.parametrize(("per_call", "passed"), [(60, True), (300, False)])
def test_only_what_is_exact_counts(per_call, passed):
    found = summary(**{"folded-onnx": linear(per_call, 0, 25)})
    first = next(thresholds.speedups(found))
    assert "folded-onnx" in first.found
    assert first.passed == passed


def test_what_was_not_measured_is_a_miss():
    found = list(thresholds.speedups(summary()))
    assert [each.passed for each in found] == [True, True, True, True]
    assert all(each.passed is False for each in thresholds.floors(summary()))  # nothing states its cost here


def test_prototypes_stand_beside_what_was_measured():
    rows = {(name, heads, batch): ratio for name, heads, batch, *_, ratio in thresholds.prototypes(summary())}
    assert rows["student-eager", 18, 1] == pytest.approx(0.50 / 0.57, rel=0.1)
    assert ("student-onnx", 18, 1) not in rows
