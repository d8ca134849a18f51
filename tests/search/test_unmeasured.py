"""An answer speaks of the N at which both rivals were measured, and of nothing else."""

from __future__ import annotations

import pytest

from harness.search import Failures, Unmeasurable, locate
from harness.search.grid import locate_on_grid
from harness.search.spans import WinningSpan, winning_spans
from harness.search.unmeasured import around_failures
from harness.search.wording import sentence
from tests.simulation import curves
from tests.simulation.fake_machine import FakeMachine


def searched(rivals, fails, *, low=10, high=20_000, contender="baseline", settles=False, seed=3, grid=False, **how):
    """The answer where one rival fails at some N, and every N that was tried."""
    machine = FakeMachine(rivals.baseline, rivals.challenger, seed=seed)
    tried = []

    def measure(heads, rounds, launch):
        tried.append(heads)
        if fails(heads):
            raise Unmeasurable(heads, "MemoryError: out of memory", contender, settles)
        return machine.measure(heads, rounds, launch)

    if grid:
        how["points"] = [10, 20, 40, 79, 158, 316, 632, 1_265, 2_530, 5_060, 10_120]
    ask = locate_on_grid if grid else locate
    return ask(measure, low, high, seed=seed, **how), tried


def rivals(factor):
    return curves.make("apart", lambda n: 5 + 0.28 * n, lambda n: factor * (5 + 0.28 * n), low=10, high=20_000)


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize(("factor", "status", "leader"), [(1.6, "above", "simple"), (0.6, "below", "clever")])
def test_a_failure_at_large_n_bounds_the_answer(factor, status, leader, grid):
    found, _ = searched(rivals(factor), lambda n: n > 500, grid=grid)
    assert found.status == status
    low, high = found.measured
    assert low == 10
    assert 250 < high <= 500
    (failures,) = found.failures
    assert failures.last_good == high
    assert 500 < failures.low <= 1_000
    assert (failures.high, failures.next_good, failures.contender) == (20_000, None, "baseline")
    assert found.extrapolated is None
    assert max(probe.heads for probe in found.probes) == high
    said = sentence(found, "clever", "simple", 1)
    assert said.startswith(f"{leader} is faster from 10 to {high} heads at batch 1")
    assert said.endswith(f"fails at {failures.low:,} and above")


@pytest.mark.parametrize("grid", [False, True])
def test_a_lead_that_would_change_where_one_fails_is_not_told(grid):
    """The curves cross at 1,400, where the baseline has failed long since: nothing is said of it."""
    crossing = curves.make("one", lambda n: 5 + 0.28 * n, lambda n: 400.0, low=10, high=20_000)
    found, _ = searched(crossing, lambda n: n > 1_000, grid=grid)
    assert (found.status, found.crossings, found.extrapolated) == ("above", (), None)
    assert found.measured[1] <= 1_000


@pytest.mark.parametrize("grid", [False, True])
def test_failures_in_the_middle_are_a_span_of_their_own(grid):
    found, _ = searched(rivals(0.6), lambda n: 500 < n < 3_000, grid=grid)
    assert found.status == "below"
    assert found.measured == (10, 20_000)
    (failures,) = found.failures
    assert failures.last_good <= 500 < failures.low <= failures.high < 3_000 <= failures.next_good
    assert winning_spans(found) == (
        WinningSpan(10, failures.last_good, holds=False),
        WinningSpan(failures.next_good, 20_000, holds=True),
    )


@pytest.mark.parametrize("grid", [False, True])
def test_a_crossing_inside_of_what_failed_is_not_interpolated(grid):
    crossing = curves.make("one", lambda n: 5 + 0.28 * n, lambda n: 400.0, low=10, high=20_000)
    found, _ = searched(crossing, lambda n: 400 < n < 4_000, grid=grid)
    (failures,) = found.failures
    assert found.decision is None
    assert found.status == "unresolved"
    assert found.bracket == (failures.last_good, failures.next_good)
    assert found.notes[0].startswith(f"the lead changes between N = {failures.last_good:,} and {failures.next_good:,}")
    assert "MemoryError: out of memory" in found.notes[0]


def test_one_n_that_fails_beside_a_crossing_widens_its_interval_to_its_neighbours():
    crossing = curves.make("one", lambda n: 5 + 0.28 * n, lambda n: 400.0, low=10, high=20_000)
    (free,) = searched(crossing, lambda _: False)[0].crossings
    found, _ = searched(crossing, lambda n: free.low <= n <= free.high)
    (stated,) = found.crossings
    (failures,) = found.failures
    assert stated.low <= failures.last_good < free.low
    assert free.high < failures.next_good <= stated.high
    assert stated.low < crossing.truth[0] < stated.high
    assert found.decision.below <= stated.low < stated.high <= found.decision.above


def test_a_failure_that_settles_larger_n_spares_them():
    found, tried = searched(rivals(0.6), lambda n: n > 500, settles=True)
    failed = [n for n in tried if n > 500]
    assert failed == sorted(failed, reverse=True)  # none above one that had failed
    (failures,) = found.failures
    assert (failures.low, failures.high) == (min(failed), 20_000)
    assert found.status == "below"
    assert searched(rivals(0.6), lambda n: n == 640, settles=True, steps=(640,))[0].measured == (10, 20_000)


def test_a_failure_at_small_n_settles_none():
    found, _ = searched(rivals(0.6), lambda n: n < 30)
    (failures,) = found.failures
    assert (failures.low, failures.last_good, failures.next_good) == (10, None, found.measured[0])
    assert found.measured[0] >= 30
    assert sentence(found, "clever", "simple", 1).endswith(f"simple fails at {failures.high} and below")


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("left", [0, 1])
def test_where_nearly_all_failed_nothing_is_told_but_why(grid, left):
    found, _ = searched(rivals(0.6), lambda n: n > 10 * left, grid=grid)
    assert (found.status, found.crossings, found.decision) == ("unresolved", (), None)
    assert "MemoryError: out of memory" in found.notes[0]
    assert found.measured == ((10, 10) if left else None)


def test_a_process_that_dies_late_costs_that_n_and_no_more():
    """In launch 1 the end of the range fails, at which launch 0 had measured: it counts as failed."""
    machine = FakeMachine(rivals(0.6).baseline, rivals(0.6).challenger, seed=1)

    def measure(heads, rounds, launch):
        if launch and heads == 20_000:
            raise Unmeasurable(heads, "its process died", "challenger")
        return machine.measure(heads, rounds, launch)

    found = locate(measure, 10, 20_000)
    assert found.status == "below"
    assert found.measured[1] < 20_000
    assert [each.low for each in found.failures] == [20_000]


def test_an_interval_reaches_over_what_failed():
    span = Failures(100, 120, 90, 130, "", "x")
    assert around_failures(95, 105, [span]) == (90, 130)
    assert around_failures(60, 90, [span]) == (60, 90)
    assert around_failures(130, 150, [span]) == (130, 150)
    assert around_failures(80, 105, [span]) == (80, 130)
    assert around_failures(80, 140, [span]) == (80, 140)


def test_where_one_fails_and_further_on_both_do_each_is_a_span_of_its_own():
    machine = FakeMachine(rivals(1.6).baseline, rivals(1.6).challenger, seed=3)

    def measure(heads, rounds, launch):
        if heads > 500:
            raise Unmeasurable(heads, "MemoryError: out of memory", "baseline" if heads < 3_000 else "", heads >= 3_000)
        return machine.measure(heads, rounds, launch)

    one, both = locate(measure, 10, 20_000, seed=3).failures
    assert 500 < one.low <= one.high < 3_000 <= both.low < both.high == 20_000
    assert (one.contender, both.contender) == ("baseline", "")
    assert (one.last_good, one.next_good) == (both.last_good, both.next_good)
    assert one.last_good <= 500
