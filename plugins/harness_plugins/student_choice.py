"""Which student of a distillation is worth having, by the score that the user cares for, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

SCORES = ("cosine", "top1", "recall")
TRIVIAL = ("constant", "identity", "linear")  # what every other student should beat
UNTRAINED = (*TRIVIAL, "routed")  # what is fitted in closed form

_NAMES = {"cosine": "mean cosine", "top1": "top-1 agreement", "recall": "recall@10"}
_KEYS = {
    "cosine": ("mean_cosine",),
    "top1": ("top1_agreement",),
    "recall": ("recall_at_10", "recall_at_5", "recall_at_1"),
}
_NEARLY_ALL = 0.9  # share of the heads from which on a teacher's weights are all alike


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The best of the students, and what to say about it."""

    best: str  # empty where none was scored
    lines: tuple[str, ...]


def choose(fidelity: Sequence[Any], score: str, command: str, *, saved: bool = False) -> Choice:
    """The student with the highest score on the held-out queries, its means over seeds.

    Args:
        fidelity: the records of `fidelity.jsonl`, of one N and temperature.
        score: `cosine`, `top1` or `recall`.
        command: what was typed, without `--student`, `--save` and `--score`, for the next one.
        saved: whether the best one is saved at once, so that no command for that follows.
    """
    good = [each for each in fidelity if each.failure is None]
    key, name = _key(good, score)
    values = {
        each: float(np.mean([record.scores[key] for record in good if record.contender == each]))
        for each in dict.fromkeys(record.contender for record in good if key in record.scores)
    }
    if not values:
        return Choice(best="", lines=("no student could be scored",))
    order = sorted(values, key=lambda each: -values[each])
    best, queries = order[0], good[0].queries
    lines = [
        f"by {name} on {queries} held-out {'query' if queries == 1 else 'queries'}, against the teacher: "
        + ", ".join(f"{each} {values[each]:.4f}" for each in order)
    ]
    lines += _reason(good, key, values, order, "" if saved and order[0] != "constant" else command)
    lines += _otherwise(good, best, score)
    return Choice(best=best, lines=tuple(lines))


def _reason(
    good: Sequence[Any], key: str, values: Mapping[str, float], order: Sequence[str], command: str
) -> Iterator[str]:
    best = order[0]
    trained = [each for each in order if each not in TRIVIAL]
    if best == "constant":
        shared, heads = good[0].effective_heads, good[0].heads
        alike = f" (effective heads {shared:.1f} of {heads})" if shared and shared > _NEARLY_ALL * heads else ""
        yield (
            f"no student is better than a constant: at T = {good[0].temperature:g} the teacher's output hardly depends "
            f"on the query{alike}, so there is nothing to distil"
        )
        yield f"next: {_at_lower_temperature(command, good[0].temperature)}"
        return
    if best in TRIVIAL:
        what = "the query itself" if best == "identity" else "a linear map, fitted in closed form"
        yield f"the best is {best}, {what}: " + (
            f"no other student ({', '.join(trained)}) is better" if trained else "no other student was asked for"
        )
    else:
        trivial = [each for each in order if each in TRIVIAL]
        beaten = f"; the best of the trivial ones, {trivial[0]}, has {values[trivial[0]]:.4f}" if trivial else ""
        yield f"the best is {best}{beaten}"
    if len(order) > 1 and (good[0].queries < 2 or not _is_distinguishable(good, key, best, order[1])):
        yield f"the lead over {order[1]} is within what so few held-out queries can show"
    if command:
        yield f"next: {command} --student {best} --save {best}.safetensors"


def _at_lower_temperature(command: str, temperature: float) -> str:
    words = command.split(" --temperature ")
    rest = words[1].partition(" ")[2] if len(words) > 1 else ""
    return f"{words[0]}{f' {rest}' if rest else ''} --temperature {temperature / 10:g}"


def _otherwise(good: Sequence[Any], best: str, score: str) -> Iterator[str]:
    """Who leads by the other scores, where that is somebody else."""
    for other in SCORES:
        key, name = _key(good, other)
        found = {record.contender for record in good if key in record.scores}
        if other == score or not found or key == _key(good, score)[0]:
            continue
        means = {
            each: float(np.mean([record.scores[key] for record in good if record.contender == each])) for each in found
        }
        first = max(means, key=lambda each: means[each])
        if first != best and best in means and means[first] > means[best]:
            yield f"by {name} {first} leads, {means[first]:.4f} against {means[best]:.4f}: choose by it with --score {other}"


def _key(good: Sequence[Any], score: str) -> tuple[str, str]:
    """The score's name in the records, and in words; few heads have no recall@10."""
    known = {name for record in good for name in record.scores}
    key = next((each for each in _KEYS[score] if each in known), _KEYS[score][0])
    return key, f"recall@{key.rpartition('_')[2]}" if score == "recall" else _NAMES[score]


def _is_distinguishable(good: Sequence[Any], key: str, one: str, other: str) -> bool:
    """Whether two students differ by more than the queries' own spread, query by query; unknown counts as apart."""
    first, second = (_per_query(good, key, each) for each in (one, other))
    if first is None or second is None or len(first) != len(second):
        return True
    difference = first - second
    half = NormalDist().inv_cdf(0.975) * float(difference.std(ddof=1)) / len(difference) ** 0.5
    return bool(abs(float(difference.mean())) > half)


def _per_query(good: Sequence[Any], key: str, name: str) -> NDArray[np.float64] | None:
    """Of each held-out query, the mean over seeds; None where it was not kept."""
    kept = [record.per_query.get(key, ()) for record in good if record.contender == name]
    if not kept or min(map(len, kept)) < 2:
        return None
    mean: NDArray[np.float64] = np.mean(kept, axis=0)
    return mean
