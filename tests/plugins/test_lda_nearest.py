"""Routing over the nearest heads alone: exact with all of them, close at a low temperature, the same every time."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import yaml

import harness
from harness.plan.check import check_suite
from harness.plugin import manager
from harness.suite import loading
from harness.testing import check_projector
from harness_plugins.lda import formula
from harness_plugins.lda_nearest import NearestProjector

INDICES = ["flat", "ivf", "hnsw"]
SUITE = {
    "name": "near",
    "source": {"use": "playbook", "options": {"temperature": 0.05}},
    "heads": {"values": [18]},
    "batch_sizes": [1],
    "contenders": {
        "exact": {"projector": "lda", "runtime": "python"},
        "near": {"projector": "lda-nearest", "runtime": "python"},
    },
}


@pytest.fixture(scope="module")
def heads():
    """Two thousand heads in two hundred groups, so that a query has some that are near."""
    generator = np.random.default_rng(0)
    groups = np.repeat(generator.standard_normal((200, 32)), 10, axis=0)
    centroids = (groups + 0.5 * generator.standard_normal((2000, 32))).astype(np.float32)
    answers = generator.standard_normal((2000, 24), dtype=np.float32)
    return harness.Heads(centroids=centroids, answers=answers, temperature=0.02)


@pytest.fixture(scope="module")
def asked(heads):
    generator = np.random.default_rng(1)
    return (heads.centroids[::20] + 0.3 * generator.standard_normal((100, 32))).astype(np.float32)


@pytest.fixture(scope="module")
def built(heads):
    pytest.importorskip("faiss")

    def build(heads=heads, threads=1, **options):
        context = harness.BuildContext(form="numpy", threads=threads)
        return NearestProjector().with_options(options).build(heads, context)

    return build


def first_answers(heads, projections):
    unit = heads.answers / np.linalg.norm(heads.answers, axis=1, keepdims=True)
    return (projections @ unit.T).argmax(axis=1)


@pytest.mark.parametrize("index", ["flat", "ivf"])
def test_with_every_head_it_is_the_formula(built, heads, asked, index):
    got = built(index=index, nearest=5000, probes=1000)(asked)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, formula(heads, asked), atol=1e-4)


@pytest.mark.parametrize("index", INDICES)
def test_a_few_heads_put_the_same_answer_first(built, heads, asked, index):
    wanted = first_answers(heads, formula(heads, asked))
    assert np.mean(first_answers(heads, built(index=index, nearest=32)(asked)) == wanted) >= 0.95


def test_the_nearest_head_alone_gives_its_answer(built, heads):
    got = built(index="flat", nearest=1)(3 * heads.centroids[:5])
    np.testing.assert_allclose(got, heads.answers[:5], atol=1e-6)


def test_lists_that_hold_fewer_heads_than_were_asked_for_share_the_weights_among_those(built, heads, asked):
    few, all_of_the_list = (built(index="ivf", nearest=n, probes=1)(asked) for n in (1000, 2000))
    assert np.isfinite(few).all()
    np.testing.assert_allclose(few, all_of_the_list, atol=1e-6)
    assert np.linalg.norm(few, axis=1).max() <= np.linalg.norm(heads.answers, axis=1).max() * (1 + 1e-5)


@pytest.mark.parametrize("index", INDICES)
def test_another_process_with_other_threads_builds_the_same(built, heads, asked, index):
    code = (
        "import hashlib, pickle, sys, harness\n"
        "from harness_plugins.lda_nearest import NearestProjector\n"
        "heads, asked = pickle.load(sys.stdin.buffer)\n"
        f"projector = NearestProjector().with_options({{'index': {index!r}, 'nearest': 32}})\n"
        "project = projector.build(heads, harness.BuildContext(form='numpy', threads=2))\n"
        "print(hashlib.sha256(project(asked).tobytes()).hexdigest())\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps((heads, asked)),
        capture_output=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    here = hashlib.sha256(built(index=index, nearest=32)(asked).tobytes()).hexdigest()
    assert there.stdout.decode().split() == [here]


def test_the_index_has_the_threads_of_its_contender(built):
    import faiss

    before = faiss.omp_get_max_threads()
    try:
        built(threads=2)
        assert faiss.omp_get_max_threads() == 2
        built(threads=1)
        assert faiss.omp_get_max_threads() == 1
    finally:
        faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("index", INDICES)
def test_every_index_keeps_the_rules(index):
    pytest.importorskip("faiss")
    check_projector(NearestProjector().with_options({"index": index, "nearest": 6}))


def test_costs_are_those_of_what_is_compared():
    flat, ivf, graph = (NearestProjector().with_options({"index": index, "nearest": 100}) for index in INDICES)
    assert flat.cost(10_000, 2, 8, 4).flops == 2 * 2 * (10_000 * 8 + 100 * 4)
    assert ivf.cost(10_000, 2, 8, 4).flops == 2 * 2 * ((100 + 1600) * 8 + 100 * 4)  # 16 of 100 lists of 100
    assert graph.cost(10_000, 2, 8, 4) is None


def check(suite):
    return check_suite(loading.load(None, text=yaml.safe_dump(suite)))


def test_without_faiss_a_suite_is_told_what_to_install(answered_here, monkeypatch):
    monkeypatch.setattr(manager, "_is_missing", lambda name: name == "faiss")
    with pytest.raises(harness.HarnessError) as caught:
        check(SUITE)
    told = str(caught.value)
    assert "the projector 'lda-nearest' needs faiss, which is not installed" in told
    assert "pip install 'crossover-harness[faiss]'" in told


def test_what_approximates_is_scored_without_being_asked(answered_here, monkeypatch):
    monkeypatch.setattr(manager, "_is_missing", lambda name: False)
    contenders = check(SUITE).suite.contenders
    assert contenders["near"].scored
    assert not contenders["exact"].scored


def test_what_approximates_one_formula_is_not_scored_against_another(answered_here, monkeypatch):
    monkeypatch.setattr(manager, "_is_missing", lambda name: False)
    near = {**SUITE["contenders"]["near"], "teacher": "linear"}
    with pytest.raises(harness.HarnessError, match="approximates lda, and its teacher computes linear"):
        check({**SUITE, "contenders": {**SUITE["contenders"], "near": near}})
