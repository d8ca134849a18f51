"""Intervals over launches: they cover as often as they say, and a launch counts once however many samples it has."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.analysis import statistics
from harness.analysis.statistics import Interval


def launches(generator, count=8, samples=25, between=0.05, within=0.10):
    """Positive samples around 1, with an effect for each launch."""
    return {
        launch: np.exp(generator.normal(0, between) + generator.normal(0, within, samples)).tolist()
        for launch in range(1, count + 1)
    }


def test_the_centre_is_unmoved_by_outliers():
    clean = np.linspace(0.9, 1.1, 21)
    assert statistics.centre(clean) == pytest.approx(1.0)
    assert statistics.centre([*clean, 50.0, 60.0]) == pytest.approx(1.0, abs=0.02)
    assert statistics.centre([3.0]) == 3.0


def test_the_centre_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="the centre of nothing is not defined"):
        statistics.centre([])


@pytest.mark.parametrize("count", [3, 8])
def test_intervals_over_launches_cover_as_often_as_they_say(count):
    generator = np.random.default_rng(1)
    hits = sum(statistics.typical(launches(generator, count)).contains(1.0) for _ in range(400))
    assert 0.92 <= hits / 400 <= 0.98  # pooling the samples instead would cover about a third


def test_more_samples_of_the_same_launches_do_not_narrow_the_interval():
    generator = np.random.default_rng(2)
    few = [statistics.typical(launches(generator, samples=10)).half_width for _ in range(60)]
    many = [statistics.typical(launches(generator, samples=200)).half_width for _ in range(60)]
    assert np.mean(many) > 0.7 * np.mean(few)


def test_one_launch_gives_a_value_without_an_interval():
    found = statistics.typical({1: [2.0, 2.0, 2.1]})
    assert found.value == pytest.approx(2.0)
    assert not found.known
    assert math.isnan(found.half_width)
    assert not found.contains(2.0)


def test_the_interval_agrees_with_scipy():
    from scipy import stats

    logs = [0.01, -0.02, 0.03, 0.0, 0.015]
    found = statistics.mean_over_launches(logs)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(logs), scale=stats.sem(logs))
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((low, high))


def calls(generator, between, within, outliers, count=8, samples=50):
    """Calls timed one by one: lognormal around a launch's own level, some of them far slower."""
    return {
        launch: np.exp(
            generator.normal(0, between)
            + generator.normal(0, within, samples)
            + (generator.random(samples) < outliers) * generator.exponential(1.0, samples)
        )
        for launch in range(1, count + 1)
    }


@pytest.mark.parametrize(
    ("between", "within", "outliers"), [(0.0, 0.1, 0.0), (0.03, 0.1, 0.02), (0.05, 0.05, 0.02), (0.03, 0.3, 0.05)]
)
def test_intervals_of_percentiles_cover(between, within, outliers):
    generator = np.random.default_rng(3)
    every = np.concatenate(list(calls(generator, between, within, outliers, 20_000).values()))
    drawn = [calls(generator, between, within, outliers) for _ in range(250)]
    for share in (0.5, 0.9, 0.95, 0.99):
        truth, found = np.quantile(every, share), [statistics.percentile(each, share) for each in drawn]
        assert np.mean([each.contains(truth) for each in found]) >= 0.94, share
        assert all(each.low > 0 for each in found)


def test_a_percentile_without_calls_beyond_it_has_no_upper_end():
    found = statistics.percentile(calls(np.random.default_rng(4), 0.0, 0.1, 0.0), 0.99)  # four calls of 400 beyond
    assert found.high == math.inf
    assert 0 < found.low < found.value
    assert not found.known
    assert math.isnan(found.half_width)
    assert found.contains(10.0)
    assert not found.contains(found.low / 2)
    assert found.scaled(2.0).high == math.inf
    assert found.inverse().low == 0.0


def test_percentiles_that_launches_tell_apart_are_known_from_both_sides():
    found = statistics.percentile(calls(np.random.default_rng(5), 0.0, 0.1, 0.0, samples=1000), 0.99)
    assert found.known
    assert found.half_width < 0.05


def test_an_interval_in_other_units():
    found = Interval(2.0, 1.0, 4.0, 8)
    assert found.scaled(10) == Interval(20.0, 10.0, 40.0, 8)
    assert found.inverse() == Interval(0.5, 0.25, 1.0, 8)
    assert found.half_width == pytest.approx(1.0)


def test_the_median_of_what_is_known():
    assert statistics.median([None, 3.0, 1.0, None, 2.0]) == 2.0
    assert statistics.median([None]) is None


def test_the_interval_of_a_ratio_adds_distances_as_squares():
    """log(110/100) is 0.0953; down hypot(log(110/90), log(125/100)) = 0.3001, up hypot(log(140/110), log(100/80)) = 0.3285."""
    found = statistics.ratio_of(
        statistics.Interval(100.0, 80.0, 125.0, 3, 0.9), statistics.Interval(110.0, 90.0, 140.0, 5, 0.95)
    )
    assert found.value == pytest.approx(1.1)
    assert (found.low, found.high) == pytest.approx((math.exp(0.0953 - 0.3001), math.exp(0.0953 + 0.3285)), rel=1e-3)
    assert (found.launches, found.confidence) == (3, 0.9)


def test_a_percentile_of_launches_that_agree_has_the_interval_of_independent_samples():
    """Two launches of 1 to 10: no variance between them, so 20 samples, times what few launches cost in quantiles of t."""
    values = [float(n) for n in range(1, 11)]
    found = statistics.percentile({1: values, 2: values}, 0.5)
    worth = 20 * (stats.t.ppf(0.975, 19) / stats.t.ppf(0.975, 1)) ** 2
    hits = worth / 2
    low, high = stats.beta.ppf(0.025, hits, worth - hits + 1), stats.beta.ppf(0.975, hits + 1, worth - hits)
    ordered = sorted(values * 2)
    assert found.value == pytest.approx(math.sqrt(5 * 6))  # the middle on the logarithm
    first, last = math.floor(low * 20) - 1, math.ceil(high * 20)
    assert found.low == pytest.approx(ordered[first] if first >= 0 else 0.0)
    assert found.high == pytest.approx(ordered[last] if last < 20 else math.inf)


def test_the_lower_end_of_a_percentile_may_be_the_very_first_sample():
    """1 to 12 in four launches: too few for an end between samples, and enough for one that is a sample."""
    calls = {launch: [1.0 + launch + 4 * i for i in range(3)] for launch in range(4)}
    found = statistics.percentile(calls, 0.5)
    assert (found.low, found.high) == pytest.approx((1.0, 12.0))
