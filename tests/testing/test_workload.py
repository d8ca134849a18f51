"""Rules for workloads, each broken once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import harness
from harness.testing import ConformanceError, check_workload


class Smallest(harness.Workload):
    """The smallest of n numbers."""

    name = "smallest"

    def prepare(self, n, batch, seed):
        return np.random.default_rng(seed).random(n)

    def rivals(self):
        return {"least": np.min, "sorted": lambda numbers: np.sort(numbers)[0]}


def test_a_workload_that_keeps_the_rules():
    check_workload(Smallest())


def without_seed(self, n, batch, seed):
    return np.random.default_rng().random(n)


NUMBERS = itertools.count()
BROKEN = {
    "a race needs two": {"rivals": lambda self: {"least": np.min}},
    "is str, not a function": {"rivals": lambda self: {"least": np.min, "name": "numpy"}},
    "draw from a generator with that seed": {"prepare": without_seed},
    "whose work has not been done": {"rivals": lambda self: {"a": iter, "b": iter}},
    "and then": {"rivals": lambda self: {"a": lambda numbers: next(NUMBERS), "b": np.min}},
    "at n = 4 'least' gave": {"rivals": lambda self: {"least": np.min, "most": np.max}},
    "they ascend": {"steps": lambda self, rival, low, high: [high]},
    "give a harness.Cost": {"cost": lambda self, rival, n, batch: harness.Cost(flops=-1.0, bytes=0.0)},
    "prepare(4, 1, 3) raised": {"prepare": lambda self, n, batch, seed: 1 / 0},
}


@pytest.mark.parametrize("sentence", BROKEN)
def test_each_broken_rule_is_a_sentence(sentence):
    broken = type("Broken", (Smallest,), {"__doc__": "A broken one.", **BROKEN[sentence]})
    with pytest.raises(ConformanceError) as caught:
        check_workload(broken())
    assert any(sentence in each for each in caught.value.broken), caught.value.broken


def test_rivals_that_change_their_input_get_copies():
    def in_place(numbers):
        numbers.sort()
        return numbers[0]

    changing = type("Changing", (Smallest,), {"__doc__": "Sorts.", "rivals": lambda self: {"a": in_place, "b": np.min}})
    check_workload(changing())
