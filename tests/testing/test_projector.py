from __future__ import annotations

import numpy as np
import pytest
import torch

import harness
from harness.plugin.manager import BUILT_IN, Catalog, available
from harness.testing import ConformanceError, check_projector, sample_heads


class Softmaxed(harness.Projector):
    """Weights answers by centroids."""

    name = "softmaxed"
    forms = ("numpy",)

    def build(self, heads, context):
        def project(batch):
            scores = batch @ heads.centroids.T
            weights = np.exp(scores)
            return (weights / weights.sum(axis=1, keepdims=True)) @ heads.answers

        return project


def wrapped(change):
    """The same projector, with its output changed by `change(output, batch, heads)`."""

    class Wrapped(Softmaxed):
        """A wrapped projector."""

        def build(self, heads, context):
            project = super().build(heads, context)
            return lambda batch: change(project(batch), batch, heads)

    return Wrapped()


def broken(projector, **arguments) -> str:
    with pytest.raises(ConformanceError) as caught:
        check_projector(projector, **arguments)
    return str(caught.value)


def test_a_good_projector_passes():
    check_projector(Softmaxed())


PROJECTORS = ["lda", "lda-loop", "lda-blocked", "transformer", "constant", "identity", "linear", "mlp", "residual",
              "lda-nearest", "lda-attention", "routed"]  # fmt: skip


@pytest.fixture(scope="module")
def built_in():
    return Catalog.load(only=BUILT_IN)


@pytest.mark.parametrize("name", PROJECTORS)
def test_built_in_projectors_pass(built_in, name):
    projector = built_in.get("projector", name)
    if lacking := available(projector).missing:
        pytest.skip(f"{', '.join(lacking)} is not installed")
    square = [sample_heads(count, output_width=24) for count in (1, 18)]  # `identity` needs equal widths
    check_projector(projector, heads=square)


def test_no_built_in_projector_is_left_out(built_in):
    assert {each.name for each in built_in.offers if each.kind == "projector"} == set(PROJECTORS)


def in_place(output, batch, heads):
    batch[0] = 0
    return output


def neighbours(output, batch, heads):
    return output - output.mean(axis=0, keepdims=True) if len(output) > 1 else output


def spoils_heads(output, batch, heads):
    heads.answers[0] += 1
    return output


def only_batches(output, batch, heads):
    if len(batch) == 1:
        raise ValueError("a batch of one")
    return output


def by_memory_order(output, batch, heads):
    return output if batch.strides[0] == batch.shape[1] * 4 else output * 2


CASES = {
    "shape": (
        lambda output, batch, heads: output.T,
        "- shape: {where}: [B, D] = [7, 24] gave [16, 7], expected [7, 16]"),
    "dtype": (
        lambda output, batch, heads: output.astype("float64"),
        "- dtype: {where}: the output is float64, expected float32"),
    "finite": (
        lambda output, batch, heads: output * np.nan,
        "- finite: {where}: ordinary queries gave NaN or infinity"),
    "inputs": (in_place, "- inputs unchanged: {where}: the call changed the queries that it was given"),
    "heads": (spoils_heads, "- inputs unchanged: {where}: the heads that it was given were changed"),
    "neighbours": (
        neighbours,
        ("- batch independence: {where}: a row of a batch differs from the same row alone; "
        "a row must not depend on its neighbours"),
    ),
    "one": (only_batches, "- B = 1: {where}: a batch of one raised ValueError: a batch of one"),
    "nan": (
        lambda output, batch, heads: output + 0 * batch.sum(dtype="float32"),
        "- NaN stays in its row: {where}: a NaN in one row changed other rows",
    ),
    "random": (
        lambda output, batch, heads: output + np.random.default_rng().random(output.shape, dtype="float32"),
        "- determinism: {where}: the same queries gave another output the second time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_broken_rule_is_named(case):
    change, sentence = CASES[case]
    assert sentence.format(where="form 'numpy', N = 18") in broken(wrapped(change)).splitlines()


def test_all_broken_rules_are_told_at_once():
    told = broken(wrapped(lambda output, batch, heads: in_place(output, batch, heads).astype("float64")))
    assert told.startswith("the projector 'softmaxed' breaks ")
    assert "- dtype: " in told
    assert "- inputs unchanged: " in told


def test_what_an_offer_raised_is_the_cause():
    def fail(output, batch, heads):
        raise ZeroDivisionError("mine")

    with pytest.raises(ConformanceError) as caught:
        check_projector(wrapped(fail))
    found = caught.value.__cause__
    raised = found.exceptions if isinstance(found, BaseExceptionGroup) else (found,)
    assert {str(each) for each in raised} == {"mine"}
    assert all(isinstance(each, ZeroDivisionError) and each.__traceback__ for each in raised)


def test_it_must_survive_a_single_head():
    class Pair(Softmaxed):
        """Needs two heads."""

        def build(self, heads, context):
            if heads.count < 2:
                raise ValueError("too few heads")
            return super().build(heads, context)

    assert "- N = 1: form 'numpy', N = 1: build raised ValueError: too few heads" in broken(Pair())


def test_a_module_must_be_a_module():
    class Claims(Softmaxed):
        """Claims a form that it has not."""

        forms = ("module",)

    assert "- form: form 'module', N = 18: build returned function, which is not of that form" in broken(Claims())


def test_two_builds_with_one_seed_agree():
    class Unseeded(harness.Projector):
        """Draws from its own generator."""

        name = "unseeded"
        forms = ("numpy",)

        def build(self, heads, context):
            weights = np.random.default_rng().random((heads.width, heads.output_width), dtype="float32")
            return lambda batch: batch @ weights

    assert "- determinism: form 'numpy', N = 18: built twice with one seed it computes two functions" in broken(
        Unseeded()
    )


def test_the_reference_is_held_against_the_output():
    class Wrong(Softmaxed):
        """Declares another formula."""

        def reference(self, heads, queries):
            return np.zeros((len(queries), heads.output_width))

    assert "- reference: form 'numpy', N = 18: the output differs from the declared formula" in broken(Wrong())


def test_what_is_deployed_computes_the_same():
    class Shrunk(harness.Projector):
        """Ships something else."""

        name = "shrunk"

        def build(self, heads, context):
            return torch.nn.Linear(heads.width, heads.output_width)

        def deploy(self, trained):
            trained.bias.data += 1
            return trained

    assert "- deploy: form 'module', N = 18: what is deployed computes another function than what was built" in broken(
        Shrunk()
    )


def test_steps_ascend_and_lie_in_the_range():
    class Steps(Softmaxed):
        """Steps out of order."""

        def steps(self, low, high):
            return [64, 16, high]

    assert "- steps: steps(1, 4096) gave [64, 16, 4096]; they ascend and lie in [1, 4096)" in broken(Steps())


def test_a_class_is_not_an_offer():
    with pytest.raises(TypeError, match=r"check an instance, Softmaxed\(\), not the class"):
        check_projector(Softmaxed)


def test_it_can_be_tried_on_other_heads():
    class Narrow(Softmaxed):
        """Knows one width."""

        def build(self, heads, context):
            assert heads.width == 24, "the width must be 24"
            return super().build(heads, context)

    check_projector(Narrow(), heads=[sample_heads(3)])
    assert "AssertionError: the width must be 24" in broken(Narrow(), heads=[sample_heads(3, width=8)])


def test_a_module_that_branches_on_its_queries_is_told_with_the_line():
    class Branches(torch.nn.Module):
        def forward(self, queries):
            if queries.abs().max() > 1:
                return queries[:, :16] * 2
            return queries[:, :16] * 3

    class Branching(harness.Projector):
        """Branches."""

        name = "branching"

        def build(self, heads, context):
            return Branches()

    line = Branches.forward.__code__.co_firstlineno + 2
    where = "- no branches: form 'module', N = 18: forward does something else for queries times 10, from __getitem__"
    assert any(each.startswith(where) and f"{__file__}:{line})" in each for each in broken(Branching()).splitlines())


def test_nothing_but_zeros_is_no_answer():
    told = broken(wrapped(lambda output, batch, heads: output * 0)).splitlines()
    assert "- zeros: form 'numpy', N = 18: ordinary queries gave nothing but zeros" in told


def test_the_formula_holds_for_queries_of_other_lengths_too():
    class Declared(Softmaxed):
        """Its formula does not clip."""

        def build(self, heads, context):
            project = super().build(heads, context)
            return lambda batch: project(np.clip(batch, -1, 1))

        def reference(self, heads, queries):
            return Softmaxed.build(self, heads, None)(queries.astype(np.float64))

    told = broken(Declared()).splitlines()
    assert (
        "- reference: form 'numpy', N = 18: the output differs from the declared formula for queries times 10" in told
    )


def test_a_projection_that_remembers_answers_is_told():
    class Remembers(harness.Projector):
        """Keeps its answers."""

        name = "remembers"
        forms = ("numpy",)

        def build(self, heads, context):
            known = {}

            def project(queries):
                key = queries.tobytes()
                if key not in known:
                    for _ in range(300):  # so much work that it is told from noise
                        known[key] = np.tanh(queries @ heads.centroids.T) @ heads.answers
                return known[key]

            return project

    with pytest.raises(
        ConformanceError, match=r"off the clock.*it remembers answers: a call with queries that it has not"
    ):
        check_projector(Remembers())
