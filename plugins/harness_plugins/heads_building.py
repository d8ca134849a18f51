"""Heads from embedded texts, for `harness heads build`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import harness
from harness_plugins import heads_writing, retrieval
from harness_plugins.clustering import clustered
from harness_plugins.sources import split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_UNSPLIT = "no topic has two questions, so that none can be held out to choose the temperature"


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What was embedded."""

    questions: Sequence[str]
    vectors: NDArray[np.float32]  # [Q, D]
    topics: Sequence[str] | None  # [Q]
    answers: Sequence[str]
    answer_vectors: NDArray[np.float32] | None  # [A, K]
    answer_of: NDArray[np.int64] | None  # [Q]


@dataclass(frozen=True, kw_only=True)
class Built:
    """Heads, the questions of each, and how its temperature was chosen."""

    heads: harness.Heads
    names: Sequence[str]  # [N], of the topics
    groups: NDArray[np.int64]  # [Q], the head of each question
    held_out: NDArray[np.bool_]  # [Q]
    curve: Sequence[retrieval.Point]  # empty where nothing is held out
    chosen: retrieval.Point | None
    notes: Sequence[str]


def read(work: Path) -> Embedded:
    """What `harness heads build` left in its folder."""
    rows = [json.loads(line) for line in (work / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    answers = json.loads((work / "answers.json").read_text(encoding="utf-8"))
    parts = {
        role: [np.load(each, allow_pickle=False) for each in sorted(work.glob(f"{role}-*.npy"))]
        for role in ("question", "answer")
    }
    return Embedded(
        questions=[row["question"] for row in rows],
        vectors=np.concatenate(parts["question"]),
        topics=[row["topic"] for row in rows] if "topic" in rows[0] else None,
        answers=answers,
        answer_vectors=np.concatenate(parts["answer"]) if parts["answer"] else None,
        answer_of=np.array([row["answer"] for row in rows], dtype=np.int64) if "answer" in rows[0] else None,
    )


def write(
    work: Path,
    output: Path,
    *,
    embedder: str,
    clusters: tuple[int, int] | None = None,
    temperature: float | None = None,
    held_out: float = 0.2,
    seed: int = 0,
) -> list[str]:
    """What was built, in lines, of what was embedded into the folder `work`; the other arguments are those of `build`."""
    embedded = read(work)
    built = build(embedded, clusters=clusters, temperature=temperature, held_out=held_out, seed=seed)
    heads_writing.write(output, embedded, built, embedder)
    return report(built, output, embedder)


def build(
    embedded: Embedded,
    *,
    clusters: tuple[int, int] | None = None,
    temperature: float | None = None,
    held_out: float = 0.2,
    seed: int = 0,
) -> Built:
    """One head for each topic: its centroid is the mean of its training questions, its answer that of its answers.

    Args:
        embedded: the texts' vectors.
        clusters: fewest and most topics, where the texts name none.
        temperature: T; None chooses it by what held-out questions find.
        held_out: the share of each topic's questions that enters no centroid.
        seed: of the split and of the clustering.

    Raises:
        DataError: where no heads can be made of them.
    """
    notes: list[str] = []
    if embedded.topics is not None:
        order = {name: place for place, name in enumerate(dict.fromkeys(embedded.topics))}
        names, groups = list(order), np.array([order[each] for each in embedded.topics], dtype=np.int64)
    else:
        low, high = clusters or (2, max(2, min(64, len(embedded.questions) // 5)))
        groups, notes = clustered(embedded.vectors, low, high, seed)
        names = [f"cluster {place + 1}" for place in range(int(groups.max()) + 1)]
    apart = split(groups, held_out, seed)
    heads = harness.Heads(
        centroids=_means(embedded.vectors[~apart], groups[~apart], names),
        answers=np.zeros((len(names), 1), np.float32),
        temperature=1.0,
    )
    answers, notes_of_answers = _answers(embedded, groups, heads.centroids, names)
    heads, points, chosen = replace(heads, answers=answers), list[retrieval.Point](), None
    if apart.any():
        tried = retrieval.TEMPERATURES if temperature is None else sorted({*retrieval.TEMPERATURES, temperature})
        points = retrieval.curve(heads, embedded.vectors[apart], groups[apart], tried)
        chosen = retrieval.best(points, heads.count)
        if temperature is not None:
            chosen = next(each for each in points if each.temperature == temperature)
    elif temperature is None:
        raise harness.DataError(_UNSPLIT, next_step="give it with --temperature, or more questions for a topic")
    if embedded.topics is None:
        notes_of_answers.append(
            "the topics were made from the questions: the curve says how well T fits them, not how good they are"
        )
    return Built(
        heads=replace(heads, temperature=chosen.temperature if chosen else float(temperature or 1.0)),
        names=names,
        groups=groups,
        held_out=apart,
        curve=points,
        chosen=chosen,
        notes=(*notes, *notes_of_answers),
    )


def _means(vectors: NDArray[np.float32], groups: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.float32]:
    """The mean of each group [N, D], as the original system makes its centroids.

    Raises:
        DataError: where one is zero.
    """
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, groups, vectors.astype(np.float64))
    means = sums / np.bincount(groups, minlength=len(names))[:, None]
    lengths = np.linalg.norm(means, axis=1)
    if not lengths.all():
        raise harness.DataError(
            f"the questions of the topic {names[int(np.argmin(lengths))]!r} cancel out: their mean is zero",
            next_step="leave the topic out",
        )
    return means.astype(np.float32)


def _answers(
    embedded: Embedded, groups: NDArray[np.int64], centroids: NDArray[np.float32], names: Sequence[str]
) -> tuple[NDArray[np.float32], list[str]]:
    """The answer of each topic [N, K], the mean of the different ones where it has several; else its centroid."""
    if embedded.answer_vectors is None or embedded.answer_of is None:
        return centroids.copy(), ["no answers were given: a head answers with its centroid"]
    pairs = np.unique(np.stack([groups, embedded.answer_of], axis=1), axis=0)
    several = np.bincount(pairs[:, 0], minlength=len(names)) > 1
    notes_of_answers = [
        f"topics with several answers: {int(several.sum())} of {len(names)}; the mean of their vectors is used"
    ]
    return _means(embedded.answer_vectors[pairs[:, 1]], pairs[:, 0], names), notes_of_answers * bool(several.any())


def report(built: Built, written: Path, embedder: str) -> list[str]:
    """What was built, in words."""
    train, apart = int((~built.held_out).sum()), int(built.held_out.sum())
    sizes = np.bincount(built.groups)
    topics = f"{built.heads.count:,} topics with {sizes.min():,} to {sizes.max():,} questions each"
    lines = [
        f"{len(built.groups):,} questions, D = {built.heads.width}, by the embedder {embedder}",
        f"{topics}; {train:,} train the centroids, {apart:,} are held out",
        *built.notes,
    ]
    if built.curve:
        lines += ["", "     T  own answer first    MRR  effective heads"]
        for each in built.curve:
            mark = "  <- chosen" if each == built.chosen else ""
            lines.append(
                f"{each.temperature:>6g}  {each.recall_at_1:>16.3f}  {each.mrr:.3f}  {each.effective_heads:>15.1f}{mark}"
            )
        lines += ["", "measured on the held-out questions; MRR is the mean of 1 / rank of the own answer"]
    return [
        *lines,
        f"wrote {written}: N = {built.heads.count:,} heads, T = {built.heads.temperature:g}",
        f"next: harness heads show {written}",
        f"      harness distill --db {written}{'' if built.heads.width == 384 else f' --embed-dim {built.heads.width}'}",
    ]
