"""Examples worked by hand of what pairs tell about equal rivals."""

import math

import numpy as np
import pytest

from harness.search.equivalence import fit_differences
from harness.search.sampler import Observations

PLACES = (1, 10, 100, 1000)


def observations(log_ratio, *, places=PLACES, launches=4, pairs=10):
    """`pairs` at each N in each launch, as a function of N, the launch and the pair says."""
    rows = [(n, l, log_ratio(n, l, i)) for l in range(launches) for n in places for i in range(pairs)]  # noqa: E741
    heads, launch, values = zip(*rows, strict=True)
    return Observations(np.array(heads), np.array(launch), np.array(values, dtype=float))


def t4(score):
    """The distribution function of Student's t with 4 degrees of freedom, in closed form."""
    share = score**2 / (1 + score**2 / 4)
    return 0.5 + 0.375 * math.copysign(math.sqrt(share), score) * (1 - share / 12)


def test_the_level_rests_on_launches_and_on_two_more_that_differ_by_the_margin():
    """Levels 0.02, 0, 0.01: mean 0.01, sum of squares 0.0002; 0.0002 + 2 * 0.05^2 over 4 is 0.0013, over 3 launches."""
    known = fit_differences(
        observations(lambda n, launch, i: (0.02, 0.0, 0.01)[launch], launches=3), PLACES, 1e-6, 0.05
    )
    assert known.level == pytest.approx(0.01)
    assert known.freedom == 4
    assert known.error == pytest.approx(math.sqrt(0.0013 / 3))
    assert known.probability_beyond(0.05) == pytest.approx(t4((0.01 - 0.05) / known.error), rel=1e-3)
    assert known.probability_against(1) == pytest.approx(t4(-0.01 / known.error), rel=1e-3)


def test_the_largest_difference_is_where_the_allowed_error_ends():
    known = fit_differences(observations(lambda n, launch, i: 0.01 * launch), PLACES, 1e-6, 0.05)
    assert known.probability_beyond(known.smallest_margin(0.9)) == pytest.approx(0.1, abs=1e-6)


def test_what_no_n_adds_is_pulled_to_the_level_of_all():
    """Deviations of one standard error in turn: as noise makes them, so that nearly nothing of them is kept."""
    noise, pairs, launches = 0.1, 9, 4
    error = 1.15 * noise / math.sqrt(pairs * launches)
    known = fit_differences(
        observations(lambda n, launch, i: error * (1 if n in (1, 100) else -1), pairs=pairs, launches=launches),
        PLACES,
        noise,
        0.05,
    )
    kept = (known.parts.weights * known.parts.added).sum(axis=1)
    assert np.abs(kept).max() < 0.2 * error
    assert known.alone == pytest.approx([error, -error, error, -error], abs=1e-9)


def test_an_n_that_stands_out_is_left_as_it_is():
    """One of twenty lies 8 % off, with an error of 0.6 %: it adds what was seen there, less its part of the mean."""
    places = tuple(range(1, 21))
    known = fit_differences(
        observations(lambda n, launch, i: 0.08 * (n == 7), places=places, launches=9), places, 0.05, math.log(1.05)
    )
    kept = (known.parts.weights * known.parts.added).sum(axis=1)
    assert kept[6] == pytest.approx(0.08 * 19 / 20, rel=0.02)
    assert known.probability_beyond(math.log(1.05)) > 0.9
    assert np.abs(np.delete(kept, 6)).max() < 0.002


def test_rare_outliers_move_nothing():
    """Two of a hundred pairs at every N are ten times slower: without them the rivals are equal."""
    known = fit_differences(
        observations(lambda n, launch, i: math.log(10) if i == 0 and launch < 2 else 0.001 * (-1) ** i, pairs=25),
        PLACES,
        0.002,
        0.05,
    )
    assert abs(known.level) < 0.0005


def test_what_a_launch_adds_at_single_n_widens_what_is_known_of_each():
    """No difference at all, and 2 % that launches add at single N and that averages out."""
    quiet = fit_differences(observations(lambda n, launch, i: 0.0), PLACES, 0.01, 0.05)
    placed = fit_differences(
        observations(lambda n, launch, i: 0.02 * (1 if (launch + PLACES.index(n)) % 2 else -1)), PLACES, 0.01, 0.05
    )
    assert quiet.alone_errors[0] < placed.alone_errors[0]
    # 16 cells, 9 left over: 0.02^2 * 16 / 9 for what a launch adds at one N, over 4 launches
    assert placed.alone_errors[0] == pytest.approx(math.hypot(placed.error, 0.02 * math.sqrt(16 / 9) / 2), rel=1e-3)


def test_one_launch_tells_little():
    known = fit_differences(observations(lambda n, launch, i: 0.0, launches=1), PLACES, 0.001, 0.05)
    assert known.error == pytest.approx(0.05)
    assert known.probability_beyond(0.05) > 0.15


def test_pairs_at_other_n_are_ignored():
    seen = observations(lambda n, launch, i: 0.5 * (n == 100))
    assert fit_differences(seen, (1, 10, 1000), 1e-3, 0.05).level == pytest.approx(0.0)


def test_neighbours_that_stand_out_the_same_way_count_together_and_strays_that_do_not_are_pulled_back():
    """Two of twenty lie 8 % off, each by 2.7 errors: side by side that is a stretch, far apart it is chance."""
    places = tuple(range(1, 21))
    noise, pairs, launches = 0.18, 6, 8

    def beyond(off):
        seen = observations(lambda n, launch, i: 0.08 * (n in off), places=places, pairs=pairs, launches=launches)
        return fit_differences(seen, places, noise, math.log(1.05)).probability_beyond(math.log(1.05))

    assert beyond(()) < 0.001
    assert beyond({7, 20}) < 0.02 < 0.15 < beyond({19, 20})
    assert beyond({18, 19, 20}) > 0.6


def test_a_step_in_the_middle_is_found_as_one():
    """The upper half is 30 % faster: 15 % above the level of all, the lower half as much below it."""
    known = fit_differences(observations(lambda n, launch, i: 0.3 * (n >= 100)), PLACES, 0.01, 0.05)
    assert known.parts.weights.sum(axis=1) == pytest.approx(np.ones(4))
    assert (known.parts.weights * known.parts.added).sum(axis=1) == pytest.approx([-0.15, -0.15, 0.15, 0.15], abs=0.01)
