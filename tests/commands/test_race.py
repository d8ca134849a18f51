"""Two plain functions raced through the public API, with real workers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import harness
from harness.commands.race import plan
from harness.errors import UserError

FUNCTIONS = """
import itertools

def simple(n, batch):
    for _ in itertools.repeat(None, n): pass

def clever(n, batch):
    for _ in itertools.repeat(None, 3000): pass

def three(n, batch, more): pass

def refuses(n, batch):
    raise RuntimeError("no such size")

def exits(n, batch):
    raise SystemExit(3)

def prints(n, batch):
    print("noise")

value = 3
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    (tmp_path / "broken.py").write_text("raise ValueError('not today')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_functions_are_raced_in_one_call(mine):
    found = harness.race("mine:simple", "mine:clever", low=100, high=100_000, launches=2, precision=0.5, budget=80)
    assert isinstance(found, harness.Location)
    leads = {probe.heads: probe.log_ratio > 0 for probe in found.probes}
    assert (leads[100], leads[100_000]) == (False, True)
    for crossing in found.crossings:  # a busy machine may leave it unresolved
        assert crossing.direction == "challenger"
        assert 1000 < crossing.heads < 9000
    assert [each.name for each in mine.iterdir() if each.is_dir() and each.name != "__pycache__"] == []


WRONG = {
    "nosuch:f": "'nosuch:f' cannot be imported: No module named 'nosuch'; name it as module:function or file.py:function",
    "mine:nosuch": "module 'mine' has no attribute 'nosuch'; name it as module:function or file.py:function",
    "mine:value": "'mine:value' is not callable; name a function as module:function",
    "mine:three": "'mine:three' does not take (n, batch): missing a required argument: 'more'; define it as f(n, batch) or f(n)",
    "mine:refuses": "'mine:refuses' fails at n = 4, batch 1: RuntimeError: no such size (mine.py:",
    "mine:exits": "'mine:exits' fails at n = 4, batch 1: SystemExit: 3",
    "broken:f": "'broken' cannot be imported: ValueError: not today (broken.py:1); `python -c 'import broken'` shows",
    "mine": "'mine' does not name a callable; write module:function",
    ":f": "':f' does not name a callable; write module:function",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_function_that_cannot_be_raced_is_told_before_anything_is_measured(mine, name):
    with pytest.raises(UserError) as told:
        plan(["mine:simple", name], low=4, high=99)
    assert WRONG[name] in str(told.value)


def test_what_a_function_prints_is_not_taken_for_an_answer(mine):
    assert plan(["mine:prints", "mine:simple"], low=4, high=99).sweep.cases


ODD = {
    "the range begins at 0; n starts at 1": {"low": 0},
    "the range from 9 to 9 is empty; low must be smaller than high": {"low": 9, "high": 9},
    "batch must be at least 1, got 0": {"batch": 0},
    "precision must be between 0 and 1, got 0; 0.05 asks for 5 %": {"precision": 0},
    "launches must be between 2 and 64, got 1": {"launches": 1},
    "budget must be at least 2 samples, got 0": {"budget": 0},
    "seconds must be positive, got 0": {"seconds": 0},
    "gap must not be negative, got -1": {"gap": -1},
}


@pytest.mark.parametrize("sentence", ODD)
def test_a_question_that_makes_no_sense_is_told(sentence):
    with pytest.raises(UserError, match=sentence.replace("(", r"\(")):
        plan(["a:b", "c:d"], **{"low": 4, "high": 99, **ODD[sentence]})


def test_steps_outside_the_range_are_named_and_those_inside_are_used(mine):
    found = plan(["mine:simple", "mine:clever"], low=4, high=99, steps=[16, 99_999])
    assert found.warnings == ["steps after n = 99,999 lie outside n = 4 to 99 and were ignored"]
    (case,) = found.sweep.cases
    assert (case.steps, case.declared) == ((16,), True)
    (case,) = plan(["mine:simple", "mine:clever"], low=4, high=99).sweep.cases
    assert (case.steps, case.declared) == ((), False)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"deadline": math.inf}, "deadline and gap must be at most 10,000,000 s; give a shorter one"),
        ({"gap": math.inf}, "deadline and gap must be at most 10,000,000 s; give a shorter one"),
        ({"seconds": math.inf}, "seconds must be a finite number, got inf; leave it out for no limit"),
        ({"deadline": math.nan}, "deadline must be positive, got nan; give more than 0 seconds"),
        ({"precision": math.nan}, "precision must be between 0 and 1, got nan; 0.05 asks for 5 %"),
    ],
)
def test_a_setting_that_is_not_finite_is_refused(settings, sentence):
    with pytest.raises(UserError) as caught:
        plan(["mine:a", "mine:b"], **settings)
    assert str(caught.value) == sentence


PERFPLOT = {
    "n_range": "race has no setting 'n_range'; write sizes=[...]",
    "equality_check": "race has no setting 'equality_check'; write equal=...",
    "xlabel": "race has no setting 'xlabel'; write size_label=...",
    "lunches": "race has no setting 'lunches'; did you mean 'launches'?",
}


@pytest.mark.parametrize("setting", PERFPLOT)
def test_a_setting_of_another_tool_is_answered_with_ours(setting):
    with pytest.raises(UserError) as caught:
        harness.race(sum, max, **{setting: [1, 2]})
    assert str(caught.value) == PERFPLOT[setting]
    with pytest.raises(UserError, match=r"no setting 'kernels'; give the functions first: race\(\[f, g\]"):
        harness.race(kernels=[sum, max])


LISTS = {
    "sizes excludes low and high; give one of them": {"sizes": [1, 9], "high": 10},
    "sizes holds fewer than two different n; give at least the smallest and the largest n": {"sizes": [9, 9]},
    "1.5 is not a whole number; write 1000000 or int": {"sizes": [1, 1.5]},
    "labels are not distinct: a, a; give each function its own label": {"labels": ["a", "a"]},
    "labels are given for 1 of 2 functions; give one for each": {"labels": ["a"]},
}


@pytest.mark.parametrize("sentence", LISTS)
def test_lists_that_make_no_sense_are_told(sentence):
    with pytest.raises(UserError, match=sentence):
        plan(["a:b", "c:d"], **LISTS[sentence])


def test_the_shape_of_perfplot_is_planned(mine):
    """A setup of n, kernels with labels, an equality, and a list of n."""
    made = plan(
        [lambda a: np.c_[a, a], lambda a: np.stack([a, a], axis=1)],
        labels=["numpy.c_", "stack (axis=1)"],
        setup=np.random.rand,
        equal=np.allclose,
        sizes=[2**k for k in range(5)],
        size_label="len(a)",
    )
    (case,) = made.sweep.cases
    assert (case.low, case.high, case.method) == (1, 16, "adaptive")
    assert list(made.specifications) == ["numpy.c_", "stack-axis-1"]
    assert made.specifications["stack-axis-1"].function.function.label == "stack (axis=1)"
    assert made.suite.heads.grid() == (1, 2, 4, 8, 16)


def test_functions_that_work_at_the_listed_n_only_are_timed_at_no_others(mine):
    def even(numbers):
        if len(numbers) % 2:
            raise ValueError("odd")
        return len(numbers)

    made = plan([len, even], setup=lambda n: list(range(n)), sizes=[2, 4, 8, 64])
    (case,) = made.sweep.cases
    assert (case.method, case.points) == ("grid", (2, 4, 8, 64))
    assert any("'even' fails at n = 3: ValueError: odd" in each for each in made.warnings)


def test_two_lambdas_are_named_apart_where_they_differ():
    with pytest.raises(UserError, match="'lambda-1' and 'lambda-2' do not return the same at n = 1"):
        plan([lambda n: n, lambda n: n + 1], low=1, high=9, equal=lambda a, b: a == b)
