"""What students in closed form are given: their teacher's answers, in the builder and in the worker alike."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from harness.measure.construction import Construction, teacher_of
from harness.plan import plan
from harness.plan.check import check_suite
from harness.plugin.interfaces import BuildContext
from harness.suite import loading
from harness_plugins.lda import formula

SUITE = {
    "name": "fitted",
    "source": {"use": "playbook", "options": {"temperature": 0.1}},
    "heads": {"values": [18]},
    "batch_sizes": [1],
    "contenders": {"linear": {"projector": "linear", "runtime": "python"}},
}


@pytest.fixture
def specification(answered_here):
    loaded = loading.load(None, text=yaml.safe_dump(SUITE))
    return plan.plan(loaded, check_suite(loaded)).specifications["linear"]


def test_the_teacher_answers_by_its_formula_and_is_asked_once(specification):
    construction = Construction({})
    data = construction.dataset(specification, 18)
    answers = construction.answers(specification, data, data.train_queries)
    np.testing.assert_array_equal(answers, formula(data.heads, data.train_queries))
    assert construction.answers(specification, data, data.train_queries.copy()) is answers
    with pytest.raises(ValueError, match="read-only"):
        answers[0] = 0.0
    assert len(construction.answers(specification, data, data.held_out_queries)) == len(data.held_out_queries)


def test_the_worker_fits_what_the_builder_fitted(specification):
    builder, worker = Construction({}), Construction({})
    data = builder.dataset(specification, 18)
    built = builder.projection(specification, "numpy", data)
    again = worker.rebuild(specification, 18)("numpy", True)
    np.testing.assert_array_equal(built(data.held_out_queries), again(data.held_out_queries))
    wanted = formula(data.heads, data.held_out_queries)
    assert np.abs(built(data.held_out_queries) - wanted).max() < 0.5 * np.abs(wanted - wanted.mean(axis=0)).max()


def test_a_teacher_imitates_nobody(specification):
    assert teacher_of(specification).teacher is None
    assert BuildContext(form="numpy").teacher is None
