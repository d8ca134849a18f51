"""How large the lead is: at both ends, and where it jumps; said of functions only."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.search.result import Crossing, Location, Probe
from harness.search.wording import sentence


def location(status, ratios, crossings=()):
    probes = tuple(
        Probe(n, math.log(ratio), math.log(ratio * 0.98), math.log(ratio * 1.02), 8, 8) for n, ratio in ratios.items()
    )
    heads = sorted(ratios)
    return Location(
        status=status, crossings=crossings, low=heads[0], high=heads[-1], samples=0, probes=probes, notes=(),
        measured=(heads[0], heads[-1]),
    )  # fmt: skip


def said(found, **more):
    return sentence(found, "polars", "pandas", 1, **{"of_heads": False, **more})


STEADY = {10: 4.9, 100: 4.8, 600: 5.0, 1000: 1.4, 10_000: 1.4, 100_000: 1.38}


def test_a_lead_that_jumps_is_told_on_both_sides():
    assert (
        said(location("below", STEADY))
        == "polars is faster throughout, from n = 10 to 100,000: 4.9x below 1,000, 1.4x above"
    )


def test_a_lead_that_changes_slowly_is_told_at_both_ends():
    ratios = {10: 1.5, 100: 3.0, 1000: 6.0, 10_000: 12.0, 100_000: 24.0}
    assert said(location("below", ratios)).endswith(": 1.5x at 10, 24x at 100,000")
    turned = {n: 1 / ratio for n, ratio in ratios.items()}
    assert (
        said(location("above", turned))
        == "pandas is faster throughout, from n = 10 to 100,000: 1.5x at 10, 24x at 100,000"
    )


def test_a_lead_that_stays_is_told_once():
    assert said(location("below", {10: 2.01, 1000: 2.0, 100_000: 1.99})).endswith(": 2.0x")


def test_a_slight_lead_is_told_with_two_decimals():
    assert said(location("below", {10: 1.03, 1000: 1.06, 100_000: 1.2})).endswith(": 1.03x at 10, 1.2x at 100,000")


def test_around_a_crossover_both_leads_are_told():
    crossing = Crossing(780, 770, 790, "challenger", 0.95, "smooth")
    found = location("crossing", {8: 1 / 12, 780: 1.0, 100_000: 90.0}, (crossing,))
    assert (
        said(found)
        == "polars is faster above about n = 780 (95 % CI 770 to 790); pandas by 12x at 8, polars by 90x at 100,000"
    )


@pytest.mark.parametrize("status", ["tie", "unresolved"])
def test_no_size_is_told_where_nobody_leads(status):
    assert "x at" not in said(location(status, STEADY))


def test_answers_about_heads_stay_as_they_are():
    assert (
        said(location("below", STEADY), of_heads=True)
        == "polars is faster throughout, from 10 to 100,000 heads, at batch 1"
    )


def test_large_leads_that_jump_are_told_as_well_as_small_ones():
    ratios = {10: 90.0, 100: 90.0, 600: 90.0, 1000: 12.0, 10_000: 12.0}
    assert said(location("below", ratios)).endswith(": 90x below 1,000, 12x above")


def test_a_jump_that_intervals_do_not_tell_is_none():
    wide = location("below", STEADY)
    probes = tuple(replace(each, low=each.log_ratio - 0.7, high=each.log_ratio + 0.7) for each in wide.probes)
    assert said(replace(wide, probes=probes)).endswith(": 4.9x at 10, 1.4x at 100,000")


def test_a_single_place_tells_no_size():
    assert said(location("below", {10: 4.9})).endswith("from n = 10 to 10")
