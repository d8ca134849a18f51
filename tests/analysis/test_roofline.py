"""Floors, distances and predicted crossovers from rates and costs that are made up."""

from __future__ import annotations

import math

import pytest

from harness.analysis.cells import CellSummary
from harness.analysis.roofline import CostModel, MachineLimits, costs_of, distances, predicted
from harness.analysis.statistics import Interval
from harness.plan.sweep import SearchCase

BANDWIDTH = {2**20: 100e9, 2**28: 10e9}


def ceilings(products=None):
    return MachineLimits(flops_per_second={1: 20e9, 32: 100e9}, bytes_per_second=BANDWIDTH, products=products or {})


def alike(costs, known=None):
    """The same limits for every contender."""
    return {name: known or ceilings() for name, _ in costs}


def cell(contender, heads, batch, seconds):
    call = Interval(value=seconds, low=seconds, high=seconds, launches=8, confidence=0.95)
    return CellSummary(
        contender=contender, heads=heads, batch_size=batch, outcome="measured", call=call, percentiles={}
    )


def stated(heads, flops, size=0.0, products=()):
    return CostModel(heads=heads, flops=flops, bytes=size, products=products)


def test_the_floor_is_the_larger_of_arithmetic_and_memory():
    assert ceilings().floor(stated(1, 1e9, 2**20)) == pytest.approx(1e9 / 100e9)
    assert ceilings().floor(stated(1, 1e3, 2**20)) == pytest.approx(2**20 / 100e9)


def test_bandwidth_between_two_sizes_is_interpolated_on_a_logarithmic_scale():
    assert ceilings().memory(2**24) == pytest.approx(2**24 / 55e9)
    assert ceilings().memory(2**30) == pytest.approx(2**30 / 10e9)


def test_the_floor_at_a_shape_takes_every_product_at_its_own_rate():
    known = ceilings({(32, 384, 18): 20e9, (32, 384, 1024): 100e9})
    product = 2.0 * 32 * 384 * 18
    cost = stated(18, product + 1000, products=[(32, 384, 18)])
    assert known.shaped(cost) == pytest.approx(product / 20e9 + 1000 / 100e9)
    assert known.shaped(stated(20, 2.0 * 32 * 384 * 20, products=[(32, 384, 20)])) == pytest.approx(
        2.0 * 32 * 384 * 20 / 20e9  # the nearest shape that was timed
    )
    assert known.shaped(stated(18, 1e6)) is None
    assert ceilings().shaped(cost) is None


def test_distances_tell_both_ratios():
    product = 2.0 * 32 * 384 * 18
    costs = {("teacher", 32): (stated(18, product, products=[(32, 384, 18)]),)}
    known = ceilings({(32, 384, 18): 20e9})
    (found,) = distances([cell("teacher", 18, 32, 2 * product / 20e9)], costs, alike(costs, known))
    assert found.ratio == pytest.approx(10)
    assert found.shape_ratio == pytest.approx(2)
    assert found.gigaflops_per_second == pytest.approx(10)
    assert found.bound == "arithmetic"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (1.2e-3, ""),
        (1.9e-3, "work other than its products, or their shape"),
        (2.6e-3, "the shape of its products"),
        (7e-3, "work other than its products"),
    ],
)
def test_what_is_in_the_way_follows_from_the_figures(seconds, told):
    product = 2.0 * 32 * 1000 * 1000
    costs = {("one", 32): (stated(18, product, products=[(32, 1000, 1000)]), stated(900, 10 * product))}
    known = MachineLimits(
        flops_per_second={32: product / 1e-3}, bytes_per_second=BANDWIDTH, products={(32, 1000, 1000): product / 2e-3}
    )
    found = distances([cell("one", 18, 32, seconds), cell("one", 900, 32, 10e-3)], costs, alike(costs, known))
    assert found[0].in_the_way == told


def test_weights_that_have_to_come_from_afar_take_their_time_beside_the_arithmetic():
    costs = {("one", 32): (stated(18, 1e9, 2**27), stated(900, 1e3))}
    memory = ceilings().memory(2**27)
    found = distances([cell("one", 18, 32, 10e-3 + 1.2 * memory), cell("one", 900, 32, 1e-6)], costs, alike(costs))
    assert found[0].in_the_way == "no overlap of arithmetic and memory"


def test_a_leftover_that_even_the_cheapest_call_has_is_its_fixed_cost():
    costs = {("one", 1): (stated(18, 1e3), stated(900, 1e6))}
    found = distances([cell("one", 18, 1, 50e-6), cell("one", 900, 1, 70e-6)], costs, alike(costs))
    assert [each.in_the_way for each in found] == ["the fixed cost of a call"] * 2


def test_what_a_contender_reached_raises_the_ceiling():
    costs = {("fast", 32): (stated(18, 1e9),), ("slow", 32): (stated(18, 1e9),)}
    found = distances([cell("fast", 18, 32, 5e-3), cell("slow", 18, 32, 10e-3)], costs, alike(costs))
    assert [each.ratio for each in found] == pytest.approx([1, 2])


def test_nobody_is_faster_than_the_floor():
    costs = {("one", 1): (stated(18, 1e3, 2**20), stated(900, 1e3, 2**24))}
    quick = 2**24 / 200e9  # twice as fast as any size was read alone
    found = distances([cell("one", 18, 1, 2**20 / 90e9), cell("one", 900, 1, quick)], costs, alike(costs))
    assert [each.ratio for each in found] == pytest.approx([200 / 90, 1])


def test_contenders_of_another_precision_are_left_out():
    costs = {("eight-bits", 32): (stated(18, 1e9),), ("exact", 32): (stated(18, 1e9),)}
    cells = [cell("eight-bits", 18, 32, 1e-4), cell("exact", 18, 32, 20e-3)]
    (found,) = distances(cells, costs, {"exact": ceilings()})
    assert found.contender == "exact"
    assert found.ratio == pytest.approx(2)  # and they do not raise its ceiling


def test_without_limits_or_costs_there_are_no_distances():
    assert distances([cell("one", 18, 1, 1e-3)], {("one", 1): (stated(18, 1e9),)}, {}) == ()
    assert distances([cell("one", 18, 1, 1e-3)], {}, {"one": ceilings()}) == ()


def case(low=1, high=4096, steps=()):
    return SearchCase(race="r", baseline="flat", challenger="deep", batch_size=32, low=low, high=high, steps=steps)


def test_the_predicted_crossover_is_where_the_floors_meet():
    flat = tuple(stated(n, 1e6 * n) for n in (1, 64, 4096))
    deep = tuple(stated(n, 500e6) for n in (1, 4096))
    costs = {("flat", 32): flat, ("deep", 32): deep}
    assert predicted(costs, case(), alike(costs)) == pytest.approx(500, rel=0.01)
    assert predicted(costs, case(high=400), alike(costs)) is None
    assert predicted(costs, case(low=600), alike(costs)) is None  # the challenger leads throughout
    assert predicted(costs, case(), {"flat": ceilings()}) is None
    assert predicted(costs, case(), {}) is None
    assert predicted({("flat", 32): flat}, case(), alike(costs)) is None


def test_a_step_is_not_smoothed():
    """The challenger's cost jumps after 160 heads, just after it began to lead."""
    flat = tuple(stated(n, 1e6 * n) for n in (1, 160, 161, 4096))
    deep = tuple(stated(n, 158e6 if n <= 160 else 900e6) for n in (1, 160, 161, 4096))
    costs = {("flat", 32): flat, ("deep", 32): deep}
    found = predicted(costs, case(steps=(160,)), alike(costs))
    assert found == pytest.approx(159, abs=1)


def test_rates_at_shapes_move_the_predicted_crossover():
    flat = tuple(stated(n, 2.0 * 32 * 384 * n, products=[(32, 384, n)]) for n in (1, 256, 4096))
    deep = tuple(stated(n, 2.0 * 32 * 384 * 1024, products=[(32, 384, 1024)]) for n in (1, 4096))
    known = ceilings({(32, 384, 1): 50e9, (32, 384, 256): 50e9, (32, 384, 4096): 50e9, (32, 384, 1024): 100e9})
    costs = {("flat", 32): flat, ("deep", 32): deep}
    assert predicted(costs, case(), alike(costs)) == pytest.approx(1024, rel=0.02)
    assert predicted(costs, case(), alike(costs, known)) == pytest.approx(512, rel=0.05)


def test_costs_that_were_asked_for_come_with_the_machine():
    asked = {"limits": {"costs": {"one": [[18, 32, 2.0, 3.0, [[1, 2, 3]]], [18, 1, 1.0, 1.0, []]]}}}
    found = costs_of([], asked)
    assert found["one", 32] == (stated(18, 2.0, 3.0, ((1, 2, 3),)),)
    assert set(found) == {("one", 32), ("one", 1)}


def test_limits_of_an_older_run_have_no_shapes():
    machine = {"limits": {"flops_per_second": {"32": 1e9}, "bytes_per_second": {"1024": 1e9}}}
    known = MachineLimits.of(machine)
    assert known.shaped(stated(18, 1e6, products=[(32, 2, 2)])) is None
    assert known.floor(stated(18, 1e6)) == pytest.approx(1e-3)
    assert MachineLimits.of({}) is None
    (found,) = distances([cell("one", 18, 32, 1e-2)], {("one", 32): (stated(18, 1e6),)}, {"one": known})
    assert math.isnan(found.shape_ratio)


DEVICE = {
    "products": [[32, 384, 1024, 4e12]], "flops_per_second": {"32": 4e12}, "bytes_per_second": {"1048576": 1e12},
    "launch_seconds": 3e-6, "synchronise_seconds": 5e-6,
}  # fmt: skip


def test_a_call_on_a_device_takes_at_least_its_work_its_launch_and_the_wait():
    machine = {"limits": {"devices": {"cuda:1": DEVICE}}}
    known = MachineLimits.of(machine, "cuda:1")
    assert known.floor(stated(18, 4e6)) == pytest.approx(1e-6 + 8e-6)
    assert known.shaped(stated(18, 2.0 * 32 * 384 * 1024, products=[(32, 384, 1024)])) == pytest.approx(
        2.0 * 32 * 384 * 1024 / 4e12 + 8e-6
    )
    assert [known.bound(stated(18, flops, size)) for flops, size in ((1e3, 1e3), (1e9, 1e3), (1e3, 1e9))] == [
        "launch", "arithmetic", "memory",
    ]  # fmt: skip
    assert MachineLimits.of(machine, "cuda:1", waits=False).floor(stated(18, 4e6)) == pytest.approx(1e-6 + 3e-6)
    assert MachineLimits.of(machine) is None  # nothing is known of the processor
    assert MachineLimits.of(machine, "cuda") is None


def test_a_crossover_between_two_devices_is_predicted_from_the_limits_of_both():
    """8 us of launch and wait against 100 GFLOP/s: 100e9 * 8e-6 operations, of which one head needs 1e4."""
    machine = {"limits": {"devices": {"cuda": DEVICE}}}
    flat = tuple(stated(n, 1e4 * n) for n in (1, 64, 76, 82, 90, 4096))
    costs = {("flat", 32): flat, ("deep", 32): flat}
    known = {"flat": ceilings(), "deep": MachineLimits.of(machine, "cuda")}
    assert predicted(costs, case(), known) == pytest.approx(8e-6 * 100e9 / 1e4 / (1 - 100e9 / 4e12), rel=0.05)
