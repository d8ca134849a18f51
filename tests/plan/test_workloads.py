"""Suites whose functions belong to workloads of plugins: found, checked, tried and spelled out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ContenderError, SuiteError
from harness.functions.kernel import Kernel
from harness.measure.construction import Construction
from harness.plan.check import check_suite
from harness.plan.plan import plan
from harness.plugin.interfaces import Workload
from harness.suite import loading

PLUGIN = """
import harness


class Options(harness.Options):
    wanted: int = 3


class Smallest(harness.Workload):
    "The smallest of n numbers."
    name = "smallest"
    Options = Options

    def prepare(self, n, batch, seed):
        import numpy
        return numpy.random.default_rng(seed).random(n).tolist()

    def rivals(self):
        return {"sorted": self.by_sorting, "in-place": self.in_place}

    def by_sorting(self, numbers):
        return sorted(numbers)[: self.options.wanted]

    def in_place(self, numbers):
        numbers.sort()
        return numbers[: self.options.wanted]

    def steps(self, rival, low, high):
        return [64] if rival == "in-place" else []

    def cost(self, rival, n, batch):
        return harness.Cost(flops=float(n), bytes=8.0 * n)


@harness.hookimpl
def harness_workloads():
    return [Smallest()]
"""
SUITE = """
name: smallest
plugins: [./mine.py]
sizes: {from: 4, to: 4k}
measurement: {table: false}
contenders:
  sorted: {workload: smallest, function: sorted, options: {wanted: 2}}
  in-place: {workload: smallest, function: in-place, options: {wanted: 2}}
  lists: {function: "builtin.py:one", setup: "builtin.py:numbers"}
  others: {function: "builtin.py:other", setup: "builtin.py:numbers", threads: 2}
races:
  - {name: smallest, baseline: sorted, challenger: in-place}
  - {name: lists, baseline: lists, challenger: others, sizes: {from: 2, to: 16}}
"""
FUNCTIONS = """
def numbers(n):
    assert n <= 16, "beyond the range of its race"
    return list(range(n))

one = sum

def other(numbers):
    return sum(list(numbers))
"""


def files(folder):
    (folder / "mine.py").write_text(PLUGIN)
    (folder / "builtin.py").write_text(FUNCTIONS)
    (folder / "suite.yaml").write_text(SUITE)
    return folder / "suite.yaml"


@pytest.fixture
def suite(tmp_path, answered_here):
    return files(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One plan for all: its functions are tried in processes of their own."""
    loaded = loading.load(files(tmp_path_factory.mktemp("suite")))
    return plan(loaded, check_suite(loaded))


def test_rivals_of_a_workload_are_spelled_out_with_its_options(made):
    own = made.specifications["in-place"]
    assert (own.workload.name, own.workload_function, own.workload.options) == ("smallest", "in-place", {"wanted": 2})
    assert own.function.fresh  # found out: it sorts its input
    again = Kernel.from_json(own.function.to_json())
    assert again.function.load()([3, 1, 2]) == [1, 2]
    assert len(again.setup.load()(5, 1, 0)) == 5
    assert made.offers["function smallest:sorted"]["sha256"]


def test_steps_that_a_workload_declares_reach_the_search(made):
    assert [case.steps for case in made.sweep.cases] == [(64,), ()]
    assert [case.declared for case in made.sweep.cases] == [True, False]


def test_functions_with_another_setup_are_tried_in_the_range_of_their_own_race(made):
    assert made.specifications["lists"].function.setup.label == "builtin.py:numbers"
    assert made.sweep.cases[1].high == 16


def test_threads_are_per_function_and_the_answer_says_on_how_many_cores_it_ran(made):
    assert [each.threads for each in made.specifications.values()] == [1, 1, 1, 2]
    assert "cores used: sorted on 1; in-place on 1; lists on 1; others on 2" in made.warnings


def test_what_a_workload_states_of_costs_is_asked_for(made):
    rows = Construction({}).costs(made.specifications["sorted"], [4, 8], [1])
    assert rows == [[4, 1, 4.0, 32.0, []], [8, 1, 8.0, 64.0, []]]


def test_what_was_tried_is_what_is_timed(made):
    file = Path(made.specifications["sorted"].workload.plugin.removeprefix("file:"))
    try:
        file.write_text(PLUGIN + "\n# changed\n")
        with pytest.raises(ContenderError, match="has changed since the functions were tried"):
            made.specifications["sorted"].function.function.load()
    finally:
        file.write_text(PLUGIN)


MISTAKES = {
    "no workload 'smalest'; did you mean 'smallest'?": ("workload: smallest", "workload: smalest"),
    "no function 'sortd' in 'smallest'; did you mean 'sorted'?": ("function: sorted,", "function: sortd,"),
    "unknown key": ("wanted: 2", "wnted: 2"),
    "a function of a workload takes no setup": ("function: sorted,", "function: sorted, setup: a.py:b,"),
    "`options` is {'wanted': 3} for 'sorted' and {'wanted': 2} for 'in-place'": (
        "function: sorted, options: {wanted: 2}",
        "function: sorted, options: {wanted: 3}",
    ),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_mistakes_are_told_with_their_line(sentence, suite):
    suite.write_text(SUITE.replace(*MISTAKES[sentence]))
    with pytest.raises(SuiteError) as told:
        check_suite(loading.load(suite))
    assert sentence in str(told.value)
    assert "suite.yaml:" in str(told.value)


def test_the_default_equality_compares_arrays_within_rounding():
    class Anything(Workload):
        """Anything."""

        name = "any"

        def prepare(self, n, batch, seed):
            return n

        def rivals(self):
            return {}

    assert Anything().equal(0.1 + 0.2, 0.3)
    assert not Anything().equal([1], [2])
