"""What a bench asks of the machine, with children that are made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.plan.specification import OfferReference
from harness.plan.sweep import Cell, SearchCase
from harness.process.child import ChildFailed
from harness.process.failure import Failure
from harness.run import bench
from harness.run.source_facts import SourceFacts


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
    case = SearchCase(race="r", baseline="flat", challenger="deep", batch_size=32, low=18, high=300, steps=(40,))
    one._plan = SimpleNamespace(
        suite=SimpleNamespace(device="cpu", threads=1),
        sweep=SimpleNamespace(cells=(Cell(contender="flat", heads=18, batch_size=32),), cases=(case,)),
        specifications={
            "flat": SimpleNamespace(to_json=dict, device_kind="cpu", runtime=None, function=None, workload=None)
        },
        batch_sizes={"flat": [32]},
    )
    one._listener = listener
    one.source_facts = SourceFacts(one._plan, None)
    one.source_facts.source = {"width": 384, "output_width": 384}

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


def on_a_gpu(one):
    runtime = OfferReference(kind="runtime", name="eager", plugin="harness_plugins.eager")
    one._plan.specifications["deep"] = SimpleNamespace(
        to_json=dict, device="cuda:1", device_kind="cuda", runtime=runtime, function=None, workload=None
    )
    one._plan.batch_sizes["deep"] = [32]


def test_every_device_of_a_contender_has_limits_of_its_own_measured_where_no_other_device_is_seen(found, monkeypatch):
    one, listener = found
    on_a_gpu(one)
    started = []

    class Noted(Child):
        def __init__(self, module, settings, environment):
            started.append((settings.get("device"), environment.get("CUDA_VISIBLE_DEVICES")))
            costs = {"launch_seconds": 3e-6, "synchronise_seconds": 5e-6}
            self.answer = {**Child.answer, **(costs if "device" in settings else {})}

    monkeypatch.setattr(bench, "Child", Noted)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    limits = one.limits()
    assert ("cuda", "1") in started
    assert limits["devices"]["cuda:1"]["launch_seconds"] == 3e-6
    assert limits["flops_per_second"] == {}  # the processor's, beside them: no product was asked of it here
    assert set(limits["costs"]) == {"flat", "deep"}
    assert listener.said == []
    del one._plan.specifications["flat"]
    assert set(one.limits()) == {"devices", "costs"}


def test_a_device_whose_limits_fail_costs_the_processor_none_of_its_own(found, monkeypatch):
    one, listener = found
    on_a_gpu(one)

    class Broken(Child):
        def __init__(self, module, settings, environment):
            if "device" in settings:
                self.answer = ChildFailed(Failure(stage="load", what="no driver"), alive=False)

    monkeypatch.setattr(bench, "Child", Broken)
    limits = one.limits()
    assert "devices" not in limits
    assert limits["bytes_per_second"] == {"1": 1.0}
    assert listener.said == ["the limits of cuda:1 were not measured (no driver)"]


def test_plain_functions_state_no_cost(found):
    one, _ = found
    one._plan.specifications["flat"].function = sum
    assert one.limits()["costs"] == {}
