from __future__ import annotations

import warnings

import numpy as np
import pytest

import harness
from harness.plugin.manager import Catalog, available
from harness.testing import ConformanceError, check_runtime


class Direct(harness.Compiled):
    """Calls what it holds."""

    def __init__(self, projection):
        self.projection = projection

    def __call__(self, prepared):
        return self.projection(prepared)


class Plain(harness.Runtime):
    """Calls the NumPy form as it is."""

    name = "plain"
    forms = ("numpy",)
    compiled = Direct

    def export(self, projection, example, folder, context):
        pass

    def load(self, folder, context):
        return type(self).compiled(context.rebuild("numpy", True))


def with_compiled(**methods):
    """The same runtime, whose `Compiled` has other methods."""
    compiled = type("Changed", (Direct,), methods)
    return type("Changed", (Plain,), {"__doc__": "Changed.", "compiled": compiled})()


def broken(runtime) -> str:
    with pytest.raises(ConformanceError) as caught:
        check_runtime(runtime)
    return str(caught.value)


def test_a_good_runtime_passes():
    check_runtime(Plain())


@pytest.mark.parametrize(
    ("name", "module", "options"),
    [
        ("python", "python", {}),
        ("eager", "eager", {}),
        ("torchscript", "torchscript", {}),
        ("onnxruntime", "onnxruntime", {}),
        ("openvino", "openvino", {}),
        ("onnxruntime-int8", "reduced_precision", {}),
        ("eager-bfloat16", "reduced_precision", {"emulate": True}),
    ],
)  # torch-compile and aotinductor need a compiler, and a minute: tests/plugins has them
def test_built_in_runtimes_pass(name, module, options):
    runtime = Catalog.load(only=[f"harness_plugins.{module}"]).get("runtime", name)
    if lacking := available(runtime).missing:
        pytest.skip(f"{', '.join(lacking)} is not installed")
    check_runtime(runtime.with_options(options))


class Reused(Direct):
    """Gives the same memory again and again."""

    def __call__(self, prepared):
        if not hasattr(self, "memory") or len(self.memory) != len(prepared):
            self.memory = np.empty((len(prepared), 16), dtype=np.float32)
        self.memory[:] = self.projection(prepared)
        return self.memory


def closes_once(self):
    if getattr(self, "closed", False):
        raise RuntimeError("already closed")
    self.closed = True


CASES = {
    "parity": (
        {"__call__": lambda self, prepared: self.projection(prepared) * np.float32(1.01)},
        "- parity: form 'numpy': the output differs from the projection's own by 0.01, tolerance 0.0001",
    ),
    "close": (
        {"close": closes_once},
        "- close twice: form 'numpy': close() called twice raised RuntimeError: already closed",
    ),
    "results": (
        {"__call__": Reused.__call__},
        "- results stay: form 'numpy': a later call changed the result of an earlier one",
    ),
    "threads": ({"threads": lambda self: 0}, "- threads: form 'numpy': threads() gave 0; it is a count, or None"),
    "prepare": (
        {"prepare": lambda self, batch: batch.__imul__(2) / 2},
        "- inputs unchanged: form 'numpy': the call changed the queries that it was given",
    ),
    "fixed batch": (
        {
            "__call__": lambda self, prepared: (
                self.projection(prepared)[:7] if len(prepared) == 7 else np.zeros((7, 16), "float32")
            )
        },
        "- B = 1: form 'numpy': a batch of one gave the shape [7, 16], expected [1, 16]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_broken_rule_is_named(case):
    methods, sentence = CASES[case]
    assert sentence in broken(with_compiled(**methods)).splitlines()


def test_export_leaves_the_projection_alone():
    class Spoils(Plain):
        """Zeroes what it is given."""

        forms = ("module",)

        def export(self, projection, example, folder, context):
            projection[0].weight.zero_()

        def load(self, folder, context):
            module = context.rebuild("module", True)
            return Direct(lambda batch: module(__import__("torch").from_numpy(batch)).numpy())

    assert "- export: form 'module': export changed the projection that it was given" in broken(Spoils())


def test_a_failing_export_is_told():
    class Fails(Plain):
        """Cannot export."""

        def export(self, projection, example, folder, context):
            raise OSError("no compiler")

    assert "- export: form 'numpy': export raised OSError: no compiler" in broken(Fails())


class Silent(Plain):
    """Traces with two rows, without a check and without a warning."""

    forms = ("module",)

    def export(self, projection, example, folder, context):
        import torch

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(projection, (torch.from_numpy(example[:2]),), check_trace=False)
            torch.jit.save(traced, folder / "module.pt")

    def load(self, folder, context):
        import torch

        module = torch.jit.load(folder / "module.pt")
        return Direct(lambda batch: module(torch.from_numpy(batch)).detach().numpy())


def test_a_branch_that_is_frozen_without_a_word_is_told():
    told = broken(Silent()).splitlines()
    for what in ("the values of its queries", "the size of its batch"):
        where = f"form 'module', a module that branches on {what}"
        assert f"- frozen branch: {where}: another branch was kept, and nothing was said" in told


def test_a_trace_that_warns_has_said_it():
    class Warns(Silent):
        """Leaves the tracer's warnings to whoever exports."""

        def export(self, projection, example, folder, context):
            import torch

            torch.jit.save(torch.jit.trace(projection, (torch.from_numpy(example),)), folder / "module.pt")

    check_runtime(Warns())


def test_queries_of_other_lengths_are_tried():
    def clipped(self, prepared):
        return self.projection(np.clip(prepared, -1, 1))

    sentence = "- parity: form 'numpy': the output differs from the projection's own for queries times 10 by "
    assert any(each.startswith(sentence) for each in broken(with_compiled(__call__=clipped)).splitlines())


def remembering(self, prepared):
    known = self.__dict__.setdefault("known", {})
    key = prepared.tobytes()
    if key not in known:
        known[key] = self.projection(prepared)
    return known[key]


OFF_THE_CLOCK = {
    "a memo": ({"__call__": remembering}, "it remembers answers: a call with queries that it has not seen takes"),
    "a lazy output": (
        {
            "__call__": lambda self, prepared: lambda: self.projection(prepared),
            "result": lambda self, output: np.ascontiguousarray(output()),
        },
        "work is left over when the call ends",
    ),
    "an early answer": (
        {"prepare": lambda self, batch: self.projection(batch), "__call__": lambda self, prepared: prepared},
        "the work is done before the call begins",
    ),
}


@pytest.mark.parametrize("case", OFF_THE_CLOCK)
def test_work_that_is_not_on_the_clock_is_told(case):
    methods, what = OFF_THE_CLOCK[case]
    (sentence,) = [each for each in broken(with_compiled(**methods)).splitlines() if each.startswith("- off the clock")]
    assert what in sentence


def test_answers_that_are_kept_by_the_memory_of_their_queries_are_told():
    def by_identity(self, prepared):
        known = self.__dict__.setdefault("known", {})
        return known.setdefault(id(prepared), (prepared, self.projection(prepared)))[1]

    told = broken(with_compiled(__call__=by_identity))
    assert (
        "- fresh values: form 'numpy': queries that were changed in place got the answer to those before them" in told
    )


def test_a_replaced_clock_is_told(monkeypatch):
    import time

    monkeypatch.setattr(time, "perf_counter", time.perf_counter)  # put back afterwards

    def load(self, folder, context):
        time.perf_counter = lambda: 0.0
        return Direct(context.rebuild("numpy", True))

    runtime = type("Replaces", (Plain,), {"__doc__": "Replaces the clock.", "load": load})()
    assert "- clock: its code has replaced time.perf_counter" in broken(runtime)
