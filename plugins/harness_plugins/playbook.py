"""The playbook: an embedded, real data set of topics, questions and answers with their sentence embeddings.

Each topic is one head: its centroid is the mean of its train questions, and its answer is what the router should pick.
The embeddings lie beside this module in `playbook_data/playbook.npz`, so loading needs numpy alone: no model, no torch
and nothing of `harness` (`playbook_data/rebuild.py` imports this module where only the model is installed).
The text is read from `playbook_data/playbook.toml` only when somebody asks for it.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

DATA = Path(__file__).resolve().parent / "playbook_data"
"""The folder that holds the text, the embeddings and the script that makes one from the other."""

TEXT_FILE = DATA / "playbook.toml"
ARRAYS_FILE = DATA / "playbook.npz"

REBUILD_HINT = "run playbook_data/rebuild.py --write"

_Array = TypeVar("_Array", bound="NDArray[Any]")

_DIGESTED = ("answer_embeddings", "question_embeddings", "question_topics", "text_sha256", "topic_names")


@dataclass(frozen=True)
class Topic:
    """One topic of the text: a name, the answer and the questions that it answers."""

    name: str
    answer: str
    questions: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Playbook:
    """The first N topics of the playbook with their questions split into train and held-out, all arrays read-only.

    Embeddings are float32, of dimension D = 384 and unit length, as the model gives them.

    Attributes:
        centroids: [N, D]; row i is the mean of topic i's train questions, scaled back to unit length.
        answers: [N, D]; row i is the embedding of topic i's answer.
        train_queries: [Q1, D]; the train questions, grouped by topic in the fixed order.
        held_out_queries: [Q2, D]; the held-out questions, which no centroid has seen.
        train_topics: [Q1] int32; the topic of each train question, 0 to N - 1.
        held_out_topics: [Q2] int32; the topic of each held-out question, 0 to N - 1.
        train_rows: [Q1] int64; where in `questions` each train question stands.
        held_out_rows: [Q2] int64; where in `questions` each held-out question stands.
        topic_names: the N names in the fixed order.
        split_seed: the seed of the split.
        digest: SHA-256 (hex) of the whole stored data set, whatever N and the seed.
    """

    centroids: NDArray[np.float32]
    answers: NDArray[np.float32]
    train_queries: NDArray[np.float32]
    held_out_queries: NDArray[np.float32]
    train_topics: NDArray[np.int32]
    held_out_topics: NDArray[np.int32]
    train_rows: NDArray[np.int64]
    held_out_rows: NDArray[np.int64]
    topic_names: tuple[str, ...]
    split_seed: int
    digest: str

    @property
    def questions(self) -> tuple[str, ...]:
        """The Q1 + Q2 question texts of these topics, grouped by topic; read from the text file on first use.

        Raises:
            FileNotFoundError: The text file is missing.
            ValueError: The text is not the one that the stored embeddings were made from.
        """
        return tuple(question for topic in self._topics() for question in topic.questions)

    @property
    def answer_texts(self) -> tuple[str, ...]:
        """The N answer texts; read from the text file on first use.

        Raises:
            FileNotFoundError: The text file is missing.
            ValueError: The text is not the one that the stored embeddings were made from.
        """
        return tuple(topic.answer for topic in self._topics())

    def _topics(self) -> tuple[Topic, ...]:
        return _checked_text()[: len(self.topic_names)]


def load_playbook(heads: int | None = None, split_seed: int = 0) -> Playbook:
    """Load the playbook's first `heads` topics (all of them if None), split into train and held-out questions.

    A fifth of each topic's questions, rounded, is held out. Which ones depends on the seed and the topic alone, so the
    sets are nested: the questions, split and centroids of N heads are the first ones of any larger N.

    Args:
        heads: How many topics, N, at least 1.
        split_seed: Any integer; the same one gives the same split on every machine.

    Raises:
        ValueError: `heads` is below 1 or more than there are topics; the message says how many there are.
        FileNotFoundError: The stored embeddings are missing.
    """
    stored = _stored()
    names = tuple(str(name) for name in stored["topic_names"])
    count = len(names) if heads is None else heads
    if not 1 <= count <= len(names):
        raise ValueError(f"the playbook has {len(names)} topics, so it can fill 1 to {len(names)} heads, not {count}")

    topics: NDArray[np.int32] = stored["question_topics"]
    rows = np.flatnonzero(topics < count)
    sizes = np.bincount(topics[rows], minlength=count)
    held_out = np.concatenate([_held_out(name, int(sizes[i]), split_seed) for i, name in enumerate(names[:count])])
    train_rows, held_out_rows = rows[~held_out], rows[held_out]
    questions: NDArray[np.float32] = stored["question_embeddings"]
    train, train_topics = questions[train_rows], topics[train_rows]
    return Playbook(
        centroids=_locked(_centroids(train, train_topics, count)),
        answers=_locked(stored["answer_embeddings"][:count]),
        train_queries=_locked(train),
        held_out_queries=_locked(questions[held_out_rows]),
        train_topics=_locked(train_topics),
        held_out_topics=_locked(topics[held_out_rows]),
        train_rows=_locked(train_rows),
        held_out_rows=_locked(held_out_rows),
        topic_names=names[:count],
        split_seed=split_seed,
        digest=arrays_digest(stored),
    )


def read_text() -> tuple[Topic, ...]:
    """Read all topics from the text file, in the fixed order.

    Raises:
        FileNotFoundError: The text file is missing.
        tomllib.TOMLDecodeError: The text file is not TOML.
    """
    with TEXT_FILE.open("rb") as file:
        tables = tomllib.load(file)["topic"]
    return tuple(Topic(table["name"], table["answer"], tuple(table["questions"])) for table in tables)


def text_digest(topics: tuple[Topic, ...]) -> str:
    """Return the SHA-256 (hex) of the topics' names, answers and questions, whatever the file's layout or comments."""
    content = [[topic.name, topic.answer, list(topic.questions)] for topic in topics]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def arrays_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 (hex) of the stored arrays: the embeddings bit for bit, their topics and the text's digest.

    Raises:
        KeyError: One of the data set's arrays is missing.
    """
    digest = hashlib.sha256()
    for key in _DIGESTED:
        array = arrays[key]
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
        digest.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@cache
def _stored() -> dict[str, NDArray[Any]]:
    with np.load(ARRAYS_FILE, allow_pickle=False) as archive:
        return {key: _locked(archive[key]) for key in archive.files}


@cache
def _checked_text() -> tuple[Topic, ...]:
    topics = read_text()
    if text_digest(topics) != str(_stored()["text_sha256"]):
        raise ValueError(f"{TEXT_FILE.name} is not the text that {ARRAYS_FILE.name} was made from: {REBUILD_HINT}")
    return topics


def _held_out(name: str, size: int, seed: int) -> NDArray[np.bool_]:
    """Mark the held-out questions of one topic: those with the smallest hashes, which no library version can change."""
    order = sorted(range(size), key=lambda k: hashlib.sha256(f"{seed}\n{name}\n{k}".encode()).digest())
    marks = np.zeros(size, dtype=np.bool_)
    marks[order[: max(1, (size + 2) // 5)]] = True
    return marks


def _centroids(questions: NDArray[np.float32], topics: NDArray[np.int32], count: int) -> NDArray[np.float32]:
    means = np.stack([questions[topics == i].mean(axis=0, dtype=np.float64) for i in range(count)])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


def _locked(array: _Array) -> _Array:
    array.setflags(write=False)
    return array
