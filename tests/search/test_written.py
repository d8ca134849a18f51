"""No answer changes unless it is meant to."""

from __future__ import annotations

import json
import math

import pytest

from tests.search.written import FILE, QUESTIONS, answered

WRITTEN = json.loads(FILE.read_text(encoding="utf-8"))


def alike(one, other):
    """Whether two are the same, up to what another processor rounds otherwise."""
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(*each) for each in zip(one, other, strict=True))
    return one == other


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answer_is_as_written_down(name):
    found, wanted = answered(name), WRITTEN[name]
    changed = {key: (wanted.get(key), found[key]) for key in found if not alike(found[key], wanted.get(key))}
    assert changed == {}, "where this is meant, run `python -m tests.search.written`"


def test_nothing_else_is_written_down():
    assert WRITTEN.keys() == QUESTIONS.keys()
