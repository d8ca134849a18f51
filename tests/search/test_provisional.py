"""What is said of a search that still runs."""

from __future__ import annotations

import math

import pytest

from harness.search.provisional import NOTE, provisional
from harness.search.result import Pair, Progress
from harness.search.sign_test import WINSORISED_COST

ONE = [Pair(1.0, 2.0)] * 4  # the baseline leads by a factor of two
OTHER = [Pair(3.0, 1.0)] * 5


def progress(low, high, estimate):
    return Progress("bracket", low, high, estimate, samples=18)


def test_each_n_is_a_probe_and_two_samples_make_a_pair():
    found = provisional(1, 1000, None, {100: OTHER, 10: ONE, 50: []}, 0.95)
    assert (found.status, found.crossings, found.notes) == ("unresolved", (), (NOTE,))
    assert (found.low, found.high, found.samples, found.measured) == (1, 1000, 18, (10, 100))
    assert [each.heads for each in found.probes] == [10, 100]
    assert [each.log_ratio for each in found.probes] == pytest.approx([math.log(0.5), math.log(3)])
    assert [(each.pairs, each.launches) for each in found.probes] == [(4, 1), (5, 1)]
    assert found.bracket is None
    assert found.unconfirmed == ()


def test_the_interval_of_a_probe_is_that_of_its_pairs():
    """Successive differences of 0.2: noise 0.2 x 1.4826 / sqrt(2) = 0.2097; 1.15 x 0.2097 / sqrt(4) x 1.96 = 0.236."""
    pairs = [Pair(math.exp(each), 1.0) for each in (0.1, 0.3, 0.1, 0.3)]
    (probe,) = provisional(1, 9, None, {4: pairs}, 0.95).probes
    half = 1.959964 * WINSORISED_COST * 0.2 * 1.4826 / math.sqrt(2) / 2
    assert half == pytest.approx(0.2363, abs=1e-4)
    assert (probe.log_ratio, probe.low, probe.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half), abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "estimate", "wanted"),
    [
        (10, 100, 40, (40, 10, 100, "challenger", 0.0, "smooth")),
        (10, 100, 10, (11, 10, 100, "challenger", 0.0, "smooth")),  # the first N of the new leader lies behind `low`
        (10, 100, 200, (100, 10, 100, "challenger", 0.0, "smooth")),
        (99, 100, 100, (100, 99, 100, "challenger", 0.0, "step")),
    ],
)
def test_the_estimate_is_a_crossing_that_is_not_confirmed(low, high, estimate, wanted):
    found = provisional(1, 1000, progress(low, high, estimate), {10: ONE, 100: OTHER}, 0.95)
    assert found.bracket == (low, high)
    (crossing,) = found.unconfirmed
    assert (
        crossing.heads, crossing.low, crossing.high, crossing.direction, crossing.confidence, crossing.kind
    ) == wanted  # fmt: skip


def test_the_lead_may_go_to_the_baseline():
    (crossing,) = provisional(1, 1000, progress(10, 100, 40), {10: OTHER, 100: ONE}, 0.95).unconfirmed
    assert crossing.direction == "baseline"


def test_without_an_estimate_or_a_probe_behind_the_bracket_there_is_no_crossing():
    assert provisional(1, 1000, progress(1, 1000, None), {10: ONE}, 0.95).bracket is None
    assert provisional(1, 1000, progress(10, 100, 40), {10: ONE}, 0.95).unconfirmed == ()
    assert provisional(1, 1000, progress(10, 10, 10), {10: ONE}, 0.95).unconfirmed == ()
    assert provisional(1, 1000, None, {}, 0.95).measured is None
