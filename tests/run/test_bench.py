"""What a bench asks of the machine, with children that are made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.plan.sweep import Cell, SearchCase
from harness.process.child import ChildFailed
from harness.process.failure import Failure
from harness.run import bench
from harness.run.provisions import Provisions


class Listener:
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


class Child:
    answer: object = {"products": [], "flops_per_second": {"1": 1.0}, "bytes_per_second": {"1": 1.0}}
    asked: object = None

    def __init__(self, *_, **__):
        pass

    def ask(self, request, **_):
        type(self).asked = request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self):
        pass


@pytest.fixture
def found(monkeypatch):
    """A bench whose contender states one product, and who listens to it."""
    one = object.__new__(bench.Bench)
    listener = Listener()
    leg = SearchCase(race="r", baseline="flat", challenger="deep", batch_size=32, low=18, high=300, steps=(40,))
    one._plan = SimpleNamespace(
        suite=SimpleNamespace(device="cpu", threads=1),
        sweep=SimpleNamespace(cells=(Cell(contender="flat", heads=18, batch_size=32),), legs=(leg,)),
        specifications={"flat": SimpleNamespace(to_json=dict)},
        batch_sizes={"flat": [32]},
    )
    one._listener = listener
    one.provisions = Provisions(one._plan, None)
    one.provisions.source = {"width": 384, "output_width": 384}

    def stated(request, stage):
        return {"costs": [[n, b, 1.0, 1.0, [[b, 384, n]]] for n in request["heads"] for b in request["batch_sizes"]]}

    one._workshop = SimpleNamespace(ask=stated)
    monkeypatch.setattr(bench, "Child", Child)
    monkeypatch.setattr(Child, "answer", Child.answer)
    return one, listener


def test_costs_are_asked_for_on_both_sides_of_every_step(found):
    one, listener = found
    limits = one.limits()
    heads = [row[0] for row in limits["costs"]["flat"]]
    assert {18, 40, 41, 300} <= set(heads)
    assert heads == sorted(heads)
    shapes = [tuple(each) for each in Child.asked["shapes"]]
    assert (32, 384, 18) in shapes  # of the table, as it is
    assert (32, 512, 256) in shapes  # of the search, rounded
    assert listener.said == []


def test_limits_that_cannot_be_measured_are_said(found, monkeypatch):
    one, listener = found
    monkeypatch.setattr(Child, "answer", ChildFailed(Failure(stage="load", what="it died"), alive=False))
    assert one.limits() == {}
    assert "the limits of this machine were not measured (it died)" in listener.said[0]


def test_limits_of_the_processor_are_not_those_of_a_device(found):
    one, listener = found
    one._plan.suite.device = "cuda"
    assert one.limits() == {}
    assert "nothing on another device is compared" in listener.said[0]


def test_plain_functions_state_no_cost(found):
    one, _ = found
    one.provisions.source = {}
    assert one.limits()["costs"] == {}
