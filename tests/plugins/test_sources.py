from __future__ import annotations

import contextlib
import dataclasses
import sqlite3

import numpy as np
import pytest

import harness
from harness.testing import check_source
from harness_plugins.database import write_archive
from harness_plugins.playbook import load_playbook
from harness_plugins.resampled import ResampledSource
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


def overlap(data):
    together = harness.first_equal(np.concatenate([data.train_queries, data.held_out_queries]))
    return int((together[len(data.train_queries) :] < len(data.train_queries)).sum())


@pytest.mark.parametrize(
    "copy", [lambda rows: rows, lambda rows: rows.astype(np.float16).astype(np.float32)], ids=["exact", "float16"]
)
def test_rows_that_are_there_twice_count_once(context, tmp_path, make_heads, queries, copy):
    heads = make_heads(3)
    np.savez(tmp_path / "heads.npz", centroids=heads.centroids, answers=heads.answers, temperature=0.2)
    np.save(tmp_path / "q.npy", np.concatenate([queries, copy(queries)]))
    data = DatabaseSource().with_options({"path": "heads.npz", "queries": "q.npy"}).load(None, context)
    assert (len(data.train_queries), len(data.held_out_queries), overlap(data)) == (32, 8, 0)
    assert data.provenance.notes == ("40 of 80 queries repeat another one and were dropped: each vector counts once",)


def test_a_question_of_several_clusters_is_on_one_side(context, lda_database):
    path, *_ = lda_database
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:  # each in the next cluster, too
        for question in range(20):
            connection.execute("INSERT INTO cluster_questions VALUES (?, ?)", (10 + (question + 1) % 5, question))
    data = database().load(None, context)
    assert len(data.train_queries) + len(data.held_out_queries) == 20
    assert overlap(data) == 0
    assert "20 of 40 queries repeat another one and were dropped: each vector counts once" in data.provenance.notes
    fewer = database().load(3, context)
    known = {tuple(row) for row in data.held_out_queries}
    assert {tuple(row) for row in fewer.held_out_queries} <= known
    assert not {tuple(row) for row in fewer.train_queries} & known


def test_a_question_that_is_stored_twice_is_on_one_side(context, lda_database):
    path, _, questions = lda_database
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for question, vector in enumerate(questions, start=100):
            np.save(path.parent / "embeddings" / f"q{question}.npy", vector)
            stored = (question, question, f"embeddings/q{question}.npy")
            connection.execute("INSERT INTO embeddings VALUES (?, 1, 'question', ?, ?)", stored)
            connection.execute("INSERT INTO cluster_questions VALUES (?, ?)", (10 + question % 5, question))
    data = database().load(None, context)
    assert (len(data.train_queries), len(data.held_out_queries), overlap(data)) == (15, 5, 0)


def test_the_split_of_a_file_is_kept_and_its_copies_leave_the_training(context, tmp_path, make_heads, queries):
    heads = make_heads(3)
    np.savez(tmp_path / "heads.npz", centroids=heads.centroids, answers=heads.answers, temperature=0.2)
    np.savez(tmp_path / "q.npz", test=queries[:10], train=queries[5:])
    data = DatabaseSource().with_options({"path": "heads.npz", "queries": "q.npz"}).load(None, context)
    np.testing.assert_array_equal(np.sort(data.held_out_queries, axis=0), np.sort(queries[:10], axis=0))
    np.testing.assert_array_equal(np.sort(data.train_queries, axis=0), np.sort(queries[10:], axis=0))
    assert data.provenance.notes == (
        "the split is that of q.npz: train and test",
        "5 of 45 queries repeat another one and were dropped: each vector counts once",
    )


def test_copies_of_one_query_cannot_be_split(context, tmp_path, make_heads):
    heads = make_heads(3)
    np.savez(tmp_path / "heads.npz", centroids=heads.centroids, answers=heads.answers, temperature=0.2)
    np.save(tmp_path / "q.npy", np.ones((7, 32)))
    with pytest.raises(
        harness.DataError, match="no query embeddings to train on and to hold out: all of its 7 are one"
    ):
        DatabaseSource().with_options({"path": "heads.npz", "queries": "q.npy"}).load(None, context)


def test_a_digest_is_that_of_the_content(context, tmp_path, make_heads, queries):
    """Where it lies makes no difference, and whatever is trained on, held out or computed does."""
    heads = make_heads(3)

    def loaded(name="h.npz", heads=heads, **change):
        arrays = {"queries": queries, "query_heads": np.arange(40) % 3, **change}
        write(tmp_path / name, heads, arrays)
        return DatabaseSource().with_options({"path": name}).load(None, context).provenance.digest

    def write(path, heads, arrays):
        write_archive(path, heads)
        with np.load(path) as stored:
            np.savez(path, **stored, **arrays)

    ones = np.ones((24, 32), np.float32)
    digests = [
        loaded(),
        loaded(query_heads=np.arange(40) // 14),
        loaded(queries=queries + np.float32(0.01)),
        loaded(heads=make_heads(3, temperature=0.2)),
        loaded(heads=dataclasses.replace(heads, matrices={0: ones})),
        loaded(heads=dataclasses.replace(heads, matrices={1: ones})),
        loaded(heads=dataclasses.replace(heads, matrices={1: 2 * ones})),
    ]
    assert len(set(digests)) == len(digests)
    assert loaded("elsewhere.npz") == digests[0]


def test_resampled_heads_have_no_matrices(context, tmp_path, make_mapped, queries):
    write_archive(tmp_path / "h.npz", make_mapped(3, (0, 2)), queries)

    def load(name, options, heads):
        return DatabaseSource().with_options(options).load(heads, context)

    source = ResampledSource().with_options({"of": "database", "options": {"path": "h.npz"}})
    with pytest.raises(
        harness.DataError, match="2 of the 3 heads have matrices, which cannot be resampled; use the so"
    ):
        source.load(64, dataclasses.replace(context, load=load))


def test_a_database_keeps_the_rules_of_sources(lda_database):
    check_source(database(), folder=lda_database[0].parents[1], heads=5)
