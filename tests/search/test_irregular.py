"""Costs that depend on n's factors: one decision as wide as that needs, whatever the seed, and a note that says why."""

from __future__ import annotations

import functools
import math

import pytest

from harness.search.irregular import locate_irregular
from harness.search.neighbours import is_prime, is_smooth, neighbours
from tests.simulation.fake_machine import FakeMachine


@functools.cache
def factors(number):
    found, factor = [], 2
    while factor * factor <= number:
        while number % factor == 0:
            found.append(factor)
            number //= factor
        factor += 1
    return (*found, number) if number > 1 else tuple(found)


@functools.cache
def fft(n):
    """Microseconds of three transforms of the exact length 2 n - 1, as pocketfft takes them: large primes by a longer one."""
    length = 2 * round(n) - 1
    parts = factors(length)
    direct = length * sum(1.1 * each for each in parts)
    padded = 2.2 * 2 * length * 2 * math.log2(4 * length)
    return 20 + 0.012 * min(direct, padded if max(parts, default=1) > 50 else direct)


def direct(n):
    return 3 + 0.0024 * n * n + 0.02 * n


def machine(seed, baseline=direct, challenger=fft):
    return FakeMachine(
        baseline, challenger, sigma=0.03, outliers=0.02, shared_drift=0.05, launch_effect=0.015,
        launch_heads_effect=0.01, seed=seed,
    )  # fmt: skip


def answer(seed, low, high, **costs):
    return locate_irregular(machine(seed, **costs).measure, low, high, seed=seed)


@pytest.fixture(scope="module")
def answers():
    return [answer(seed, 10, 5000) for seed in range(5)]


def contested(low, high):
    """The n at which who leads is not who leads at most n around: from the first that fft wins to the last that it loses."""
    leads = {n: fft(n) < direct(n) for n in range(low, high + 1)}
    return min(n for n in leads if leads[n]), max(n for n in leads if not leads[n]), leads


def test_five_seeds_give_one_answer(answers):
    assert {each.status for each in answers} == {"crossing"}
    ends = [(each.decision.below, each.decision.above) for each in answers]
    for side in zip(*ends, strict=True):
        assert max(side) / min(side) < 1.15


def test_the_decision_is_as_wide_as_the_jaggedness(answers):
    first, last, leads = contested(10, 5000)
    for each in answers:
        wrong = [n for n in range(10, each.decision.below) if leads[n]]
        wrong += [n for n in range(each.decision.above, 5001) if not leads[n]]
        assert len(wrong) <= 0.01 * len(leads)
        assert each.decision.below > first / 2.5  # and no wider than it has to be
        assert each.decision.above < last * 2.5
        within = [abs(math.log(direct(n) / fft(n))) for n in range(each.decision.below, each.decision.above)]
        assert each.decision.at_most > 0.8 * math.expm1(max(within))


def test_a_note_says_why(answers):
    for each in answers:
        assert each.notes[0].startswith("the ratio depends on each N and not on its size alone: between N = ")
        assert "either contender leads at some N, by up to" in each.notes[0]


def test_a_range_that_ends_inside_of_the_jaggedness_has_no_leader_throughout():
    first, last, leads = contested(10, 5000)
    high = round(math.sqrt(first * last))
    assert any(leads[n] for n in range(10, high))
    for seed in range(3):
        found = answer(seed, 10, high)
        assert found.status == "unresolved"
        assert found.bracket[0] < high
        assert found.notes[0].startswith("the ratio depends on each N")


@pytest.mark.parametrize("seed", range(6))
def test_smooth_costs_and_staircases_are_searched_as_before(seed):
    stairs = {"baseline": lambda n: 0.3 * n, "challenger": lambda n: 40.0 * (1 + (n > 300) + (n > 1000))}
    for costs in ({"baseline": lambda n: 0.1 * n + 1, "challenger": lambda n: 50 + 0.01 * n}, stairs):
        found = answer(seed, 1, 20_000, **costs)
        assert not any("depends on each N" in note for note in found.notes)
        assert found.status in ("crossing", "several", "unresolved")


def test_a_jagged_cost_that_is_far_behind_is_searched_as_before():
    found = answer(0, 10, 5000, baseline=lambda n: 1000 * fft(n), challenger=lambda n: 5 + 0.01 * n)
    assert found.status == "below"


def test_times_that_depend_on_the_draw_of_an_input_are_not_taken_for_jagged():
    """A linear scan ends where what it looks for lies: another draw, another time, in another launch."""
    fake = FakeMachine(lambda n: 0.1 * n + 1, lambda n: 50.0, sigma=0.03, launch_heads_effect=0.5, seed=4)
    launches = []

    def measure(heads, rounds, launch):
        launches.append(launch)
        return fake.measure(heads, rounds, launch)

    found = locate_irregular(measure, 10, 5000, seed=4)
    assert not any("depends on each N" in note for note in found.notes)
    assert launches == sorted(launches)


def test_a_small_budget_is_not_spent_on_neighbours():
    fake = machine(0)
    locate_irregular(fake.measure, 10, 5000, budget=200)
    assert fake.samples <= 200


def test_neighbours_differ_in_their_factors():
    for n in (50, 1000, 30_000, 2_000_000):
        some = neighbours(n, 1, 10**9)
        assert all(abs(each / n - 1) <= max(0.04, 3 / n) + 1e-9 for each in some)
        assert any(map(is_smooth, some))
        assert any(map(is_prime, some))
        assert any(is_prime(2 * each - 1) for each in some)
    assert neighbours(20, 20, 20) == [20]


def test_neighbours_of_a_thousand_by_hand():
    """1000 is smooth and 2 * 1000 - 1 prime; 997 is prime, 2 * 1013 - 1 = 3^4 5^2 smooth, and 992 = 31 * 32 round."""
    assert neighbours(1000, 1, 10**9) == [992, 997, 1000, 1013]
    assert neighbours(1000, 1, 10**9, plain=2) == [992, 997, 1000, 1001, 1013]
    assert neighbours(1000, 995, 1005) == [997, 1000]
    assert neighbours(26, 1, 10**9) == [23, 25, 26, 27]  # within three to either side, though 4 % are less


@pytest.mark.parametrize(
    ("number", "prime"),
    [(1, False), (2, True), (3, True), (4, False), (9, False), (25, False), (97, True), (91, False)],
)
def test_primes_by_hand(number, prime):
    assert is_prime(number) is prime


def test_no_large_number_is_asked_whether_it_is_prime():
    assert not is_prime(10**10 + 19)  # it is, and trying takes long
    assert is_prime(10**6 + 3)


@pytest.mark.parametrize(
    ("number", "smooth"), [(1, True), (224, True), (11, False), (2 * 3 * 5 * 7, True), (26, False)]
)
def test_smooth_numbers_by_hand(number, smooth):
    assert is_smooth(number) is smooth


def test_a_number_that_is_neither_smooth_nor_prime_is_no_neighbour_of_itself():
    """1001 = 7 x 11 x 13, and 2001 = 3 x 23 x 29."""
    assert 1001 not in neighbours(1001, 1, 10**9)
    assert 1001 in neighbours(1001, 1, 10**9, plain=1)


def test_a_steep_cost_is_not_taken_for_jagged():
    """Within 4 % to either side eight powers of N make 60 %, which the trend over the range explains."""
    found = answer(0, 64, 600, baseline=lambda n: 100 * (n / 200) ** 8, challenger=lambda n: 100.0)
    assert found.status == "crossing"
    assert not any("depends on each N" in note for note in found.notes)


def test_a_search_among_neighbours_says_that_it_looks_and_then_that_it_confirms():
    told = []
    locate_irregular(machine(0).measure, 10, 5000, seed=0, on_progress=told.append)
    stages = [each.stage for each in told]
    assert list(dict.fromkeys(stages)) == ["bracket", "confirm", "done"]
