"""Launches are spread over time, unevenly, and nobody waits for what is only recalled."""

from __future__ import annotations

import itertools

import pytest

from harness.run.pacing import Pace
from harness.suite.schema import Measurement


class Clock:
    """Seconds that pass when somebody sleeps or works."""

    def __init__(self):
        self.now, self.slept, self.told = 100.0, [], []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def tell(self, seconds, why):
        self.told.append((seconds, why))


def starts(clock, work, launches=9, seed=0, **measurement):
    """When each launch starts that works for so many seconds."""
    pace, found = Pace(Measurement(**measurement), seed, clock.sleep, clock), []
    for launch in range(launches):
        pace.wait(launch, clock.tell)
        found.append(clock.now)
        pace.timed(launch)
        clock.now += work
    return found


def apart(found):
    return [later - earlier for earlier, later in itertools.pairwise(found)]


def test_launches_start_about_so_long_after_each_other():
    spans = apart(starts(Clock(), work=10, launches=60, launch_every_seconds=75))
    assert all(37.5 <= span <= 112.5 for span in spans)
    assert sum(spans) / len(spans) == pytest.approx(75, rel=0.15)
    assert max(spans) > 1.3 * min(spans)


def test_a_launch_that_takes_longer_is_followed_at_once():
    clock = Clock()
    assert set(apart(starts(clock, work=200, launch_every_seconds=75))) == {200}
    assert clock.slept == []
    assert clock.told == []


def test_a_gap_is_waited_for_however_long_a_launch_takes():
    spans = apart(starts(Clock(), work=200, launches=60, gap_seconds=10))
    assert all(205 <= span <= 215 for span in spans)


def test_the_longer_of_the_two_counts():
    spans = apart(starts(Clock(), work=200, gap_seconds=10, launch_every_seconds=75))
    assert all(205 <= span <= 215 for span in spans)


def test_without_either_nobody_waits():
    clock = Clock()
    starts(clock, work=1)
    assert clock.slept == []


def test_nobody_waits_after_a_launch_that_was_only_recalled():
    clock = Clock()
    pace = Pace(Measurement(launch_every_seconds=75), 0, clock.sleep, clock)
    for launch in range(4):
        pace.wait(launch, clock.tell)
    assert clock.slept == []
    pace.timed(3)
    pace.wait(4, clock.tell)
    lasted = sum(clock.slept)
    assert 37.5 <= lasted <= 112.5


def test_a_pause_counts_down_by_the_second_and_says_why():
    clock = Clock()
    starts(clock, work=0, launches=2, gap_seconds=10)
    left, reasons = zip(*clock.told, strict=True)
    assert left[0] == pytest.approx(sum(clock.slept))
    assert all(0 < one - other <= 1 for one, other in itertools.pairwise(left))
    assert left[-1] <= 1
    assert set(reasons) == {"before launch 1, so that launches are spread over time"}


def test_the_same_seed_waits_the_same_and_another_does_not():
    one, again, other = (apart(starts(Clock(), work=5, seed=seed, launch_every_seconds=75)) for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize(("searched", "seconds"), [(True, 600), (False, 525)])
def test_a_suite_tells_how_long_its_launches_are_spread_over(searched, seconds):
    assert Measurement(launch_every_seconds=75, launches=8).spread_seconds(searched=searched) == seconds
    assert Measurement(gap_seconds=75, launches=8).spread_seconds(searched=searched) == seconds
    assert Measurement(launches=8).spread_seconds(searched=searched) == 0
