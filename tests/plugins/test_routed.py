from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import harness
from harness.measure import fidelity
from harness.testing import check_projector
from harness_plugins import distill_suite as distill
from harness_plugins.lda import MultiHeadLDA, formula
from harness_plugins.recipe import RecipeTrainer
from harness_plugins.resampled import ResampledSource
from harness_plugins.routed import RoutedProjector
from harness_plugins.sources import PlaybookSource
from harness_plugins.students import IdentityProjector, LinearProjector

TEMPERATURE = 0.1


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """128 heads that are resampled from the playbook."""
    folder = tmp_path_factory.mktemp("resampled")
    playbook = PlaybookSource().with_options({"temperature": TEMPERATURE})
    context = harness.SourceContext(
        folder=folder,
        cache=folder,
        load=lambda *asked: playbook.load(asked[2], harness.SourceContext(folder=folder, cache=folder)),
    )
    return ResampledSource().with_options({"temperature": TEMPERATURE, "train_queries": 1024}).load(128, context)


def built(projector, data):
    context = harness.BuildContext(
        form="module", train_queries=data.train_queries, teacher=partial(formula, data.heads)
    )
    return projector.build(data.heads, context).eval()


def scores(student, data):
    with torch.no_grad():
        outputs = student(torch.tensor(data.held_out_queries)).numpy()
    return fidelity.score(outputs, formula(data.heads, data.held_out_queries), data.heads.answers)


def test_it_keeps_the_rules():
    check_projector(RoutedProjector().with_options({"drawn": 200}))


def test_ranked_it_beats_the_query_itself_and_a_linear_map_by_cosine_and_by_top_1(data):
    student = built(RoutedProjector().with_options({"drawn": 1024}), data)
    fitted = scores(student, data)
    trainer = RecipeTrainer().with_options({**distill.RANKED, "steps": 150})
    teacher = MultiHeadLDA(data.heads.centroids, data.heads.answers, TEMPERATURE)
    context = harness.TrainContext(answers=data.heads.answers)
    trainer.fit(student, teacher, torch.tensor(data.train_queries), context)
    ranked = scores(student.eval(), data)
    assert ranked["top1_agreement"] > fitted["top1_agreement"] + 0.02
    for rival in (IdentityProjector(), LinearProjector()):
        found = scores(built(rival, data), data)
        assert ranked["mean_cosine"] > found["mean_cosine"] + 0.01
        assert ranked["top1_agreement"] > found["top1_agreement"] + 0.02


def test_a_ranking_needs_the_answers(data):
    trainer = RecipeTrainer().with_options({"ranking": 0.5})
    student = built(RoutedProjector().with_options({"drawn": 0}), data)
    with pytest.raises(harness.TrainingError, match="ranking needs the answers of the heads, and there are none; set"):
        trainer.fit(student, partial(_teach, data), torch.tensor(data.train_queries), harness.TrainContext())


def _teach(data, queries):
    return torch.from_numpy(formula(data.heads, queries.numpy()).astype(np.float32))


def test_it_has_half_as_many_places_as_heads_at_most_and_costs_the_same_from_there_on():
    routed = RoutedProjector()
    heads = harness.Heads(centroids=np.ones((5, 8), np.float32), answers=np.ones((5, 6), np.float32), temperature=0.1)
    built = routed.build(heads, harness.BuildContext(form="module", weights=False))
    assert built.places.shape == (2, 8)
    assert built.answers.shape == (2, 6)
    assert routed.cost(256, 1, 8, 6) == routed.cost(100_000, 1, 8, 6)
    assert routed.cost(256, 1, 8, 6).flops == 2 * (8 * 6 + 128 * (8 + 6))
