from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import harness
from harness_plugins.lda import formula
from harness_plugins.playbook import load_playbook
from harness_plugins.students import (
    ConstantProjector,
    IdentityProjector,
    LinearProjector,
    MLPProjector,
    fit_targets,
)
from harness_plugins.transformer import TransformerProjector


def built(projector, heads, form, queries=None, weights=True):
    teacher = partial(formula, heads)
    context = harness.BuildContext(form=form, train_queries=queries, weights=weights, teacher=teacher)
    return projector.build(heads, context)


def both(projector, heads, queries, asked):
    """What the two forms say, which must be the same."""
    with torch.no_grad():
        module = built(projector, heads, "module", queries)(torch.tensor(asked)).numpy()
    plain = built(projector, heads, "numpy", queries)(asked)
    np.testing.assert_allclose(module, plain, atol=1e-5)
    return plain


def cosine(outputs, targets):
    lengths = np.linalg.norm(outputs, axis=1) * np.linalg.norm(targets, axis=1)
    return float(((outputs * targets).sum(axis=1) / lengths).mean())


@pytest.fixture(scope="module")
def playbook():
    data = load_playbook(18)

    def heads(temperature):
        return harness.Heads(centroids=data.centroids, answers=data.answers, temperature=temperature)

    return heads, data.train_queries, data.held_out_queries


def test_the_constant_is_the_mean_of_the_teacher(make_heads, queries):
    heads = make_heads(7)
    got = both(ConstantProjector(), heads, queries, queries[:3])
    np.testing.assert_allclose(got, np.tile(formula(heads, queries).mean(axis=0), (3, 1)), atol=1e-5)


def test_the_identity_is_the_query(make_heads, queries):
    got = both(IdentityProjector(), make_heads(7, output_width=32), queries, queries[:3])
    np.testing.assert_array_equal(got, queries[:3])
    with pytest.raises(harness.ContenderError, match="identity: queries of width 32 are no projections of width 24"):
        built(IdentityProjector(), make_heads(7), "numpy")


def test_at_a_high_temperature_a_constant_is_as_good_as_the_documented_expectation(playbook):
    heads, train, held_out = playbook
    outputs = both(ConstantProjector(), heads(1.0), train, held_out)
    assert cosine(outputs, formula(heads(1.0), held_out)) > 0.99


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.05])
def test_the_linear_student_imitates_better_than_a_constant(playbook, temperature):
    heads, train, held_out = playbook
    wanted = formula(heads(temperature), held_out)
    linear = cosine(both(LinearProjector(), heads(temperature), train, held_out), wanted)
    constant = cosine(both(ConstantProjector(), heads(temperature), train, held_out), wanted)
    assert 1 - linear < 0.2 * (1 - constant)


@pytest.mark.parametrize("projector", [ConstantProjector(), LinearProjector(), MLPProjector()])
def test_without_queries_or_weights_the_shapes_are_right(projector, make_heads, queries):
    heads = make_heads(5)
    full = built(projector, heads, "module", queries)
    for empty in (built(projector, heads, "module"), built(projector, heads, "module", queries, weights=False)):
        assert {k: v.shape for k, v in empty.state_dict().items()} == {k: v.shape for k, v in full.state_dict().items()}
        empty.load_state_dict(full.state_dict())
        assert empty(torch.from_numpy(queries)).shape == (40, 24)


def test_the_mlp_is_as_large_as_the_documented_student(make_heads):
    for count in (18, 64, 256):
        heads = make_heads(count, width=384, output_width=384)
        sizes = [
            sum(p.numel() for p in projector.build(heads, harness.BuildContext(form="module")).parameters())
            for projector in (MLPProjector(), TransformerProjector())
        ]
        assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)
    assert MLPProjector().variant(18) == 2
    assert list(MLPProjector().steps(1, 50)) == list(TransformerProjector().steps(1, 50))


def test_fits_to_very_many_heads_take_evenly_spaced_queries(make_heads, queries, monkeypatch):
    from harness_plugins import students

    heads = make_heads(20)
    monkeypatch.setattr(students, "_FIT_ROWS", 4)
    monkeypatch.setattr(students, "_FIT_OPERATIONS", 10 * 2 * 20 * 56)
    teacher = partial(formula, heads)
    context = harness.BuildContext(form="numpy", train_queries=queries, teacher=teacher)
    chosen, targets = fit_targets(heads, context)
    assert chosen.shape == (10, 32)
    np.testing.assert_array_equal(chosen[[0, -1]], queries[[0, -1]])
    np.testing.assert_allclose(targets, formula(heads, chosen), atol=1e-5)


def test_costs_do_not_grow_with_the_heads():
    for projector in (ConstantProjector(), IdentityProjector(), LinearProjector()):
        assert projector.cost(18, 32, 384, 384) == projector.cost(10**6, 32, 384, 384)
    assert LinearProjector().cost(18, 32, 384, 384).flops == 2 * 32 * 384 * 384
    assert LinearProjector().variant(18) != LinearProjector().variant(19)  # it is fitted to these very heads
