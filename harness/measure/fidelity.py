"""How well a student does its teacher's job: pure NumPy over the two outputs for the same held-out queries.

A mean cosine alone says little: at a high temperature a teacher's output hardly depends on the query, and a constant
comes close to it. So every cosine is read beside a skill score, as in forecast verification (Murphy 1988, Monthly
Weather Review 116: skill against a reference forecast), beside the error of the norm, and beside what a user of the
projection wants: does it still rank the same answers first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import ContenderError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = NDArray[np.floating[Any]]

_RESAMPLES = 1000  # of the bootstrap; the ends of a 95 % interval are its 25th values
_BLOCK = 256  # queries whose [block, N] similarities are in memory at once
PAIRED = ("mean_cosine", "top1_agreement")  # scores that are kept for each query, so that two runs can be paired
_MOST_KEPT = 2000  # queries up to which they are kept: some 30 kB of a record
_TINY = 1e-12  # below this the constant is the teacher, and a skill against it has no meaning


@dataclass(frozen=True)
class Scores:
    """Scores by name, the bootstrap intervals of those that have one, and what two runs are paired by."""

    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    queries: int
    per_query: Mapping[str, tuple[float, ...]]  # of `PAIRED`, in the queries' order; empty where there are too many


def score(
    student: Array,
    teacher: Array,
    answers: Array,
    constant: Array | None = None,
    *,
    recall_at: Sequence[int] = (1, 5, 10),
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, float]:
    """The scores of `measure` without their intervals."""
    return dict(
        measure(student, teacher, answers, constant, recall_at=recall_at, confidence=confidence, seed=seed).scores
    )


def measure(
    student: Array,
    teacher: Array,
    answers: Array,
    constant: Array | None = None,
    *,
    recall_at: Sequence[int] = (1, 5, 10),
    confidence: float = 0.95,
    seed: int = 0,
) -> Scores:
    """A student's outputs against its teacher's, for the same held-out queries.

    Args:
        student: what the student answers [Q, K].
        teacher: what the teacher answers [Q, K].
        answers: the answers of the heads [N, K]; a projection ranks them by cosine.
        constant: the mean teacher output over the *training* queries [K], for the skill score; None leaves it out.
        recall_at: the k of recall@k; a k that is not smaller than N is left out, since it could not be missed.
        confidence: of the bootstrap intervals over queries.
        seed: of the bootstrap.

    Returns:
        `mean_cosine`, `min_cosine`, `max_cosine`, `std_cosine`, `norm_error` (mean of |‖student‖ - ‖teacher‖| over
        ‖teacher‖),
        `norm_ratio` (geometric mean of ‖student‖ / ‖teacher‖), `mse`, `top1_agreement` and `recall_at_<k>` in [0, 1];
        with a `constant` also `constant_cosine` and `skill` = 1 - (1 - cosine) / (1 - cosine of the constant).
        Mean scores carry an interval; extremes do not, since resampling cannot see beyond them. A single query has no
        interval and no `std_cosine`.

    Raises:
        DataError: where the shapes do not fit, there are no queries, or the teacher's output is unusable.
        ContenderError: where the student's output is not finite.
    """
    student, teacher, answers = _checked(student, teacher, answers)
    own_norm, norm = np.linalg.norm(student, axis=1), np.linalg.norm(teacher, axis=1)
    dots = np.einsum("qk,qk->q", student, teacher)
    cosine = np.clip(np.divide(dots, own_norm * norm, out=np.zeros_like(dots), where=own_norm > 0), -1.0, 1.0)
    series = {  # per query [Q]; their means are the scores, so that one bootstrap serves all of them
        "mean_cosine": cosine,
        "squared_cosine": cosine**2,
        "norm_error": np.abs(own_norm - norm) / norm,
        "log_norm": np.log(np.maximum(own_norm, np.finfo(np.float64).tiny) / norm),
        "mse": ((student - teacher) ** 2).mean(axis=1),
    }
    if constant is not None:
        series["constant_cosine"] = _cosine_to(np.asarray(constant, dtype=np.float64).reshape(-1), teacher, norm)
    series |= _rankings(student, teacher, answers, recall_at)

    names, matrix = list(series), np.stack(list(series.values()), axis=1)  # [Q, S]
    means = _derived(dict(zip(names, matrix.mean(axis=0), strict=True)))
    queries = matrix.shape[0]
    scores = {name: float(value) for name, value in means.items()}
    scores |= {"min_cosine": float(cosine.min()), "max_cosine": float(cosine.max())}
    if queries == 1:  # it has neither a spread nor an interval
        scores.pop("std_cosine")
        return Scores({name: value for name, value in scores.items() if np.isfinite(value)}, {}, queries, {})
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(queries, np.full(queries, 1.0 / queries), size=_RESAMPLES) / queries  # [R, Q]
    resampled = _derived(dict(zip(names, (weights @ matrix).T, strict=True)))
    tails = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
    intervals = {
        name: (float(low), float(high))
        for name, values in resampled.items()
        for low, high in [np.quantile(values, tails)]
        if np.isfinite([low, high]).all()
    }
    return Scores(
        scores={name: value for name, value in scores.items() if np.isfinite(value)},
        intervals=intervals,
        queries=queries,
        per_query={
            name: _rounded_to_store(series[name]) for name in PAIRED if name in series and queries <= _MOST_KEPT
        },
    )


def weights(queries: Array, centroids: Array, temperature: float) -> NDArray[np.float64]:
    """softmax(cosine / T) of each query over the heads, in float64: [Q, D], [N, D] -> [Q, N]."""
    rows = np.asarray(queries, dtype=np.float64)
    heads = np.asarray(centroids, dtype=np.float64)
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    heads = heads / np.maximum(np.linalg.norm(heads, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    logits = rows @ heads.T / temperature
    logits -= logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits)
    shares: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def effective_heads(weights: Array) -> float:
    """The mean perplexity exp(-Σ w log w) of routing weights [Q, N]: between 1 (one head decides) and N (all alike)."""
    shares = np.asarray(weights, dtype=np.float64)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return float(np.exp(-(shares * logs).sum(axis=1)).mean())


def _checked(student: Array, teacher: Array, answers: Array) -> tuple[Array, Array, Array]:
    """The three as float64 [Q, K], [Q, K], [N, K], or a sentence about why not."""
    student, teacher, answers = (np.asarray(each, dtype=np.float64) for each in (student, teacher, answers))
    if teacher.ndim != 2 or student.shape != teacher.shape:
        raise DataError(
            f"the student's outputs have shape {student.shape} and the teacher's {teacher.shape}, not both [Q, K]"
        )
    if answers.ndim != 2 or answers.shape[1] != teacher.shape[1]:
        raise DataError(f"the answers have shape {answers.shape}, not [N, {teacher.shape[1]}]")
    if teacher.shape[0] == 0:
        raise DataError("there are no held-out queries to score on", next_step="keep some queries out of training")
    if not np.isfinite(teacher).all() or not np.linalg.norm(teacher, axis=1).all():
        raise DataError("the teacher's output is zero or not finite for some held-out queries")
    bad = int((~np.isfinite(student).all(axis=1)).sum())
    if bad:
        raise ContenderError(f"the student's output is not finite for {bad:,} of {student.shape[0]:,} held-out queries")
    return student, teacher, answers


def _rounded_to_store(values: Array) -> tuple[float, ...]:
    """Rounded to a millionth, a hundredth of which nobody could call a difference."""
    return tuple(round(float(value), 6) for value in values)


def _cosine_to(vector: Array, rows: Array, norms: Array) -> Array:
    """The cosine of one vector [K] to each row [Q, K]; 0 for a zero vector."""
    length = float(np.linalg.norm(vector))
    if vector.shape[0] != rows.shape[1]:
        raise DataError(f"the constant has {vector.shape[0]} values, not {rows.shape[1]}")
    cosines: Array = np.clip(rows @ vector / (norms * length), -1.0, 1.0) if length else np.zeros(rows.shape[0])
    return cosines


def _derived(means: dict[str, Any]) -> dict[str, Any]:
    """The scores that are functions of means, for numbers and for arrays of resampled means alike."""
    squared, cosine = means.pop("squared_cosine"), means["mean_cosine"]
    means["std_cosine"] = np.sqrt(np.maximum(squared - cosine**2, 0.0))
    means["norm_ratio"] = np.exp(means.pop("log_norm"))
    if "constant_cosine" in means:
        left = np.asarray(1.0 - means["constant_cosine"])
        means["skill"] = np.where(left > _TINY, 1.0 - (1.0 - cosine) / np.maximum(left, _TINY), np.nan)
    return means


def _rankings(student: Array, teacher: Array, answers: Array, recall_at: Sequence[int]) -> dict[str, Array]:
    """Per query: is the first answer the same, and how much of the first k is."""
    heads = answers.shape[0]
    if heads < 2:
        return {}
    unit = answers / np.maximum(np.linalg.norm(answers, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    cuts = sorted({k for k in recall_at if 1 <= k < heads})
    columns: dict[str, list[Array]] = {"top1_agreement": [], **{f"recall_at_{k}": [] for k in cuts}}
    for start in range(0, student.shape[0], _BLOCK):
        ours, theirs = student[start : start + _BLOCK] @ unit.T, teacher[start : start + _BLOCK] @ unit.T  # [b, N]
        columns["top1_agreement"].append((ours.argmax(axis=1) == theirs.argmax(axis=1)).astype(np.float64))
        for k in cuts:
            columns[f"recall_at_{k}"].append(_overlap(_first(ours, k), _first(theirs, k)))
    return {name: np.concatenate(blocks) for name, blocks in columns.items()}


def _first(similarities: Array, k: int) -> NDArray[np.intp]:
    """The k largest of each row, in any order: [b, N] -> [b, k]."""
    return np.argpartition(-similarities, k - 1, axis=1)[:, :k]


def _overlap(ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> Array:
    """The share of each row of `ours` that is in the same row of `theirs`: [b, k], [b, k] -> [b]."""
    both = np.sort(np.concatenate([ours, theirs], axis=1), axis=1)  # a value that is in both stands beside itself
    shares: Array = (both[:, 1:] == both[:, :-1]).sum(axis=1) / ours.shape[1]
    return shares
