"""The summary: what the made-up costs are, recovered from noisy records."""

from __future__ import annotations

import json

import pytest

from harness.analysis.summary import summarise
from harness.errors import RecordsError
from harness.records.crossovers import dump, load
from tests.synthetic import COSTS, SUITE, Maker, true_crossover


@pytest.mark.parametrize("contender", list(COSTS))
@pytest.mark.parametrize(("heads", "batch"), [(18, 1), (1024, 32), (16384, 1)])
def test_latencies_are_those_that_were_put_in(summary, contender, heads, batch):
    truth = COSTS[contender](heads, batch)
    cell = summary.cell(contender, heads, batch)
    assert cell.call.value == pytest.approx(truth, rel=0.03)
    assert cell.query.value == pytest.approx(truth / batch, rel=0.03)
    assert cell.throughput.value == pytest.approx(batch / truth, rel=0.03)
    assert cell.throughput.low < cell.throughput.value < cell.throughput.high
    assert cell.percentiles[0.5].value < cell.percentiles[0.9].value < cell.percentiles[0.99].value
    assert cell.first_call.value == pytest.approx(20 * truth)
    assert cell.launches == 8


def test_slowdowns_are_paired(summary):
    found = next(each for each in summary.races if (each.race, each.heads, each.batch_size) == ("best", 18, 1))
    assert found.slowdown.contains(COSTS["student"](18, 1) / COSTS["teacher"](18, 1))
    assert found.leader == "baseline"
    assert (
        next(e for e in summary.races if (e.race, e.heads, e.batch_size) == ("best", 16384, 1)).leader == "challenger"
    )


def test_speeds_are_told_in_the_unit_that_the_suite_names(summary):
    known = {(each.contender, each.heads, each.batch_size): each for each in summary.relatives}
    assert {each.unit for each in summary.relatives} == {"loop"}
    assert {name for name, _, _ in known} == {"teacher", "student"}
    truth = COSTS["loop"](1024, 32) / COSTS["teacher"](1024, 32)
    found = known["teacher", 1024, 32].speedup
    assert found.contains(truth)
    assert found.half_width < 0.05


def test_shared_drift_cancels_in_pairs():
    maker = Maker(sigma=0.01, launch_sigma=0.0)
    for launch in range(1, 9):
        factor = 1.0 + 0.1 * launch  # the machine gets slower for both
        maker.costs = {name: (lambda n, b, c=cost, f=factor: f * c(n, b)) for name, cost in COSTS.items()}
        maker.visit(["teacher", "student"], 1024, 1, launch, 4)
    found = summarise(maker.evidence())
    assert found.cell("teacher", 1024, 1).call.half_width > 0.15
    assert next(each for each in found.races if each.race == "best").slowdown.half_width < 0.02


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_every_leg_has_its_answer_near_the_truth(summary, place):
    search = summary.searches[place]
    truth = true_crossover(COSTS[search.case.baseline], COSTS[search.case.challenger], search.case.batch_size)
    crossing = search.located.location.crossings[0]
    assert crossing.heads == pytest.approx(truth, rel=0.08, abs=1.5)
    assert " is faster above about " in search.sentence
    assert search.case.challenger in search.sentence


def test_the_joint_confidence_is_stated(summary):
    assert summary.joint_confidence == pytest.approx(0.80)


def test_the_linear_extrapolation_is_from_our_own_point(summary):
    search = summary.searches[2]
    ratio = COSTS["student"](18, 1) / COSTS["teacher"](18, 1)
    assert search.predicted.value == pytest.approx(18 * ratio, rel=0.03)
    assert (
        search.predicted.value < search.located.location.crossings[0].heads / 5
    )  # the claim's way of predicting misleads


def test_a_failed_cell_has_no_latency_and_a_reason():
    found = summarise(Maker().table(launches=2).fail("student", 18, 1).evidence())
    cell = found.cell("student", 18, 1)
    assert (cell.outcome, cell.call, cell.failure) == ("failed", None, "parity: it answers NaN")
    assert found.failures == (cell,)


def test_a_cell_that_failed_now_and_then_says_how_often():
    maker = Maker().table(launches=4)
    records = [index for index, each in enumerate(maker.measurements) if each.cell == ("student", 18, 1)]
    failed = Maker().table(launches=1).fail("student", 18, 1).measurements
    broken = next(each for each in failed if each.cell == ("student", 18, 1))
    maker.measurements[records[0]] = broken
    cell = summarise(maker.evidence()).cell("student", 18, 1)
    assert cell.outcome == "measured"
    assert cell.failure == "parity: it answers NaN (in 1 of 4 visits)"


def test_unfinished_searches_are_told():
    found = summarise(Maker().table(launches=2).evidence(status="interrupted"))
    assert found.searches[0].sentence == "student-eager against loop at batch 1: not searched yet"
    assert found.warnings == ("the run was interrupted: what is missing can be measured with --resume",)


def test_a_quick_run_says_so_with_every_verdict(made):
    found = summarise(made.evidence(quick=True), made.located)
    assert all("quick run: fewer launches and wider precision" in search.reservations for search in found.searches)
    assert found.warnings[0].endswith("do not quote these figures")


def test_launch_0_counts_only_where_nothing_else_is():
    maker = Maker(sigma=1e-3, launch_sigma=1e-4)
    slow = Maker(sigma=1e-3, launch_sigma=1e-4, slowed={"teacher": 3.0}).visit(["teacher"], 18, 1, 0, 4)[0]
    maker.measurements.append(slow)
    for launch in (1, 2):
        maker.visit(["teacher"], 18, 1, launch, 4)
    found = summarise(maker.evidence())
    assert found.cell("teacher", 18, 1).call.value == pytest.approx(COSTS["teacher"](18, 1), rel=0.01)


def test_answers_survive_their_file(made):
    stored = json.loads(dump(made.located))
    assert load(stored["located"]) == tuple(made.located)


def test_answers_of_another_shape_are_told():
    with pytest.raises(RecordsError, match=r"crossovers.json: 0.location: Field required"):
        load([{"leg": {"race": "r", "baseline": "a", "challenger": "b", "batch_size": 1, "low": 1, "high": 2}}])


def test_a_race_from_one_visit_of_many_contenders_and_from_separate_ones_agree():
    apart = Maker(SUITE)
    for launch in range(1, 9):
        for name in ("teacher", "student"):
            apart.visit([name], 1024, 1, launch, 4)
    found = next(each for each in summarise(apart.evidence()).races if each.race == "best")
    assert found.slowdown.contains(COSTS["student"](1024, 1) / COSTS["teacher"](1024, 1))
