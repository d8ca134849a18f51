"""Two plain functions raced through the public API, with real workers."""

from __future__ import annotations

import math

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
    assert plan(["mine:prints", "mine:simple"], low=4, high=99).sweep.legs


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
    (leg,) = found.sweep.legs
    assert (leg.steps, leg.declared) == ((16,), True)
    (leg,) = plan(["mine:simple", "mine:clever"], low=4, high=99).sweep.legs
    assert (leg.steps, leg.declared) == ((), False)


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
