from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import harness
from harness.measure import fidelity
from harness.testing import check_projector
from harness_plugins.lda import formula
from harness_plugins.playbook import load_playbook
from harness_plugins.routed import RoutedProjector
from harness_plugins.students import IdentityProjector, LinearProjector


@pytest.fixture(scope="module")
def book():
    found = load_playbook(24)
    heads = harness.Heads(centroids=found.centroids, answers=found.answers, temperature=0.1)
    return heads, found.train_queries, found.held_out_queries


def scores(projector, book):
    heads, train, held = book
    context = harness.BuildContext(form="module", train_queries=train, teacher=partial(formula, heads))
    with torch.no_grad():
        outputs = projector.build(heads, context).eval()(torch.tensor(held)).numpy()
    return fidelity.score(outputs, formula(heads, held), heads.answers)


def test_it_keeps_the_rules():
    check_projector(RoutedProjector().with_options({"drawn": 200}))


def test_it_imitates_better_than_the_query_itself_and_a_linear_map_by_both_scores(book):
    routed = scores(RoutedProjector().with_options({"drawn": 2000}), book)
    for rival in (IdentityProjector(), LinearProjector()):
        found = scores(rival, book)
        assert routed["mean_cosine"] > found["mean_cosine"] + 0.01
        assert routed["top1_agreement"] >= found["top1_agreement"]


def test_it_has_half_as_many_places_as_heads_at_most_and_costs_the_same_from_there_on():
    routed = RoutedProjector()
    heads = harness.Heads(centroids=np.ones((5, 8), np.float32), answers=np.ones((5, 6), np.float32), temperature=0.1)
    built = routed.build(heads, harness.BuildContext(form="module", weights=False))
    assert built.places.shape == (2, 8)
    assert built.answers.shape == (2, 6)
    assert routed.cost(256, 1, 8, 6) == routed.cost(100_000, 1, 8, 6)
    assert routed.cost(256, 1, 8, 6).flops == 2 * (8 * 6 + 128 * (8 + 6))
