"""How a search is asked: which steps are known, and what it hears when its seconds are over."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.search import request
from harness.search.result import BudgetSpent, Unmeasurable


def made(**more):
    return SimpleNamespace(low=1, high=64, method="adaptive", points=4, steps=(), declared=False, **more)


@pytest.mark.parametrize(
    ("steps", "declared", "wanted"), [((8, 16), True, (8, 16)), ((), True, (64,)), ((), False, ())]
)
def test_steps_that_were_declared_and_lie_outside_are_known_to_be_none(steps, declared, wanted):
    case = made()
    case.steps, case.declared = steps, declared
    assert request.known_steps(case) == wanted


def test_each_method_is_given_its_own_arguments(monkeypatch):
    seen = []
    monkeypatch.setattr(request, "locate", lambda *found, **named: seen.append(("adaptive", found[1:], named)))
    monkeypatch.setattr(request, "locate_on_grid", lambda *found, **named: seen.append(("grid", found[1:], named)))
    asked = SimpleNamespace(
        precision=0.1, confidence=0.95, budget=100, launches=3, seed=7, prior=None, further=8, neighbours=0
    )
    case = made()
    request.run_search(None, case, asked)
    case.method = "grid"
    request.run_search(None, case, asked)
    common = {"precision": 0.1, "confidence": 0.95, "budget": 100, "launches": 3, "seed": 7, "on_progress": None}
    assert seen == [
        ("adaptive", (1, 64), {**common, "steps": (), "prior": None, "further": 8}),
        ("grid", (1, 64), {**common, "points": 4, "steps": ()}),
    ]


def test_seconds_that_are_over_are_named_where_they_are_known():
    assert str(request.budget_exhausted(2.5)) == "the budget of 2.5 s is spent"
    assert isinstance(request.budget_exhausted(None), BudgetSpent)
    assert str(request.budget_exhausted(None)) == ""


def test_what_cannot_be_measured_says_at_which_n():
    assert str(Unmeasurable(1000, "it broke")) == "N = 1,000 cannot be measured: it broke"
    assert str(Unmeasurable(7)) == "N = 7 cannot be measured: no reason was given"
