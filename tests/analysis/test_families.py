"""Who computes whose formula is what projectors declare, and no matter of how they are called."""

from __future__ import annotations

import copy

import pytest

from harness.analysis.advice.correctness import rightness
from harness.analysis.families import Families
from harness.analysis.fidelity.table import rows
from harness.analysis.summary import summarise
from harness.suite.schema import Contender
from tests.synthetic import COSTS, SUITE, Maker

LDA = {f"projector {name}": {"family": "lda"} for name in ("lda", "lda-loop")}


def with_a_stranger(offers, projector="lda-x", against="formula"):
    """A run in which the fastest contender has a stranger's untrained projector."""
    suite = copy.deepcopy(SUITE)
    suite["contenders"]["stranger"] = {"projector": projector, "runtime": "python"}
    maker = Maker(suite, {**COSTS, "stranger": lambda heads, batch: 1e-7})
    maker.table(launches=3, rounds=2)
    maker.measurements = [
        each.model_copy(update={"parity": each.parity.model_copy(update={"against": against})})
        for each in maker.measurements
    ]
    return maker.score("stranger", 18, mean_cosine=0.3).evidence(offers=offers)


def test_a_strangers_name_does_not_make_it_the_teacher():
    evidence = with_a_stranger(LDA)
    summary = summarise(evidence)
    (row,) = summary.fidelity
    assert not row.teacher
    assert rightness(summary, "stranger", 18).kind == "scored"
    assert rightness(summary, "teacher", 18).kind == "exact"
    assert all("stranger" not in each.fastest for each in summary.waterfalls)
    assert "lda-loop" in {f"{summary.suite.contenders[w.baseline[0].before].projector}" for w in summary.waterfalls}


def test_a_declared_family_does_whatever_it_is_called():
    summary = summarise(with_a_stranger({**LDA, "projector mine": {"family": "lda"}}, projector="mine"))
    assert summary.fidelity[0].teacher
    assert rightness(summary, "stranger", 18).kind == "exact"
    assert any("stranger" in each.fastest for each in summary.waterfalls)


def test_what_was_compared_with_itself_alone_is_not_exact():
    offers = {**LDA, "projector mine": {"family": "lda"}}
    summary = summarise(with_a_stranger(offers, projector="mine", against="itself"))
    assert rightness(summary, "stranger", 18).kind == "scored"


@pytest.mark.parametrize(
    ("projector", "origin", "same"),
    [
        ("lda-loop", "built-in harness_plugins.lda", True),
        ("lda-blocked", "built-in harness_plugins.lda_blocked", True),
        ("lda-loop", "file mine.py", False),
        ("lda-x", "built-in harness_plugins.lda", False),
    ],
)
def test_runs_from_before_families_know_those_of_the_built_ins(projector, origin, same):
    families = Families.of({f"projector {projector}": {"origin": origin}, "projector lda": {"origin": "built-in"}})
    contender = Contender(projector=projector, runtime="python", teacher="lda")
    assert families.computes_teacher(contender) is same
    assert families.computes_teacher(Contender(projector="lda", runtime="python", teacher="lda"))


def test_an_approximation_is_neither_teacher_nor_student():
    families = Families.of({**LDA, "projector near": {"approximates": "lda"}})
    contender = Contender(projector="near", runtime="python", teacher="lda")
    assert families.approximates(contender) == "lda"
    assert not families.computes_teacher(contender)
    assert families.approximates(contender.model_copy(update={"trainer": {"use": "any"}})) == ""
    suite = copy.deepcopy(SUITE)
    suite["contenders"]["near"] = {"projector": "near", "runtime": "python"}
    maker = Maker(suite).score("near", 18, mean_cosine=0.9)
    (row,) = rows(maker.fidelities, maker.suite, families)
    assert row.approximates == "lda"
