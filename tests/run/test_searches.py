"""Several searches that share their launches, with a measure that computes its times."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from harness.plan.sweep import SearchCase
from harness.run.searches import Searches
from harness.search import BudgetSpent, Pair, Unmeasurable
from harness.suite.schema import Search

LAUNCHES = 3


def case(batch_size, race="race", low=4, high=4096):
    return SearchCase(race=race, baseline="linear", challenger="flat", batch_size=batch_size, low=low, high=high)


class Machine:
    """The challenger overtakes at N = 300 times the batch size; noise of one per cent, drawn from what was asked."""

    def __init__(self, refuses=None, spent_after=math.inf):
        self.asked, self.refuses, self.spent_after = [], refuses or {}, spent_after

    def __call__(self, request):
        self.asked.append(request)
        if len(self.asked) > self.spent_after:
            raise BudgetSpent
        if request.heads in self.refuses:
            raise Unmeasurable(request.heads, self.refuses[request.heads])
        seed = [request.heads, request.launch, request.case.batch_size, len(request.case.race)]
        noise = np.exp(0.01 * np.random.default_rng(seed).standard_normal((request.rounds, 2)))
        seconds = np.array([request.heads, 300 * request.case.batch_size]) * 1e-6 * noise
        return [Pair(*row) for row in seconds.tolist()]


def searched(cases, machine, *, seed=0, told=None, **how):
    """What a session does: launch after launch, until nobody asks for another."""
    searches = Searches(cases, Search(**how), launches=LAUNCHES, seed=seed, on_progress=told)
    number = 0
    while number is not None:
        searches.serve(number, machine)
        number = searches.next_launch()
    return searches


@pytest.fixture(scope="module")
def three():
    machine = Machine()
    return searched([case(1), case(2), case(4)], machine), machine


def test_each_search_finds_its_own_crossing(three):
    for searcher in three[0].searchers:
        assert searcher.location.status == "crossing"
        (crossing,) = searcher.location.crossings
        assert crossing.heads == pytest.approx(300 * searcher.case.batch_size, rel=0.1)


def test_launches_never_go_back_and_all_searches_share_them(three):
    launches = [request.launch for request in three[1].asked]
    assert launches == sorted(launches)
    assert set(launches) == set(range(LAUNCHES + 1))
    for batch_size in (1, 2, 4):
        assert {each.launch for each in three[1].asked if each.case.batch_size == batch_size} == set(
            range(LAUNCHES + 1)
        )


def test_searches_take_turns_in_confirming_launches_and_explore_one_after_the_other():
    machine = Machine()
    searched([case(1, "one"), case(1, "two"), case(1, "three")], machine)
    for launch in range(LAUNCHES + 1):
        races = [request.case.race for request in machine.asked if request.launch == launch]
        changes = sum(one != other for one, other in itertools.pairwise(races))
        if launch == 0:
            assert changes == 2
        else:
            assert all(set(races[i : i + 3]) == {"one", "two", "three"} for i in range(0, 9, 3))


def test_a_later_batch_size_starts_from_what_the_earlier_one_has_seen(three):
    first, second, third = three[0].searchers
    assert first.prior is None
    for searcher, before, true in ((second, first, 300), (third, second, 600)):
        prior = searcher.prior
        low, high = prior.bracket
        assert low <= true * 1.1
        assert high >= true * 0.9
        assert prior.crossings == ()
        (crossing,) = prior.unconfirmed
        assert (crossing.low, crossing.high, crossing.direction) == (low, high, "challenger")
        assert crossing.heads == pytest.approx(true, rel=0.1)
        explored = [each for each in three[1].asked if each.launch == 0 and each.case == before.case]
        assert [probe.heads for probe in prior.probes] == sorted({each.heads for each in explored})
        assert sum(probe.pairs for probe in prior.probes) == sum(each.rounds for each in explored)
        assert all(
            (probe.log_ratio > 0) == (probe.heads > true) for probe in prior.probes if probe.low * probe.high > 0
        )
        assert three[0].asked(searcher).prior is prior


def test_starting_from_an_earlier_answer_costs_fewer_samples():
    alone = Machine()
    searched([case(2)], alone)
    after = Machine()
    searched([case(1), case(2)], after)

    def cost(machine):
        return sum(each.rounds for each in machine.asked if each.launch == 0 and each.case.batch_size == 2)

    assert cost(after) < cost(alone)


def test_an_estimate_is_told_before_the_first_confirming_pair():
    machine, told = Machine(), []
    searched([case(1), case(2)], machine, told=lambda each, progress: told.append((each, progress, len(machine.asked))))
    for batch_size in (1, 2):
        _, progress, asked = next(
            each for each in told if each[0].batch_size == batch_size and each[1].stage == "confirm"
        )
        assert progress.estimate == pytest.approx(300 * batch_size, rel=0.1)
        assert {each.launch for each in machine.asked[:asked]} == {0}


def test_a_grid_visits_its_points_in_every_launch_and_no_others():
    machine = Machine()
    points = (16, 64, 256, 1024)
    (searcher,) = searched([replace(case(1), method="grid", points=points)], machine).searchers
    for launch in range(LAUNCHES + 1):
        assert {each.heads for each in machine.asked if each.launch == launch} == {4, *points, 4096}
    (crossing,) = searcher.location.crossings
    assert (crossing.low, crossing.high) == (256, 1024)


def test_a_leg_whose_rivals_declare_steps_elsewhere_is_not_searched_in_the_weaker_mode():
    ((unknown,), (declared,)) = (
        [each.location.notes for each in searched([replace(case(1), declared=said)], Machine()).searchers]
        for said in (False, True)
    )
    assert any("steps were not declared" in note for note in unknown)
    assert declared == ()


def test_another_race_starts_from_nothing():
    searches = searched([case(1, "one"), case(1, "other")], Machine())
    assert [each.prior for each in searches.searchers] == [None, None]


def test_the_same_seed_asks_the_same_questions_in_the_same_order():
    runs = []
    for seed in (1, 1, 2):
        machine = Machine()
        searches = searched([case(1), case(2)], machine, seed=seed)
        runs.append((machine.asked, [each.location for each in searches.searchers]))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]


def test_an_n_that_cannot_be_measured_is_left_out_with_its_reason():
    machine = Machine(refuses={4: "flat: memory ran out"})
    (searcher,) = searched([case(1)], machine).searchers
    assert sum(each.heads == 4 for each in machine.asked) == 1
    assert searcher.location.status == "crossing"
    assert [each.reason for each in searcher.location.failures] == ["flat: memory ran out"]
    assert 4 not in {probe.heads for probe in searcher.location.probes}


def test_a_budget_that_is_spent_ends_every_search_with_what_it_has():
    machine = Machine(spent_after=5)
    searches = searched([case(1), case(2)], machine)
    assert [each.location.status for each in searches.searchers] == ["unresolved", "unresolved"]
    assert all("budget is spent" in each.location.notes[0] for each in searches.searchers)
    assert searches.next_launch() is None


def test_progress_is_told_as_each_search_goes_on():
    told = []
    searched([case(1), case(2)], Machine(), told=lambda each, progress: told.append((each.batch_size, progress)))
    for batch_size in (1, 2):
        stages = [progress.stage for number, progress in told if number == batch_size]
        assert stages[-1] == "done"
        samples = [progress.samples for number, progress in told if number == batch_size]
        assert samples == sorted(samples)


def test_a_measure_that_breaks_its_promise_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="returned 0 pairs"):
        searched([case(1)], lambda request: [])


def test_the_threads_of_searches_that_were_cut_off_end():
    class BrokenError(Exception):
        pass

    def measure(request):
        raise BrokenError

    searches = Searches([case(1), case(2)], Search(), launches=LAUNCHES, seed=0)
    with pytest.raises(BrokenError):
        searches.serve(0, measure)
    threads = [each.thread for each in searches.searchers if each.thread]
    assert any(each.is_alive() for each in threads)
    searches.close()
    assert not any(each.is_alive() for each in threads)


def test_functions_are_looked_at_among_neighbours_and_seconds_that_are_left_buy_launches():
    of_n = replace(case(1), counts="n")
    machine = Machine()
    (searcher,) = searched([of_n], machine).searchers
    for how, timed, further in (
        (Search(), False, 0),
        (Search(), True, LAUNCHES),
        (Search(budget_seconds=9), False, LAUNCHES),
    ):
        asked = Searches([of_n], how, launches=LAUNCHES, seed=0, timed=timed).asked(searcher)
        assert (asked.neighbours, asked.further) == (True, further)
    of_heads = Searches([case(1)], Search(), launches=LAUNCHES, seed=0)
    assert not of_heads.asked(of_heads.searchers[0]).neighbours
    first = sorted({request.heads for request in machine.asked[:10]})
    assert any(a < b < 1.05 * a for a, b in itertools.pairwise(first))
