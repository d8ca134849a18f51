"""Which cells are not worth trying: after failures, after deaths, and by the growth of what was measured."""

from __future__ import annotations

import pytest

from harness.measure.size_limits import ENOUGH, SizeLimits
from harness.plan.sweep import Cell
from harness.process.failure import TOO_SLOW, Failure
from harness.records.measurement import PILOT, Measurement, Sampled
from harness.suite.schema import Measurement as How

HOW = How(deadline_seconds=20, rounds=3, max_warm_up_seconds=1, latency_calls=0)


def cell(heads, batch=1, name="one"):
    return Cell(contender=name, heads=heads, batch_size=batch)


def record(heads, batch=1, name="one", *, seconds=None, purpose="search", first=None, **failure):
    sampled = seconds and Sampled(
        seconds=(seconds,), rounds=(0,), positions=(0,), started=(0.0,), inner_loops=1, overhead_seconds=0.0
    )
    return Measurement(
        key="", contender=name, heads=heads, batch_size=batch, purpose=purpose, visit=1, launch=0,
        outcome="failed" if failure else "measured", sampled=sampled, first_call_seconds=first or seconds,
        failure=Failure(**{"stage": "sample", "what": "it broke", **failure}) if failure else None,
    )  # fmt: skip


def refused(reach, *cells, calls=0):
    return [reach.refusal(each, calls) is not None for each in cells]


@pytest.mark.parametrize("kind", ["memory", "deadline"])
def test_memory_or_time_that_ran_out_settles_larger_n_and_batches_and_never_smaller_ones(kind):
    reach = SizeLimits(HOW, [record(632, 4, kind=kind)])
    assert refused(reach, cell(633, 4), cell(632, 8), cell(5000, 32)) == [True] * 3
    assert refused(reach, cell(631, 4), cell(632, 2), cell(5000, 2), cell(1, 64)) == [False] * 4
    assert refused(reach, cell(5000, 8, "other")) == [False]
    assert reach.refusal(cell(1000, 4)).what == "it broke (at N = 632, batch 4: larger N were not tried)"


def test_the_kernel_that_ends_a_process_means_memory_and_any_other_error_settles_nothing():
    assert refused(SizeLimits(HOW, [record(632, kind="signal", signal="SIGKILL")]), cell(633)) == [True]
    for kind in ("error", "parity", "signal"):
        assert refused(SizeLimits(HOW, [record(632, kind=kind)]), cell(633), cell(632), cell(1)) == [False] * 3


def test_a_build_that_ran_out_of_memory_settles_larger_n_at_every_batch_size():
    reach = SizeLimits(HOW, [record(632, 8, kind="memory", stage="build")])
    assert refused(reach, cell(633, 1), cell(631, 64)) == [True, False]


def test_nothing_is_concluded_against_what_has_worked():
    reach = SizeLimits(HOW, [record(632, kind="memory"), record(1000, seconds=0.001)])
    assert refused(reach, cell(700), cell(1000)) == [False, False]
    assert refused(reach, cell(1001)) == [True]


def test_deaths_give_up_larger_n_alone_and_nothing_that_ever_worked():
    deaths = [record(heads, kind="signal", signal="SIGSEGV") for heads in (5000, 900, 2000)]
    assert len(deaths) == ENOUGH
    reach = SizeLimits(HOW, deaths)
    assert refused(reach, cell(4999), cell(10), cell(5000)) == [False, False, True]
    assert "given up after 3 crashes" in reach.refusal(cell(6000)).what
    assert reach.exhausted("one")
    worked = SizeLimits(HOW, [*deaths, record(10, seconds=0.001)])
    assert refused(worked, cell(6000)) == [False]
    assert not worked.exhausted("one")


QUADRATIC = [record(n, seconds=2e-8 * n * n + 1e-4) for n in (1, 10, 100, 250, 500, 1000, 2000, 4000)]


def test_calls_that_would_take_longer_than_the_deadline_are_foreseen():
    reach = SizeLimits(
        HOW, QUADRATIC
    )  # 0.32 s at 4,000, with 3 rounds about ten calls a visit, and twice as much for noise
    assert refused(reach, cell(4000), cell(5000), cell(16_000), cell(1_000_000)) == [False, False, True, True]
    found = reach.refusal(cell(1_000_000))
    assert found.kind == TOO_SLOW
    assert found.settles_larger
    assert found.what.startswith(
        "a call at N = 1,000,000 would take about 4.8"
    )  # 2e-8 N^2 are 5.6 h, and a part of each call is fixed
    assert " h, the whole visit up to " in found.what
    assert found.what.endswith("extrapolated from 320 ms at N = 4,000; the deadline is 20 s")


def test_a_larger_batch_takes_no_less_than_a_smaller_one():
    assert refused(SizeLimits(HOW, QUADRATIC), cell(1_000_000, 8)) == [True]
    assert refused(SizeLimits(HOW, [record(n, 8, seconds=1e-7 * n * n) for n in (500, 1000, 4000)]), cell(10**6)) == [
        False
    ]


def test_a_jump_of_the_cost_is_not_taken_for_its_growth():
    flat = [record(n, seconds=0.01 if n < 4000 else 0.04) for n in (250, 500, 1000, 2000, 4000)]
    assert refused(SizeLimits(HOW, flat), cell(64_000)) == [False]  # four times as long once, not in every octave


def test_a_first_call_that_compiles_does_not_grow_and_counts_once():
    compiled = [record(n, seconds=1e-6 * n, first=5.0) for n in (1000, 2000, 4000)]
    assert refused(SizeLimits(HOW, compiled), cell(8000)) == [False]
    assert refused(SizeLimits(HOW, [record(n, seconds=1e-6, first=15.0) for n in (1, 2)]), cell(8)) == [True]


def test_a_contender_that_gets_faster_or_was_seen_once_is_not_foreseen():
    assert refused(SizeLimits(HOW, [record(4, seconds=0.5)]), cell(10**6)) == [False]
    assert refused(SizeLimits(HOW, [record(4, seconds=0.5), record(64, seconds=0.1)]), cell(10**6)) == [False]


def test_a_pilot_that_was_too_slow_settles_its_own_n_and_one_that_broke_does_not():
    slow = record(64, purpose=PILOT, kind=TOO_SLOW)
    assert refused(SizeLimits(HOW, [slow]), cell(64), cell(63)) == [True, False]
    broke = record(64, purpose=PILOT, kind="memory")
    assert refused(SizeLimits(HOW, [broke]), cell(64), cell(65)) == [False, True]  # it is seen to fail where it counts


def test_what_was_tried_is_known():
    reach = SizeLimits(HOW, [record(64, seconds=0.001), record(500, 4, kind="memory")])
    assert [reach.knows(each) for each in (cell(64), cell(3), cell(65), cell(400, 4), cell(9, 2))] == [
        True, True, False, True, False,
    ]  # fmt: skip
