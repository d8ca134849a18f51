"""Decisions worked out by hand: below L one rival leads, above U the other, and between them neither by much."""

from __future__ import annotations

import json
import math

import pytest

from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord, dump, load
from harness.search import locate
from harness.search.bracketing import Step
from harness.search.decision import Evidence, Zone, merge, net_crossing
from harness.search.local_model import fit
from harness.search.outcomes import Fitted
from harness.search.result import Crossing
from tests.search.scripted import QUESTION as SCRIPTED
from tests.search.scripted import sampled
from tests.simulation import curves
from tests.simulation.runs import QUIET, Case, run_many, search

LAUNCHES = {"launch_effect": 0.03, "launch_heads_effect": 0.01}
TO_CHALLENGER = Crossing(140, 130, 150, "challenger", 0.95, "smooth")
STEP_BACK = Crossing(161, 160, 161, "baseline", 0.95, "step")
AND_AGAIN = Crossing(170, 161, 180, "challenger", 0.95, "smooth")


def noiseless(rivals, **how):
    """The answer where nothing is left to chance."""
    return locate(
        lambda heads, rounds, _: [(rivals.baseline(heads), rivals.challenger(heads))] * rounds,
        rivals.low,
        rivals.high,
        steps=rivals.steps,
        **how,
    )


def test_three_crossings_close_to_a_step_by_hand():
    """30 + 0.4 N against 50 + 12 L: at 140 both cost 86, at 161 it is 94.4 against 98, at 170 both cost 98."""
    assert [round(each, 6) for each in curves.CLOSE.truth] == [140, 161, 170]
    location = noiseless(curves.CLOSE)
    assert location.status == "several"
    assert [each.kind for each in location.crossings] == ["smooth", "step", "smooth"]
    decision = location.decision
    assert (decision.before, decision.after, decision.confidence) == ("baseline", "challenger", 0.95)
    assert 135 <= decision.below <= 140
    assert 170 <= decision.above <= 175
    assert 94 / 86 - 1 <= decision.at_most <= 0.1  # the challenger's lead at 160, the last N before the step
    assert location.measured == (1, 1_000_000)
    assert location.failures == location.unconfirmed == ()


def test_a_single_step_is_its_own_decision():
    rivals = curves.make("drop", lambda n: 100.0, lambda n: 125.0 if n <= 256 else 80.0, (256,), 16, 4096)
    decision = noiseless(rivals).decision
    assert (decision.below, decision.above) == (256, 257)
    assert decision.at_most == pytest.approx(0.25, abs=0.001)  # 125 / 100 and 100 / 80


def test_where_one_leads_throughout_nothing_is_to_be_decided():
    for rivals, status in ((curves.BASELINE_FIRST, "above"), (curves.CHALLENGER_FIRST, "below")):
        location = noiseless(rivals)
        assert (location.status, location.decision) == (status, None)


def test_zones_are_joined_with_the_leaders_outside_of_both():
    one, other = Zone(130, 150, -1, 1, (TO_CHALLENGER,)), Zone(161, 161, 1, 0)
    assert merge(one, other) == Zone(130, 161, -1, 0, (TO_CHALLENGER,))
    inner = Zone(135, 140, 1, -1, unconfirmed=(STEP_BACK,))
    assert merge(one, inner) == Zone(130, 150, -1, 1, (TO_CHALLENGER,), (STEP_BACK,))
    assert merge(Zone(130, 130, 0, 0), Zone(130, 150, -1, 1)) == Zone(130, 150, -1, 1)


@pytest.mark.parametrize(
    ("found", "after", "stated"),
    [
        ((TO_CHALLENGER, STEP_BACK, AND_AGAIN), 1, (TO_CHALLENGER, STEP_BACK, AND_AGAIN)),
        ((TO_CHALLENGER, AND_AGAIN), 1, (TO_CHALLENGER,)),  # the one between was not confirmed
        ((TO_CHALLENGER, STEP_BACK), 1, (TO_CHALLENGER,)),  # the last one was not
        ((TO_CHALLENGER, STEP_BACK), -1, (TO_CHALLENGER, STEP_BACK)),
        ((STEP_BACK,), 1, ()),
    ],
)
def test_only_crossings_that_agree_with_each_other_and_the_sides_are_stated(found, after, stated):
    kept, others = Zone(120, 190, -1, after, found).settled()
    assert kept == stated
    assert set(kept) | set(others) == set(found)


def test_a_change_that_nobody_can_place_is_stated_with_the_whole_zone():
    step = Step(160, 161)
    assert net_crossing(Zone(120, 190, -1, 1), [step], 0.95) == Crossing(161, 120, 190, "challenger", 0.95, "smooth")
    assert net_crossing(Zone(160, 161, 1, -1), [step], 0.95) == Crossing(161, 160, 161, "baseline", 0.95, "step")
    assert net_crossing(Zone(100, 400, 1, -1), [], 0.95).heads == 200


def test_a_decision_survives_being_written_down():
    location, _ = search(Case("CLOSE", LAUNCHES), 1)
    case = SearchCase(race="r", baseline="a", challenger="b", batch_size=1, low=1, high=1_000_000)
    (again,) = load(json.loads(dump([SearchRecord(case=case, location=location)]))["located"])
    assert again.location == location
    old = json.loads(dump([SearchRecord(case=case, location=location)]))["located"]
    for name in ("measured", "failures", "decision", "unconfirmed", "details"):
        del old[0]["location"][name]
    (bare,) = load(old)
    assert (bare.location.decision, bare.location.failures, bare.location.measured) == (None, (), None)


# -- short versions of the rows of tests/simulation/table.py -----------------------------------------------------------

RUNS = 20


def test_all_three_or_one_decision_that_holds_them():
    runs = run_many(Case("CLOSE", LAUNCHES), range(RUNS))
    assert sum(run.held for run in runs) >= 0.93 * RUNS
    assert sum(run.bounded for run in runs) >= 0.9 * RUNS
    assert not any(run.status == "unresolved" for run in runs)
    assert max(run.at_most for run in runs) < 0.3


@pytest.mark.parametrize("case", [Case("SLIGHT", QUIET), Case("SHALLOW", LAUNCHES), Case("EXCURSION", QUIET)], ids=str)
def test_every_race_with_a_crossing_has_a_decision_that_holds_it(case):
    runs = run_many(case, range(RUNS))
    assert all(run.decided for run in runs)
    assert sum(run.held for run in runs) >= 0.9 * RUNS
    assert sum(run.bounded for run in runs) >= 0.9 * RUNS


def test_a_lead_that_goes_there_and_back_by_2_per_cent_is_a_zone():
    runs = [search(Case("TOUCH", QUIET), seed)[0] for seed in range(RUNS)]
    assert sum(run.status == "unresolved" for run in runs) <= 0.1 * RUNS
    low, high = curves.TOUCH.truth
    for run in runs:
        if run.decision is not None:
            assert run.decision.before == run.decision.after == "baseline"
            assert run.decision.below <= low < high <= run.decision.above
            assert math.log1p(run.decision.at_most) < 0.15


def test_an_end_of_the_range_that_cannot_be_told_is_no_reason_to_say_nothing():
    """The curves cross at 1,482, the very end of the range."""
    runs = [search(Case("STEEP", span=(1, 1_483)), seed)[0] for seed in range(10)]
    assert [run.status for run in runs].count("above") >= 9
    assert any("leads by at most" in note for run in runs for note in run.notes)


def test_a_measured_end_bounds_the_lead_and_nothing_behind_it_does():
    levels = {10: 0.5, 100: 0.1, 1000: -0.1, 10_000: -0.5}
    sampler = sampled(lambda n, launch: levels[n], tuple(levels))
    evidence = Evidence(sampler, SCRIPTED, dict.fromkeys(levels, 1), [])
    assert evidence.lead_bound(100, 1000, 1) == pytest.approx(0.1)
    assert evidence.lead_bound(100, 1000, -1) == pytest.approx(0.1)
    assert evidence.lead_bound(99, 1001, 1) == pytest.approx(0.5)  # between 10 and 100 it lies between theirs
    assert evidence.lead_bound(99, 1001, -1) == pytest.approx(0.5)


@pytest.mark.parametrize(("slope", "leader"), [(1.0, 1), (-1.0, -1), (0.0, 0)])
def test_a_fitted_curve_tells_who_leads_where_no_launch_did(slope, leader):
    sampler = sampled(lambda n, launch: slope * math.log(n / 100), (200, 300, 400, 500))
    curve = fit(sampler.observations(), math.log(300), slope, 0.01, 0.95)
    evidence = Evidence(sampler, SCRIPTED, {}, [Fitted(200, 500, curve)])
    assert evidence.leader_at(250) == leader
    assert evidence.leader_at(600) == 0
