"""Tables of limits, precisions and crossovers by the limits, from a run that states its costs."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest

from harness.analysis.summary import summarise
from harness.report import data, tables, wording
from tests.synthetic import COSTS, SUITE, Maker


@pytest.fixture(scope="module")
def evidence():
    suite = copy.deepcopy(SUITE)
    suite["contenders"]["student"]["runtime"] = "onnxruntime-int8"
    suite["races"].append({"name": "exact", "baseline": "teacher", "challenger": "student-eager"})
    made = Maker(suite, COSTS).table(launches=2, rounds=2).evidence()
    places = (18, 1024, 16384)
    costs = {
        "teacher": [[n, b, 1e6 * n, 1e3, []] for n in places for b in (1, 32)],
        "student-eager": [[n, b, 2e9, 1e3, []] for n in places for b in (1, 32)],
        "student": [[n, b, 2e9, 1e3, []] for n in places for b in (1, 32)],
    }
    limits = {"flops_per_second": {"32": 1e14}, "bytes_per_second": {"1024": 1e10}, "costs": costs}
    run = made.run.model_copy(
        update={"machine": {"limits": limits}, "offers": {"runtime onnxruntime-int8": {"precision": "int8"}}}
    )
    return dataclasses.replace(made, run=run)


def test_what_is_not_float32_is_marked_and_has_no_limits(evidence):
    summary = summarise(evidence)
    assert {each.contender for each in summary.distances} == {"teacher", "student-eager"}
    assert "student (int8)" in tables.limits(summary).note
    (first, *_) = tables.relative(summary)
    assert "student (int8, inexact)" in [*first.columns, *(row[0].text for row in first.rows)]
    assert data.data(summary)["precisions"] == {"student": "int8"}


def test_the_crossover_by_the_limits_stands_beside_the_measured_one(evidence):
    summary = summarise(evidence)
    found = tables.crossovers(summary)
    column = found.columns.index("roofline N*")
    by_race = {(row[0].text, row[1].text): row[column].value for row in found.rows}
    assert by_race["exact", "32"] == pytest.approx(2000, rel=0.01)
    assert by_race["best", "32"] is None  # its challenger computes in eight bits
    cases = {
        (each["race"], each["batch_size"]): each["predicted_by_limits"] for each in data.data(summary)["crossovers"]
    }
    assert cases["exact", 32] == by_race["exact", "32"]


def test_limits_of_the_processor_say_nothing_about_another_device(evidence):
    suite = {**evidence.run.suite, "device": "cuda"}
    elsewhere = dataclasses.replace(evidence, run=evidence.run.model_copy(update={"suite": suite}))
    assert summarise(elsewhere).distances == ()


def test_a_percentile_without_an_upper_end_is_shown_by_its_lower_one():
    summary = summarise(Maker().table(launches=8, rounds=2).evidence())
    details = tables.details(summary)
    column = details.columns.index("p99 ms")  # of 480 calls: five lie beyond, too few to bound it from above
    assert all(" (at least " in row[column].text for row in details.rows)
    (first, *_) = json.loads(data.to_json(summary))["cells"]
    found = first["percentiles"]["0.99"]
    assert found["high"] is None
    assert 0 < found["low"] < found["value"]


@pytest.fixture(scope="module")
def approximated():
    """A run in which the challenger of a race approximates the teacher, and is scored at two of three N."""
    suite = copy.deepcopy(SUITE)
    suite["contenders"]["student"] = {"projector": "near", "runtime": "python"}
    maker = Maker(suite).table(launches=3, rounds=2).searches()
    maker.score("student", 18, mean_cosine=0.9999, top1_agreement=1.0)
    maker.score("student", 1024, mean_cosine=0.999, top1_agreement=0.969)
    return summarise(maker.evidence(offers={"projector near": {"approximates": "lda"}}), maker.located)


def test_an_approximation_is_shown_with_its_score_beside_its_latency(approximated):
    first, *_ = tables.latencies(approximated, per_query=False)
    column = first.columns.index("student (approximates lda)")
    told = [row[column].text.partition(", ")[2] for row in first.rows]
    assert told == ["top-1 1.000", "top-1 0.969", "not scored"]
    assert all(", " not in row[first.columns.index("teacher")].text for row in first.rows)
    assert data.data(approximated)["approximates"] == {"student": "lda"}


def test_the_answer_of_a_race_tells_what_an_approximation_is_worth(approximated):
    told = wording.sentences(approximated)
    worth = "student approximates lda: top-1 0.969 at N = 1,024, 1.000 at N = 18"
    best = [each for each in told if each.startswith("best: ")]
    assert best
    assert all(worth in each for each in best)
    assert not any(worth in each for each in told if each.startswith("documented: "))


def test_an_approximation_that_was_not_scored_says_so():
    suite = copy.deepcopy(SUITE)
    suite["contenders"]["student"] = {"projector": "near", "runtime": "python"}
    maker = Maker(suite).searches()
    evidence = maker.evidence(offers={"projector near": {"approximates": "lda"}})
    told = wording.sentences(summarise(evidence, maker.located))
    assert any("student approximates lda, and was not scored" in each for each in told)
