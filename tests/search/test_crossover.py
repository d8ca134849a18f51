"""The search keeps its contract, and the figures most likely to break hold in a short simulation."""

import dataclasses
import json
import math
import re
from functools import cache

import numpy as np
import pytest

from harness.search import BudgetSpent, Location, Pair, Progress, Unmeasurable, locate
from tests.simulation import curves
from tests.simulation.fake_machine import FakeMachine
from tests.simulation.runs import PLACED, QUIET, Case, covers, errors, run_many, search

STEEP = curves.STEEP


def machine(seed=0, rivals=STEEP, **noise):
    return FakeMachine(rivals.baseline, rivals.challenger, seed=seed, **noise)


def steep(measure, **question):
    return locate(measure, STEEP.low, STEEP.high, steps=STEEP.steps, **question)


def test_the_answer_is_plain_data_inside_the_range():
    location = steep(machine().measure)
    assert location.status == "crossing"
    (crossing,) = location.crossings
    assert STEEP.low <= crossing.low < crossing.heads <= crossing.high <= STEEP.high
    assert (crossing.direction, crossing.kind, crossing.confidence) == ("challenger", "smooth", 0.95)
    assert json.loads(json.dumps(dataclasses.asdict(location)))["status"] == "crossing"
    assert [probe.heads for probe in location.probes] == sorted({probe.heads for probe in location.probes})
    assert all(probe.low <= probe.log_ratio <= probe.high for probe in location.probes)
    assert 2 * sum(probe.pairs for probe in location.probes) == location.samples


def test_the_same_seed_and_clock_give_the_same_bytes():
    first, second = (repr(steep(machine(7).measure, seed=3)) for _ in range(2))
    assert first == second
    assert repr(steep(machine(7).measure, seed=4)) != first


def test_pairs_may_be_objects_or_plain_tuples():
    plain, timed = machine(1), machine(1)

    def as_pairs(heads, rounds, launch):
        return [Pair(*pair, order="ab", started=1.5) for pair in timed.measure(heads, rounds, launch)]

    assert steep(plain.measure) == steep(as_pairs)


def test_without_noise_the_answer_is_exact():
    location = steep(lambda heads, rounds, _: [(STEEP.baseline(heads), STEEP.challenger(heads))] * rounds)
    (crossing,) = location.crossings
    assert location.status == "crossing"
    assert abs(crossing.heads - STEEP.truth[0]) < 0.02 * STEEP.truth[0]


@pytest.mark.parametrize("launches", [1, 3, 6, 8])
def test_launches_come_in_order_and_are_never_revisited(launches):
    calls = []
    fake = machine(2)

    def measure(heads, rounds, launch):
        calls.append(launch)
        return fake.measure(heads, rounds, launch)

    location = steep(measure, launches=launches)
    assert calls == sorted(calls)
    assert set(calls) == set(range(launches + 1))
    assert location.status == "crossing"


def test_both_sides_of_every_step_and_few_builds():
    location = steep(machine(3).measure)
    heads = {probe.heads for probe in location.probes}
    assert heads >= {n for step in STEEP.steps for n in (step, step + 1)}
    assert len(heads) <= 40


def test_progress_is_told_after_every_batch():
    told = []
    location = steep(machine(4).measure, on_progress=told.append)
    assert all(isinstance(progress, Progress) for progress in told)
    assert next(progress.stage for progress in told if progress.stage != "bracket") == "refine"
    assert told[-1].stage == "done"
    assert [progress.samples for progress in told] == sorted(progress.samples for progress in told)
    assert told[0].estimate is None
    assert told[-1].samples == location.samples
    assert told[-1].low <= told[-1].estimate <= told[-1].high
    assert told[-1].high - told[-1].low < 0.2 * told[-1].low


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"low": 5, "high": 5}, "low (5) must be below high (5)"),
        ({"low": 50, "high": 5}, "low (50) must be below high (5)"),
        ({"low": 0}, "low is 0: N starts at 1"),
        ({"low": 1.5}, "low is 1.5: give a whole number"),
        ({"high": True}, "high is True: give a whole number"),
        ({"steps": (4, 7.5)}, "a step is 7.5: give a whole number"),
        ({"precision": 0.0}, "precision is 0.0: give a positive share, such as 0.05"),
        ({"confidence": 1.0}, "confidence is 1.0: give a number between 0 and 1, such as 0.95"),
        ({"launches": 0}, "launches is 0: at least one launch must confirm, and eight are better"),
        ({"budget": 1}, "budget is 1: one pair costs two samples"),
    ],
)
def test_a_bad_question_is_told(question, words):
    question = {"low": 1, "high": 1000, **question}
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        locate(machine().measure, question.pop("low"), question.pop("high"), **question)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (
            (math.nan, 1.0),
            "the baseline's time at N = 1, launch 0, pair 0 is nan: times must be positive, finite seconds",
        ),
        ((1.0, 0.0), "the challenger's time at N = 1, launch 0, pair 0 is 0.0: times must be positive, finite seconds"),
        ((-1.0, 1.0), "the baseline's time at N = 1, launch 0, pair 0 is -1.0: times must be positive, finite seconds"),
        (
            (1.0, math.inf),
            "the challenger's time at N = 1, launch 0, pair 0 is inf: times must be positive, finite seconds",
        ),
    ],
)
def test_an_impossible_time_is_told(pair, words):
    with pytest.raises(ValueError, match="times must be") as raised:
        locate(lambda heads, rounds, _: [pair if heads == 1 else (1.0, 2.0)] * rounds, 1, 2)
    assert str(raised.value) == words


@pytest.mark.parametrize("surplus", [-1, 1])
def test_too_few_or_too_many_pairs_are_told(surplus):
    with pytest.raises(ValueError, match=r"returned \d pairs: return exactly one a round"):
        locate(lambda _heads, rounds, _launch: [(1.0, 2.0)] * (rounds + surplus), 1, 100)


def test_steps_outside_the_range_are_ignored_and_noted():
    location = locate(machine().measure, 100, 10_000, steps=(4, 16, 256, 1024, 4096, 65_536))
    assert "3 declared steps lie outside N = 100 to 10,000 and were ignored" in location.notes
    assert location.status == "crossing"


def test_both_sides_of_a_step_at_the_first_n_are_probed():
    location = locate(lambda heads, rounds, _: [(1.5, 1.0)] * rounds, 16, 1024, steps=(16, 64))
    assert {16, 17, 64, 65} <= {probe.heads for probe in location.probes}
    assert not any("were ignored" in note for note in location.notes)


def test_a_range_between_two_declared_steps_is_not_the_weaker_mode():
    location = locate(machine().measure, 1_100, 4_000, steps=STEEP.steps)
    assert location.status == "crossing"
    assert not any("not declared" in note for note in location.notes)


def test_a_small_budget_does_not_claim_what_it_did_not_see():
    location = locate(lambda _heads, rounds, _launch: [(2.0, 1.0)] * rounds, 1, 1_000_000, budget=60)
    assert location.status == "unresolved"
    assert re.fullmatch(r"the budget left \d+ places of the range unprobed", location.notes[0])


def test_an_unmeasurable_place_is_left_out_and_named():
    fake = machine(5)

    def measure(heads, rounds, launch):
        if heads > 300_000:
            raise Unmeasurable(heads, "it needs 9 GB")
        return fake.measure(heads, rounds, launch)

    location = steep(measure)
    assert location.status == "crossing"
    (failures,) = location.failures
    assert (failures.low, failures.high, failures.next_good) == (1_000_000, 1_000_000, None)
    assert failures.reason == "it needs 9 GB"
    assert location.measured == (1, 262_145)
    assert str(Unmeasurable(7, "it needs 9 GB")) == "N = 7 cannot be measured: it needs 9 GB"


def test_nothing_measurable_is_unresolved():
    def measure(heads, rounds, launch):
        raise Unmeasurable(heads, "no such thing")

    location = steep(measure)
    assert (location.status, location.samples, location.crossings) == ("unresolved", 0, ())


@pytest.mark.parametrize("after", [0, 10, 40, 100, 180])
def test_a_callers_spent_budget_ends_with_what_there_is(after):
    fake = machine(6)

    def measure(heads, rounds, launch):
        if fake.samples >= 2 * after:
            raise BudgetSpent("ten seconds are over")
        return fake.measure(heads, rounds, launch)

    location = steep(measure)
    assert location.status == "unresolved"
    assert location.notes[0] == "ten seconds are over"
    assert location.samples == fake.samples


@pytest.mark.parametrize("budget", [2, 7, 60, 200, 333])
@pytest.mark.parametrize("rivals", ["STEEP", "SHALLOW"])
def test_a_budget_is_never_exceeded_and_leaves_a_usable_bracket(rivals, budget):
    truth = getattr(curves, rivals).truth[0]
    good = 0
    for seed in range(8):
        location, fake = search(Case(rivals, question={"budget": budget}), seed)
        assert fake.samples == location.samples <= budget
        bracket = location.bracket
        if location.status == "crossing":
            bracket = location.crossings[0].low, location.crossings[0].high
        good += bracket is not None and bracket[0] <= truth <= bracket[1] and bracket[1] <= 1000 * bracket[0]
        assert location.status in {"unresolved", "crossing"}
    if budget >= 60:
        assert good >= 6


# -- figures: short versions of the rows of tests/simulation/table.py, with room for the luck of few runs -------------

RUNS = 18


@cache
def plain(rivals, **machine):
    """Runs that several tests look at."""
    return run_many(Case(rivals, machine), range(RUNS))


@pytest.mark.parametrize("rivals", ["STEEP", "EARLY", "SHALLOW", "SMOOTH"])
@pytest.mark.parametrize("noise", [{"sigma": 0.1}, {"own_drift": 0.08}], ids=["plain", "own drift"])
def test_intervals_hold_what_they_state(rivals, noise):
    runs, truth = plain(rivals, **noise), getattr(curves, rivals).truth
    assert sum(run.resolved for run in runs) >= 0.97 * RUNS
    assert sum(covers(run, truth) for run in runs) >= 0.87 * RUNS
    assert np.median([error for run in runs for error in errors(run, truth)]) < (0.02 if "sigma" in noise else 0.04)
    assert max(run.distinct for run in runs) <= 40


def test_three_crossings_are_found_and_never_one_of_them_alone():
    runs = run_many(Case("THREE"), range(RUNS))
    assert sum(run.status == "several" and len(run.intervals) == 3 for run in runs) >= 0.9 * RUNS
    assert not any(run.status == "crossing" for run in runs)
    assert all((257, 256, 257) in run.intervals for run in runs if run.resolved)


def test_a_step_between_changes_of_the_lead_is_told_by_them():
    """At the step the leads are 5 %, too little for launches that differ by 3 %: they follow from what is beside."""
    location, _ = search(Case("EXCURSION", {"launch_effect": 0.03, "launch_heads_effect": 0.01}), 9)
    assert location.status == "several"
    assert [each.kind for each in location.crossings] == ["smooth", "step", "smooth"]
    for each, place in zip(location.crossings, curves.EXCURSION.truth, strict=True):
        assert each.low <= place <= each.high
    assert any("follows from the crossover beside it" in note for note in location.notes)


def test_a_false_claim_is_rare_between_identical_rivals():
    runs = run_many(Case("IDENTICAL"), range(15))
    assert sum(run.resolved for run in runs) <= 1


@pytest.mark.parametrize(("rivals", "status"), [("BASELINE_FIRST", "above"), ("CHALLENGER_FIRST", "below")])
def test_one_leader_throughout_is_said(rivals, status):
    assert [run.status for run in run_many(Case(rivals), range(15))].count(status) >= 14


def test_a_crossing_just_beyond_the_range_is_not_put_inside():
    runs = run_many(Case("STEEP", span=(1, 1400)), range(RUNS))
    assert sum(run.status == "above" for run in runs) >= 0.95 * RUNS
    assert not any(run.resolved for run in runs)


@pytest.mark.parametrize("rivals", ["EARLY", "SHALLOW"])
def test_intervals_hold_where_launches_differ(rivals):
    runs = run_many(Case(rivals, {"launch_effect": 0.03, "launch_heads_effect": 0.01}), range(2 * RUNS))
    truth = Case(rivals).rivals().truth
    assert sum(run.resolved for run in runs) >= 0.9 * len(runs)
    assert sum(covers(run, truth) for run in runs if run.resolved) >= 0.87 * len(runs)


@pytest.mark.parametrize(
    ("case", "least"),
    [
        (Case("STEEP", {"outliers": 0.1}), 0.87),
        (Case("STEEP", {"sigma": 0.4}), 0.87),
        (Case("KNEE"), 0.87),
        (Case("STEEP", steps=()), 0.84),
        (Case("SHALLOW", steps=()), 0.84),
    ],
    ids=str,
)
def test_intervals_hold_on_rough_machines_other_curves_and_without_steps(case, least):
    runs = run_many(case, range(RUNS))
    truth = case.rivals().truth
    assert sum(run.resolved for run in runs) >= 0.9 * RUNS
    assert sum(covers(run, truth) for run in runs if run.resolved) >= least * RUNS


def test_three_crossings_are_found_without_steps():
    runs = run_many(Case("THREE", steps=()), range(30))
    assert sum(run.status == "several" and len(run.intervals) == 3 for run in runs) >= 0.78 * 30
    assert np.median([run.samples for run in runs]) <= 1500


@pytest.mark.parametrize("machine", [{"sigma": 0.02}, {"sigma": 0.05}, PLACED], ids=str)
def test_three_crossings_are_found_without_steps_on_quieter_machines_too(machine):
    """A bracket that is narrowed down at once must not hide what lies right beside it."""
    runs = run_many(Case("THREE", machine, steps=()), range(RUNS))
    assert sum(run.status == "several" and len(run.intervals) == 3 for run in runs) >= 0.8 * RUNS


@pytest.mark.parametrize("curves", ["STEEP", "SHALLOW"])
def test_what_one_process_is_off_by_at_one_place_is_not_taken_for_a_step(curves):
    runs = run_many(Case(curves, PLACED, steps=()), range(RUNS))
    assert sum(run.resolved for run in runs) >= 0.93 * RUNS
    assert np.median([run.samples for run in runs]) <= 600


def test_a_slight_lead_behind_a_step_is_told_by_the_launches_where_launch_0_left_it_open():
    runs = run_many(Case("SLIGHT", QUIET), range(RUNS))
    assert sum(run.status == "several" and len(run.intervals) == 3 for run in runs) >= 0.8 * RUNS
    assert sum(run.status == "unresolved" for run in runs) <= 0.15 * RUNS


def test_true_steps_are_seldom_doubted():
    for rivals, sigma in (("STEEP", 0.1), ("STEEP", 0.2), ("EARLY", 0.05)):
        assert sum(run.flagged for run in plain(rivals, sigma=sigma)) <= 0.1 * RUNS
    assert sum(run.flagged for run in plain("EARLY", sigma=0.1)) <= 0.2 * RUNS


def test_wrong_steps_are_flagged():
    wrong = (10, 40, 160, 640, 2560, 10_240, 40_960, 163_840, 655_360)
    assert sum(run.flagged for run in run_many(Case("STEEP", steps=wrong), range(RUNS))) >= 0.8 * RUNS
    assert sum(run.flagged for run in run_many(Case("THREE", steps=wrong), range(RUNS))) >= 0.95 * RUNS


def test_a_drift_slower_than_the_gap_between_launches_defeats_the_interval():
    """Why a gap must be longer than the drift's own time: without one, launches repeat the same error."""
    without = sum(covers(run, STEEP.truth) for run in plain("STEEP", own_drift=0.08, restart_gap=0))
    with_gap = sum(covers(run, STEEP.truth) for run in plain("STEEP", own_drift=0.08, restart_gap=2000))
    assert without < 0.75 * RUNS
    assert with_gap > 0.87 * RUNS


def test_unknown_steps_are_said_to_be_the_weaker_mode():
    location: Location = locate(machine(8).measure, 1, 1_000_000)
    assert any(note.startswith("steps were not declared") for note in location.notes)


@pytest.mark.parametrize("steps", [(), curves.TENS])
def test_a_rival_slower_at_one_end_only_is_no_tie_and_costs_no_more_than_forty_builds(steps):
    """8 % slower above N = 40,000 alone, where pairs are noisy: every third to eighth search called that a tie."""
    noisy = {"sigma": 0.18, "launch_effect": 0.03, "launch_heads_effect": 0.01}
    runs = run_many(Case("APART_8_LATE", noisy, steps=steps), range(16))
    assert [run.status for run in runs].count("tie") <= 1
    assert max(run.distinct for run in runs) <= 40
