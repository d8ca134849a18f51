"""A visit with participants that answer from a list: who is sampled when, and what is recorded."""

from __future__ import annotations

import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from harness.measure.interleaving import Interrupted, Purpose, visit
from harness.measure.recovery import Recoveries
from harness.plan.sweep import Cell
from harness.process.child import ChildFailed
from harness.process.failure import Failure
from harness.records.activity import Activity

SLOW, FAST = (Cell(contender=name, heads=16, batch_size=4) for name in ("slow", "fast"))
INFO = {
    "settled": True,
    "clock_step_seconds": 1e-8,
    "inner_loops": 10,
    "overhead_seconds": 5e-8,
    "first_call_seconds": 0.5,
    "load_seconds": 0.1,
    "warm_up_calls": 12,
    "peak_rss_bytes": 1000,
    "threads": {"openblas": 1},
    "parity_error": 1e-6,
    "row_error": 2e-6,
}


def failed(stage="sample", *, alive=False):
    return ChildFailed(Failure(stage=stage, what="it broke", kind="signal", signal="SIGSEGV"), alive=alive)


class FakeParticipant:
    """Samples of 1 ms, 2 ms, …; breaks in one operation where it is told to."""

    def __init__(self, cell, diary, process_id, info=INFO, breaks="", at=0, proof="formula"):
        self.cell, self.diary, self.info = cell, diary, info
        self.process_id, self.process_started = process_id, 1000.0 + process_id
        self.built = SimpleNamespace(
            model_bytes=77, build_seconds=0.25, cached=True, costs={"4": (8.0, 32.0)}, proofs={"4": proof}, warnings=()
        )
        self.breaks, self.at, self.count = breaks, at, 0
        self.rehearsed = []

    untimed_seconds = 2e-3

    def rehearse(self):
        if self.breaks == "rehearse":
            raise failed()
        self.rehearsed.append(self.cell.contender)

    def watch(self, longest):
        if self.breaks == "watch":
            raise failed()
        self.rehearsed.append(f"{self.cell.contender} watched")
        slow = 1.5 if self.cell.contender == "slow" else 1.0  # for its first ten milliseconds
        return [(0.5e-3 * turn, 1e-3 * (slow if 0.5 * turn < 13 else 1.0)) for turn in range(1, int(longest / 0.5e-3))]

    def sample(self):
        if self.breaks == "sample" and self.count >= self.at:
            raise failed()
        if self.breaks == "interrupt" and self.count >= self.at:
            raise KeyboardInterrupt
        self.count += 1
        self.diary.append(self.cell.contender)
        return self.count * 1e-3, float(len(self.diary))

    def calls(self, count):
        if self.breaks == "calls":
            raise failed()
        return [2e-3] * count, [1e-3]

    def audit(self):
        if self.breaks == "audit":
            raise failed("audit", alive=True)


class FakeLaunch:
    """Hands out participants; `faults` says whose break, and where."""

    number = 3
    min_sample_seconds = 4e-3

    def __init__(self, proof="formula", known=("slow", "fast"), **faults):
        self.faults, self.diary, self.buried, self.asked, self.praised = faults, [], [], [], []
        self.proof, self.recoveries, self.rehearsed = proof, Recoveries(), []
        for name in known:
            self.recoveries.add(name, 16, 4, 5e-3)

    def participant(self, cell, *, twin=0):
        self.asked.append((cell, twin))
        breaks, at = self.faults.get(f"{cell.contender}_{twin}", self.faults.get(cell.contender, ("", 0)))
        if breaks == "build":
            raise failed("build", alive=True)
        made = FakeParticipant(cell, self.diary, 40 + len(self.asked), breaks=breaks, at=at, proof=self.proof)
        made.rehearsed = self.rehearsed
        return made

    def mark_dead(self, contender, error, *, twin):
        self.buried.append((contender, twin, error.failure.what))

    def completed(self, contender):
        self.praised.append(contender)


def made(launch, cells=(SLOW, FAST), rounds=6, seed=0, asked="search", **more):
    purpose = Purpose(
        purpose=asked,
        visit=9,
        case="race at batch 4",
        keys={SLOW: "key-slow", FAST: "key-fast"},
        tolerances={"slow": 1e-4, "fast": 1e-3},
        load_average=0.5,
    )
    return visit(launch, cells, rounds, np.random.default_rng(seed), purpose, **more)


def test_rivals_alternate_and_each_round_has_both():
    launch = FakeLaunch()
    slow, fast = made(launch, rounds=20)
    rounds = [launch.diary[place : place + 2] for place in range(0, 40, 2)]
    assert all(sorted(each) == ["fast", "slow"] for each in rounds)
    assert slow.sampled.rounds == fast.sampled.rounds == tuple(range(20))
    assert [each[position] for each, position in zip(rounds, slow.sampled.positions, strict=True)] == ["slow"] * 20
    assert Counter(slow.sampled.positions).keys() == {0, 1}


def test_in_blocks_all_samples_of_one_come_before_those_of_the_other_and_chance_says_which_is_first():
    first = set()
    for seed in range(20):
        launch = FakeLaunch()
        slow, fast = made(launch, rounds=5, seed=seed, asked="self-check-blocked")
        assert launch.diary in (["slow"] * 5 + ["fast"] * 5, ["fast"] * 5 + ["slow"] * 5)
        assert slow.sampled.rounds == fast.sampled.rounds == tuple(range(5))
        first.add(launch.diary[0])
    assert first == {"slow", "fast"}


def test_neither_rival_is_always_the_last_to_get_ready():
    last = Counter()
    for seed in range(40):
        launch = FakeLaunch()
        made(launch, rounds=1, seed=seed)
        last[launch.asked[-1][0].contender] += 1
    assert min(last["slow"], last["fast"]) >= 10


def test_the_order_of_each_round_follows_from_the_seed():
    diaries = []
    for seed in (5, 5, 6):
        launch = FakeLaunch()
        made(launch, rounds=12, seed=seed)
        diaries.append(launch.diary)
    assert diaries[0] == diaries[1] != diaries[2]


def test_a_record_says_what_was_measured_where_and_how():
    slow, fast = made(FakeLaunch(), rounds=2, calls=3)
    assert (slow.contender, slow.heads, slow.batch_size, slow.key) == ("slow", 16, 4, "key-slow")
    assert (slow.purpose, slow.leg, slow.visit, slow.launch, slow.outcome) == (
        "search",
        "race at batch 4",
        9,
        3,
        "measured",
    )
    assert slow.sampled.seconds == (1e-3, 2e-3)
    assert sorted(slow.sampled.started + fast.sampled.started) == [1.0, 2.0, 3.0, 4.0]
    assert (slow.sampled.inner_loops, slow.sampled.overhead_seconds) == (10, 5e-8)
    assert slow.call_seconds == (2e-3,) * 3
    assert slow.device_seconds == (1e-3,)
    assert (slow.first_call_seconds, slow.load_seconds) == (0.5, 0.1)
    assert (slow.build_seconds, slow.build_cached) == (0.25, True)
    assert (slow.warm_up_calls, slow.peak_rss_bytes, slow.model_bytes, slow.load_average) == (12, 1000, 77, 0.5)
    assert (slow.parity.error, slow.parity.tolerance, slow.parity.row_error) == (1e-6, 1e-4, 2e-6)
    assert slow.parity.against == "formula"
    assert (slow.cost_flops, slow.cost_bytes) == (8.0, 32.0)
    assert slow.threads == {"openblas": 1}
    assert slow.warnings == ()
    assert {slow.process_id, fast.process_id} == {41, 42}


def test_an_output_that_was_proved_against_itself_only_is_told():
    slow, _ = made(FakeLaunch(proof="itself"), rounds=2)
    assert slow.parity.against == "itself"
    sentence = "its output was compared with its own in float32 only: give its projector a reference() or a module form"
    assert slow.warnings == (sentence,)


def test_a_pair_stops_when_one_of_it_fails():
    launch = FakeLaunch(fast=("sample", 2))
    slow, fast = made(launch, rounds=10)
    assert (slow.outcome, slow.reason) == ("measured", None)
    assert 2 <= len(slow.sampled.seconds) <= 3  # the round in which the rival broke may have begun with it
    assert fast.outcome == "failed"
    assert fast.sampled is None
    assert fast.failure.signal == "SIGSEGV"
    assert launch.buried == [("fast", 0, "it broke")]
    assert launch.praised == []


def test_a_rival_of_one_that_cannot_be_built_is_not_sampled():
    launch = FakeLaunch(slow=("build", 0))
    slow, fast = made(launch)
    assert (slow.outcome, slow.failure.stage) == ("failed", "build")
    assert (fast.outcome, fast.reason) == ("skipped", "its rival failed")
    assert fast.failure is None
    assert launch.diary == []
    assert [cell for cell, _ in launch.asked] == [SLOW]  # no process is started for nothing


def test_a_table_goes_on_without_the_one_that_failed():
    launch = FakeLaunch(slow=("sample", 1))
    slow, fast = made(launch, rounds=5, calls=2, together=False)
    assert slow.outcome == "failed"
    assert slow.call_seconds == ()
    assert (fast.outcome, len(fast.sampled.seconds), len(fast.call_seconds)) == ("measured", 5, 2)


def test_an_answer_that_changed_while_it_was_timed_takes_its_times_with_it():
    launch = FakeLaunch(fast=("audit", 0))
    slow, fast = made(launch)
    assert slow.outcome == "measured"
    assert (fast.outcome, fast.failure.stage, fast.sampled, fast.call_seconds) == ("failed", "audit", None, ())


def test_a_cell_against_itself_runs_in_two_processes():
    launch = FakeLaunch()
    one, two = made(launch, cells=(SLOW, SLOW), rounds=3)
    assert sorted(launch.asked, key=lambda each: each[1]) == [(SLOW, 1), (SLOW, 2)]
    assert one.process_id != two.process_id
    assert len(one.sampled.seconds) == len(two.sampled.seconds) == 3


def test_of_a_contender_against_itself_only_the_seat_that_broke_is_buried_and_the_other_invents_no_failure():
    launch = FakeLaunch(slow_2=("sample", 1))
    one, two = made(launch, cells=(SLOW, SLOW), rounds=5, calls=2)
    assert launch.buried == [("slow", 2, "it broke")]
    assert (one.outcome, one.failure) == ("measured", None)
    assert two.outcome == "failed"


def test_an_interrupt_keeps_what_was_measured_and_none_of_it_counts():
    launch = FakeLaunch(fast=("interrupt", 3))
    with pytest.raises(Interrupted) as caught:
        made(launch, rounds=10)
    slow, fast = caught.value.records
    assert len(slow.sampled.seconds) >= 3
    assert len(fast.sampled.seconds) == 3
    assert all(
        (each.outcome, each.reason, each.interrupted) == ("skipped", "interrupted", True) for each in (slow, fast)
    )


def test_what_the_cores_did_meanwhile_is_recorded():
    moments = iter(
        [Activity(at=10.0, cores=2, busy=100.0, stolen=5.0), Activity(at=12.0, cores=2, busy=103.0, stolen=5.4)]
    )
    slow, fast = made(FakeLaunch(), activity=lambda: next(moments))
    assert slow.busy_cores == fast.busy_cores == pytest.approx(1.5)
    assert slow.stolen_share == pytest.approx(0.1)


def test_doubts_about_a_sample_stand_on_its_record(monkeypatch):
    monkeypatch.setitem(INFO, "settled", False)
    monkeypatch.setitem(INFO, "clock_step_seconds", 1e-3)
    slow, _ = made(FakeLaunch(), rounds=1)
    assert slow.warnings == (
        "its warm-up did not settle: raise measurement.max_warm_up_seconds",
        "the clock's step is above 0.1 % of a sample: raise measurement.min_sample_seconds",
    )


def test_every_visit_begins_with_a_round_that_does_not_count():
    launch = FakeLaunch()
    slow, fast = made(launch, rounds=2)
    assert sorted(launch.rehearsed) == ["fast", "slow"]
    assert slow.sampled.seconds == fast.sampled.seconds == (1e-3, 2e-3)
    assert slow.sampled.untimed_seconds == 5e-3


def test_a_contender_that_is_not_known_here_is_watched_after_its_rival_has_run():
    launch = FakeLaunch(known=("fast",))
    slow, fast = made(launch, rounds=2)
    assert launch.rehearsed.count("slow watched") == launch.rehearsed.count("fast") == 3
    assert "fast watched" not in launch.rehearsed
    assert slow.sampled.untimed_seconds == launch.recoveries.known("slow", 16, 4) == 16e-3  # slow for 13 ms
    assert fast.sampled.untimed_seconds == 5e-3


def test_while_they_are_watched_nobody_follows_on_itself():
    for seed in range(6):
        made(launch := FakeLaunch(known=()), rounds=2, seed=seed)
        watched = [each for each in launch.rehearsed if each.endswith("watched")]
        assert len(watched) == 6
        assert all(one != other for one, other in itertools.pairwise(watched))


def test_alone_in_a_visit_nothing_is_rehearsed_or_learnt_about_recovery():
    launch = FakeLaunch(known=())
    (slow,) = made(launch, cells=(SLOW,), rounds=2)
    assert launch.rehearsed == []
    assert launch.recoveries.known("slow", 16, 4) is None
    assert slow.sampled.untimed_seconds == 2e-3


def test_one_whose_single_call_takes_longer_than_any_recovery_is_not_watched(monkeypatch):
    monkeypatch.setitem(INFO, "call_seconds", 0.5)
    launch = FakeLaunch(known=())
    slow, fast = made(launch, rounds=2)
    assert sorted(launch.rehearsed) == ["fast", "slow"]
    assert slow.sampled.untimed_seconds == fast.sampled.untimed_seconds == 2e-3


def test_twins_are_two_fresh_processes_none_of_them_the_contenders_own():
    launch = FakeLaunch()
    orders = set()
    for seed in range(8):
        launch.asked.clear()
        made(launch, cells=(SLOW, SLOW), rounds=2, seed=seed)
        orders.add(tuple(twin for _, twin in launch.asked))
    assert orders == {(1, 2), (2, 1)}  # who gets ready first is drawn


def test_one_that_breaks_in_the_rehearsal_is_not_timed_and_its_rival_neither():
    slow, fast = made(FakeLaunch(slow=("rehearse", 0)), rounds=2)
    assert (slow.outcome, fast.outcome) == ("failed", "skipped")
    slow, fast = made(FakeLaunch(known=(), slow=("watch", 0)), rounds=2)
    assert (slow.outcome, fast.outcome) == ("failed", "skipped")
