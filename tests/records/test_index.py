"""What a run has measured already, found again by what asked for it."""

from __future__ import annotations

from harness.process.failure import Failure
from harness.records.index import RecordIndex, latest, without_failures
from harness.records.measurement import INTERRUPTED, PILOT
from tests.synthetic import Maker

CELL = ("teacher", 18, 1)
WHY = Failure(stage="load", what="it broke", kind="error")


def test_the_table_is_found_by_cell_and_launch_and_the_last_record_counts():
    maker = Maker()
    first, again = maker.visit(["teacher"], 18, 1, 1, 1)[0], maker.visit(["teacher"], 18, 1, 1, 1)[0]
    recall = RecordIndex([again, first], ())
    assert recall.table(CELL, 1) is again  # the visit of the larger number
    assert recall.table(CELL, 2) is None
    assert recall.table(("loop", 18, 1), 1) is None
    assert recall.without_latency() == set()
    failed = first.model_copy(update={"outcome": "failed", "failure": WHY})
    assert RecordIndex([failed], ()).without_latency() == {CELL}


def test_half_a_visit_is_made_again_and_so_is_one_that_was_interrupted():
    maker = Maker()
    twins = maker.visit(["teacher", "teacher"], 18, 1, 1, 1, "self-check")
    assert RecordIndex(twins, ()).self_check(1, CELL)
    assert not RecordIndex(twins, ()).self_check(2, CELL)
    assert not RecordIndex(twins[:1], ()).self_check(1, CELL)
    cut = [each.model_copy(update={"outcome": "skipped", "reason": INTERRUPTED}) for each in twins]
    assert not RecordIndex(cut, ()).self_check(1, CELL)


def test_the_regret_of_a_search_is_known_by_its_n():
    pair = Maker().visit(["teacher", "student"], 64, 1, 1, 1, "regret", "best at batch 1")
    recall = RecordIndex(pair, ())
    assert recall.regret("best at batch 1", 64)
    assert not recall.regret("best at batch 1", 65)
    assert not recall.regret("best at batch 32", 64)


def test_scores_are_known_by_contender_n_and_seed():
    maker = Maker().score("student", 18, mean_cosine=0.9).score("student", 18, seed=1, mean_cosine=0.8)
    recall = RecordIndex((), maker.fidelities[:1])
    assert recall.fidelity("student", 18, 0) is maker.fidelities[0]
    assert recall.fidelity("student", 18, 1) is None
    recall.remember(maker.fidelities[1])
    assert recall.fidelity("student", 18, 1) is maker.fidelities[1]


def test_what_failed_is_forgotten_but_for_what_an_answer_says():
    maker = Maker().score("student", 18, mean_cosine=0.9)
    table, search = (maker.visit(["teacher"], 18, 1, 1, 1, purpose)[0] for purpose in ("table", "search"))
    pilot = maker.visit(["teacher"], 18, 1, 1, 1, PILOT)[0]
    broken = {"outcome": "failed", "failure": WHY}
    table, search, pilot = (each.model_copy(update=broken) for each in (table, search, pilot))
    good = maker.visit(["teacher"], 18, 1, 1, 1)[0]
    maker.measurements = [table, search, pilot, good]
    maker.fidelities.append(maker.fidelities[0].model_copy(update={"failure": WHY}))
    kept = without_failures(maker.evidence())
    assert kept.measurements == (search, good)
    assert kept.fidelities == (maker.fidelities[0],)


def test_the_last_of_what_was_scored_twice_counts():
    maker = Maker().score("student", 18, mean_cosine=0.1).score("student", 18, mean_cosine=0.9)
    maker.score("student", 18, temperature=0.5, mean_cosine=0.7)
    assert latest(maker.fidelities) == tuple(maker.fidelities[1:])
