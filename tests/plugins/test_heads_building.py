"""From vectors to heads: splits, means, the temperature, and files that the source `database` reads alike."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pytest

import harness
from harness_plugins import clustering, database, heads_building, lda, retrieval
from harness_plugins.sources import DatabaseSource

WIDTH, TOPICS, EACH = 12, 5, 10


@pytest.fixture(scope="module")
def embedded():
    generator = np.random.default_rng(0)
    places = generator.standard_normal((TOPICS, WIDTH))
    owners = np.repeat(np.arange(TOPICS), EACH)
    vectors = (places[owners] + 0.4 * generator.standard_normal((TOPICS * EACH, WIDTH))).astype(np.float32)
    return heads_building.Embedded(
        questions=[f"question {row}" for row in range(len(owners))],
        vectors=vectors,
        topics=[f"topic {owner}" for owner in owners],
        answers=[f"answer {place}" for place in range(TOPICS)],
        answer_vectors=generator.standard_normal((TOPICS, WIDTH)).astype(np.float32),
        answer_of=owners,
    )


@pytest.fixture(scope="module")
def built(embedded):
    return heads_building.build(embedded)


def test_centroids_are_means_of_the_training_questions_alone(embedded, built):
    assert built.held_out.sum() == TOPICS * EACH // 5
    for head in range(TOPICS):
        own = (built.groups == head) & ~built.held_out
        np.testing.assert_allclose(built.heads.centroids[head], embedded.vectors[own].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(built.heads.answers, embedded.answer_vectors, atol=1e-6)
    assert built.names == [f"topic {place}" for place in range(TOPICS)]


def test_the_temperature_is_the_one_at_which_held_out_questions_find_their_answers(embedded, built):
    held, own = embedded.vectors[built.held_out], built.groups[built.held_out]
    answers = built.heads.answers / np.linalg.norm(built.heads.answers, axis=1, keepdims=True)
    ranks = {}
    for point in built.curve:
        heads = harness.Heads(
            centroids=built.heads.centroids, answers=built.heads.answers, temperature=point.temperature
        )
        scores = lda.formula(heads, held)
        scores = scores / np.linalg.norm(scores, axis=1, keepdims=True) @ answers.T
        rank = 1 + (scores > scores[np.arange(len(held)), own][:, None]).sum(axis=1)
        assert point.recall_at_1 == pytest.approx((rank == 1).mean())
        assert point.mrr == pytest.approx((1 / rank).mean())
        ranks[point.temperature] = (1 / rank).mean()
    assert built.chosen.mrr == pytest.approx(max(ranks.values()))
    equal = [each for each in built.curve if each.mrr == pytest.approx(built.chosen.mrr)]
    assert built.heads.temperature == max(each.temperature for each in equal if each.effective_heads <= TOPICS / 2)


def test_a_temperature_at_which_all_heads_weigh_alike_is_not_chosen_among_equals():
    points = [
        retrieval.Point(temperature=temperature, recall_at_1=1.0, mrr=mrr, effective_heads=effective)
        for temperature, mrr, effective in [(0.01, 0.9, 1.0), (0.05, 1.0, 1.4), (0.1, 1.0, 2.9), (1.0, 1.0, 5.9)]
    ]
    assert retrieval.best(points, 6).temperature == 0.1
    assert retrieval.best(points, 2).temperature == 0.05
    assert retrieval.best(points[3:], 6).temperature == 1.0


def test_a_temperature_that_is_given_is_kept_and_marked_in_the_curve(embedded):
    built = heads_building.build(embedded, temperature=0.42)
    assert built.heads.temperature == 0.42
    assert built.chosen.temperature == 0.42
    assert len(built.curve) == len(retrieval.TEMPERATURES) + 1


@pytest.mark.parametrize("name", ["heads.npz", "lda.db"])
def test_what_is_written_is_read_by_the_source_with_the_same_split(tmp_path, embedded, built, name):
    heads_building.heads_writing.write(tmp_path / name, embedded, built, "tiny")
    context = harness.SourceContext(folder=tmp_path, cache=tmp_path)
    data = DatabaseSource().with_options({"path": name}).load(None, context)
    np.testing.assert_array_equal(data.heads.centroids, built.heads.centroids)
    np.testing.assert_array_equal(data.heads.answers, built.heads.answers)
    assert data.heads.temperature == built.heads.temperature
    np.testing.assert_array_equal(data.held_out_queries, embedded.vectors[built.held_out])
    np.testing.assert_array_equal(data.train_queries, embedded.vectors[~built.held_out])
    np.testing.assert_array_equal(data.held_out_heads, built.groups[built.held_out])
    projected = lda.MultiHeadLDA(data.heads.centroids, data.heads.answers, data.heads.temperature).project(
        data.held_out_queries
    )
    np.testing.assert_allclose(projected, lda.formula(data.heads, data.held_out_queries), atol=1e-5)


def test_a_database_holds_the_texts_in_the_tables_of_the_original_system(tmp_path, embedded, built):
    heads_building.heads_writing.write(tmp_path / "lda.db", embedded, built, "tiny")
    with sqlite3.connect(tmp_path / "lda.db") as connection:
        rows = connection.execute(
            "SELECT q.text, c.name, a.text FROM questions q JOIN cluster_questions USING (question_id) "
            "JOIN qa_clusters c USING (cluster_id) JOIN cluster_answers USING (cluster_id) "
            "JOIN answers a USING (answer_id) WHERE q.question_id = 13"
        ).fetchall()
        assert rows == [("question 12", "topic 1", "answer 1")]
        (stored,) = connection.execute("SELECT temperature, recall_at_1, mrr FROM multi_head_projections").fetchall()
        assert stored == (built.chosen.temperature, built.chosen.recall_at_1, built.chosen.mrr)
        assert connection.execute("SELECT num_questions FROM cluster_heads").fetchall() == [(8,)] * TOPICS
    assert database.read(tmp_path / "lda.db").notes == ()


def test_without_answers_a_head_answers_with_its_centroid(embedded):
    bare = heads_building.Embedded(**{**vars(embedded), "answers": [], "answer_vectors": None, "answer_of": None})
    built = heads_building.build(bare)
    np.testing.assert_array_equal(built.heads.answers, built.heads.centroids)
    assert "no answers were given: a head answers with its centroid" in built.notes


def test_several_answers_of_a_topic_are_averaged(embedded):
    owners = np.array(embedded.answer_of)
    owners[0] = 4  # one question of topic 0 has the answer of topic 4
    built = heads_building.build(heads_building.Embedded(**{**vars(embedded), "answer_of": owners}))
    np.testing.assert_allclose(built.heads.answers[0], embedded.answer_vectors[[0, 4]].mean(axis=0), atol=1e-6)
    assert "topics with several answers: 1 of 5; the mean of their vectors is used" in built.notes


def test_clusters_find_the_topics_again(embedded):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: the extra [heads]")
    bare = heads_building.Embedded(**{**vars(embedded), "topics": None})
    for clusters in ((TOPICS, TOPICS), (2, 9)):
        built = heads_building.build(bare, clusters=clusters)
        np.testing.assert_array_equal(built.groups, embedded.answer_of)
        assert built.names[0] == "cluster 1"
    assert built.notes[0] == "topics: 5 clusters (k-means), the number with the best silhouette"


def test_more_clusters_than_questions_are_refused(embedded):
    with pytest.raises(
        harness.DataError, match="--clusters 50 needs more than 50 questions, and there are 50; give fewer"
    ):
        clustering.clustered(embedded.vectors, 50, 50, 0)


def test_topics_of_one_question_leave_nothing_to_choose_a_temperature_by(embedded):
    alone = {**vars(embedded), "topics": [f"topic {row}" for row in range(TOPICS * EACH)]}
    with pytest.raises(harness.DataError, match=r"no topic has two questions.*; give it with --temperature"):
        heads_building.build(heads_building.Embedded(**alone))
    assert heads_building.build(heads_building.Embedded(**alone), temperature=0.1).heads.count == 50


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("heads.txt", "heads are written as .npz or .db; give --output heads.npz"),
        ("there.npz", "it exists already; give another --output, or remove it"),
        ("lda.db", "the folder holds vectors already, and those of two databases must not mix; give an --output in a folder"),
    ],
)  # fmt: skip
def test_nothing_is_overwritten(tmp_path, name, sentence):
    (tmp_path / "there.npz").touch()
    (tmp_path / "embeddings").mkdir()
    (tmp_path / "embeddings" / "other.npy").touch()
    with pytest.raises(harness.DataError) as caught:
        heads_building.heads_writing.refuse(tmp_path / name)
    assert sentence in str(caught.value)


def test_the_command_prints_the_curve_and_what_to_type_next(tmp_path, embedded):
    work = tmp_path / "work"
    work.mkdir()
    np.save(work / "question-00000.npy", embedded.vectors[:30])
    np.save(work / "question-00001.npy", embedded.vectors[30:])
    np.save(work / "answer-00000.npy", embedded.answer_vectors)
    (work / "answers.json").write_text(json.dumps(embedded.answers))
    rows = zip(embedded.questions, embedded.topics, map(int, embedded.answer_of), strict=True)
    lines = [json.dumps({"question": question, "topic": topic, "answer": answer}) for question, topic, answer in rows]
    (work / "rows.jsonl").write_text("\n".join(lines) + "\n")
    output = tmp_path / "h.npz"
    told = heads_building.write(work, output, embedder="tiny")
    assert told[0] == "50 questions, D = 12, by the embedder tiny"
    assert told[1] == "5 topics with 10 to 10 questions each; 40 train the centroids, 10 are held out"
    assert sum("<- chosen" in line for line in told) == 1
    assert told[-1] == f"      harness distill --db {output} --embed-dim 12"
    with pytest.raises(harness.DataError) as refused:
        heads_building.write(work, output, embedder="tiny")
    assert str(refused.value) == f"{output}: it exists already; give another --output, or remove it"
