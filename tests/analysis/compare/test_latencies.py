"""Cells of two runs, judged from launches written down by hand."""

from __future__ import annotations

import math

import pytest
import scipy.stats

from harness.analysis.compare.latencies import CONFIDENCE, changes, judge, launches, needed, welch
from tests.synthetic import Maker

OLD, NEW = [0.0, 0.02, 0.04], [0.10, 0.13, 0.13, 0.16]


def test_welchs_interval_is_scipys():
    found = welch(OLD, NEW, 0.9)
    wanted = scipy.stats.ttest_ind(NEW, OLD, equal_var=False).confidence_interval(0.9)
    assert found.value == pytest.approx(math.exp(0.13 - 0.02))
    assert (found.low, found.high) == pytest.approx((math.exp(wanted.low), math.exp(wanted.high)))
    assert (found.launches, found.confidence) == (3, 0.9)


def test_one_launch_has_no_interval_and_launches_that_agree_have_one_of_no_width():
    assert not welch([0.0], NEW, 0.95).known
    assert welch([0.0], NEW, 0.95).launches == 1
    exact = welch([0.0, 0.0], [0.5, 0.5], 0.95)
    assert (exact.low, exact.high) == pytest.approx((math.exp(0.5),) * 2)


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.0, "same"), (0.2, "slower"), (-0.2, "faster"), (0.09, "inconclusive"), (-0.1, "inconclusive")],
)
def test_a_verdict_is_where_the_interval_lies(shift, verdict):
    """At 10 %: three launches 0.01 apart reach 0.0227 to both sides, and log 1.1 is 0.0953."""
    old = [-0.01, 0.0, 0.01]
    own, joint, found = judge(old, [each + shift for each in old], 0.10)
    reach = scipy.stats.t.ppf(0.975, 4) * math.sqrt(2 * 1e-4 / 3)
    assert reach == pytest.approx(0.02267, abs=1e-5)
    assert (own.low, own.high) == pytest.approx((math.exp(shift - reach), math.exp(shift + reach)))
    assert joint == own
    assert found == verdict


def test_many_cells_are_judged_by_wider_intervals():
    own, joint, _ = judge(OLD, NEW, 0.05, cells=100)
    assert own.confidence == CONFIDENCE
    assert joint.confidence == pytest.approx(0.95**0.01)
    assert joint.low < own.low < own.high < joint.high
    assert judge(OLD, NEW, 0.05)[2] == "slower"
    assert judge(OLD, NEW, 0.05, cells=100)[2] == "inconclusive"


@pytest.mark.parametrize(
    ("old", "new", "threshold", "bias", "wanted"),
    [
        ([0.0], [0.0, 0.1], 0.1, 0.0, None),
        ([0.0, 0.1], [0.0, 0.1], 0.1, math.log(1.1), None),  # nothing could be told from the bias
        ([0.0, 0.0], [0.0, 0.0], 0.1, 0.0, 2),
        ([-1.0, 1.0], [-1.0, 1.0], 0.001, 0.0, None),  # more than 10,000
    ],
)
def test_launches_that_would_do(old, new, threshold, bias, wanted):
    assert needed(old, new, threshold, bias=bias) == wanted


def test_the_launches_asked_for_are_the_fewest_that_reach():
    """The sum of both quantiles of t times the spread over the root of the launches stays below log(1 + threshold)."""
    old = new = [-0.03, 0.0, 0.03]
    count = needed(old, new, 0.05)
    spread = math.sqrt(2 * 0.03**2)

    def reach(launches):
        freedom = 2 * launches - 2
        quantiles = scipy.stats.t.ppf(0.975, freedom) + scipy.stats.t.ppf(0.9, freedom)
        return quantiles * spread / math.sqrt(launches)

    assert reach(count) <= math.log(1.05) < reach(count - 1)


def test_cells_of_both_runs_come_by_batch_and_n_and_say_how_many_launches_they_lack():
    old = {("b", 64, 1): OLD, ("a", 18, 32): OLD, ("a", 18, 1): OLD, ("gone", 1, 1): OLD}
    new = {("b", 64, 1): OLD, ("a", 18, 32): [0.0, 0.3], ("a", 18, 1): [5.0, 5.01, 5.02]}
    found = list(changes(old, new, {"a": 0.1, "b": 0.2}))
    assert [(each.contender, each.heads, each.batch_size) for each in found] == [
        ("a", 18, 1),
        ("b", 64, 1),
        ("a", 18, 32),
    ]
    assert [(each.verdict, each.threshold) for each in found] == [("slower", 0.1), ("same", 0.2), ("inconclusive", 0.1)]
    assert [each.launches_needed is None for each in found] == [True, True, False]
    assert found[0].alone == "slower"


def test_only_the_table_has_launches_to_compare():
    maker = Maker()
    table = [maker.visit(["teacher"], 18, 1, launch, 3)[0] for launch in (2, 1)]
    search = maker.visit(["teacher"], 18, 1, 3, 3, "search")
    found = launches({("teacher", 18, 1): [*table, *search], ("loop", 18, 1): search})
    medians = [math.log(sorted(each.sampled.seconds)[1]) for each in reversed(table)]
    assert found == {("teacher", 18, 1): pytest.approx(medians)}
