"""The way from a documented slowdown to the fastest forms, from seconds written down by hand."""

from __future__ import annotations

import copy

import pytest

from harness.analysis.claims.waterfall import waterfalls
from harness.analysis.families import Families
from harness.records.samples import by_cell
from harness.suite.schema import Suite
from tests.synthetic import SUITE, Maker

FAMILIES = Families({"lda-loop": "lda", "lda": "lda"})
LOOP = {"projector": "lda-loop", "runtime": "python"}


def suite(contenders, **figure):
    text = copy.deepcopy(SUITE)
    text["contenders"] = {**contenders, "student": {"projector": "transformer", "runtime": "eager"}}
    text["races"] = [
        {"name": "documented", "baseline": "loop", "challenger": "student", "heads": {"from": 2, "to": 1024}}
    ]
    text["relative_to"] = {}
    text["documented"] = {
        "source": "a document",
        "figures": [{"race": "documented", "batch_size": 1, "heads": 18, **figure}],
    }
    return Suite.model_validate(text)


def found(contenders, seconds, **figure):
    """The waterfall of contenders that take so many seconds at N = 18."""
    asked = suite(contenders, **(figure or {"slowdown": 24}))
    maker = Maker(costs={name: (lambda n, b, s=s: s) for name, s in seconds.items()}, sigma=1e-9, launch_sigma=1e-9)
    for launch in (1, 2):
        maker.visit(list(seconds), 18, 1, launch, 3)
    return waterfalls(asked, by_cell(maker.measurements), FAMILIES)


def steps(one):
    return [(each.before, each.after, each.change, round(each.speedup.value, 6)) for each in one]


def test_first_the_runtime_then_what_is_run_then_the_runtime_again():
    contenders = {
        "loop": LOOP,
        "loop-eager": {**LOOP, "runtime": "eager"},
        "vectorised-eager": {"projector": "lda", "runtime": "eager"},
        "vectorised-onnx": {"projector": "lda", "runtime": "onnxruntime"},
    }
    seconds = {"loop": 8.0, "loop-eager": 4.0, "vectorised-eager": 2.0, "vectorised-onnx": 1.0, "student": 16.0}
    (fall,) = found(contenders, seconds)
    assert (fall.race, fall.heads, fall.batch_size) == ("documented", 18, 1)
    assert fall.start.value == pytest.approx(2.0)  # the student takes twice as long as the loop
    assert steps(fall.baseline) == [
        ("loop", "loop-eager", "eager in place of python", 2.0),
        ("loop-eager", "vectorised-eager", "lda in place of lda-loop", 2.0),
        ("vectorised-eager", "vectorised-onnx", "onnxruntime in place of eager", 2.0),
    ]
    assert fall.challenger == ()
    assert fall.fastest == ("vectorised-onnx", "")
    assert fall.end.value == pytest.approx(16.0)


def test_where_no_step_changes_one_thing_alone_both_are_named():
    contenders = {"loop": LOOP, "other": {"projector": "lda", "runtime": "onnxruntime", "options": {"blocks": 4}}}
    (fall,) = found(contenders, {"loop": 8.0, "other": 1.0, "student": 16.0})
    assert steps(fall.baseline) == [
        ("loop", "other", "lda in place of lda-loop and onnxruntime in place of python", 8.0)
    ]


def test_options_are_named_by_what_is_new():
    contenders = {"loop": {**LOOP, "options": {"blocks": 1}}, "four": {**LOOP, "options": {"blocks": 4}}, "plain": LOOP}
    (fall,) = found(contenders, {"loop": 8.0, "four": 2.0, "plain": 4.0, "student": 16.0})
    assert steps(fall.baseline) == [("loop", "four", "blocks: 4", 4.0)]  # the fastest of those in the same runtime
    (fall,) = found(contenders, {"loop": 8.0, "four": 9.0, "plain": 4.0, "student": 16.0})
    assert steps(fall.baseline) == [("loop", "plain", "default options", 2.0)]


def test_a_form_that_is_no_faster_is_no_step():
    (fall,) = found({"loop": LOOP, "same": {**LOOP, "runtime": "eager"}}, {"loop": 8.0, "same": 9.0, "student": 16.0})
    assert fall.baseline == ()
    assert fall.fastest == ("", "")
    assert fall.end.value == pytest.approx(2.0)


@pytest.mark.parametrize("figure", [{"crossover": 400}, {"slowdown": 24, "heads": 64}])
def test_without_a_slowdown_at_a_measured_n_there_is_none(figure):
    assert found({"loop": LOOP}, {"loop": 8.0, "student": 16.0}, **figure) == ()
