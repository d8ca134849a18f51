from __future__ import annotations

import numpy as np
import pytest

import harness
from harness_plugins.playbook import load_playbook
from harness_plugins.sources import DatabaseSource, PlaybookSource, split


@pytest.fixture
def context(tmp_path):
    return harness.SourceContext(folder=tmp_path, cache=tmp_path / "cache")


def database(**options):
    return DatabaseSource().with_options({"path": "moved here/lda.db", "projection": 1, **options})


def test_a_database_is_found_from_the_suites_folder(context, lda_database):
    _, heads, questions = lda_database
    source = database()
    assert source.limit(context) == 5
    data = source.load(None, context)
    np.testing.assert_allclose(data.heads.centroids, heads.centroids)
    assert data.heads.temperature == 0.1
    assert (len(data.train_queries), len(data.held_out_queries)) == (15, 5)
    together = np.concatenate([data.train_queries, data.held_out_queries])
    assert {tuple(row) for row in together} == {tuple(row) for row in questions.astype(np.float32)}
    assert data.provenance.kind == "real"
    assert data.provenance.description == "projection 1 ('cool') of lda.db, first 5 of 5 heads"
    assert "lda.db also holds 2 ('warm', T = 1.0, N = 5)" in data.provenance.notes[0]


def test_fewer_heads_are_the_first_ones_with_their_own_queries(context, lda_database):
    all_of_them, fewer = database().load(None, context), database().load(3, context)
    np.testing.assert_array_equal(fewer.heads.answers, all_of_them.heads.answers[:3])
    assert (len(fewer.train_queries), len(fewer.held_out_queries)) == (9, 3)
    for part in ("train_queries", "held_out_queries"):
        known = {tuple(row) for row in getattr(all_of_them, part)}
        assert {tuple(row) for row in getattr(fewer, part)} <= known
    assert fewer.provenance.digest != all_of_them.provenance.digest


def test_options_choose_projection_temperature_and_split(context, lda_database):
    assert database(projection="warm").load(None, context).heads.temperature == 1.0
    assert database(temperature=0.02).load(None, context).heads.temperature == 0.02
    splits = [database(split_seed=seed).load(None, context).held_out_queries for seed in (0, 0, 1)]
    np.testing.assert_array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0], splits[2])


def test_more_heads_than_there_are(context, lda_database):
    with pytest.raises(harness.DataError, match=r"6 heads are asked for, projection 1 .* has 5; ask for fewer, or use"):
        database().load(6, context)


def test_queries_come_from_a_file_of_their_own(context, make_heads, queries, tmp_path):
    heads = make_heads(3)
    np.savez(tmp_path / "heads.npz", centroids=heads.centroids, answers=heads.answers, temperature=0.2)
    source = DatabaseSource().with_options({"path": "heads.npz"})
    with pytest.raises(harness.DataError, match="there are no query embeddings to train on and to hold out; name a"):
        source.load(None, context)
    np.save(tmp_path / "q.npy", queries.astype(np.float64))
    data = source.with_options({"path": "heads.npz", "queries": "q.npy"}).load(2, context)
    assert (len(data.train_queries), len(data.held_out_queries), data.heads.count) == (32, 8, 2)
    np.save(tmp_path / "q.npy", queries[:, :9])
    with pytest.raises(harness.DataError, match=r"q.npy: queries have width 9, the centroids 32"):
        source.with_options({"path": "heads.npz", "queries": "q.npy"}).load(2, context)


def test_the_playbook_gives_its_first_topics(context):
    source = PlaybookSource()
    assert source.limit(context) >= 32
    data, playbook = source.load(18, context), load_playbook(18)
    np.testing.assert_array_equal(data.heads.centroids, playbook.centroids)
    np.testing.assert_array_equal(data.held_out_queries, playbook.held_out_queries)
    assert data.heads.temperature == 0.1
    assert source.with_options({"temperature": 1.0}).load(18, context).provenance.digest != data.provenance.digest


def test_more_topics_than_there_are(context):
    with pytest.raises(
        harness.DataError, match=r"not 5000; ask for fewer heads, or use the source `resampled` for more"
    ):
        PlaybookSource().load(5000, context)


def test_a_split_never_mixes_and_keeps_one_of_each():
    groups = np.array([0] * 10 + [1] * 2 + [2])
    held_out = split(groups, 0.2, 3)
    assert [int(held_out[groups == group].sum()) for group in range(3)] == [2, 1, 0]
    np.testing.assert_array_equal(split(groups[:12], 0.2, 3), held_out[:12])
