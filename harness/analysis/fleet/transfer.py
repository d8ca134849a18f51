"""N* of a machine predicted from its measured limits and the other machines, and how wrong that is.

The limits of a machine and the stated costs give an N at which the floors of the two meet (`roofline.predicted`). N* lies above or
below it by a factor that the other machines give: the geometric mean of their N* over their floors' N. What is predicted for a
machine thus never uses its own N*. Beside it stands the error of taking the geometric mean of the others' N* alone: limits that do
not beat it say nothing about the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """The predictions for a race at a batch size; None where a machine has no limits, or no N*, or no other has both."""

    predicted: tuple[float | None, ...]  # N, in the order of the machines
    by_others: tuple[float | None, ...]  # the geometric mean of the other machines' N*
    error: float | None  # typical factor between predicted and measured: exp of the root mean square of the log-ratio
    error_by_others: float | None  # the same of `by_others`, over the same machines


def transfer(measured: Sequence[float | None], floors: Sequence[float | None]) -> Transfer:
    """Leaves one machine out after the other."""
    predicted: list[float | None] = []
    means: list[float | None] = []
    for place, floor in enumerate(floors):
        others = [
            (n, at) for index, (n, at) in enumerate(zip(measured, floors, strict=True)) if index != place and n and at
        ]
        known = [n for index, n in enumerate(measured) if index != place and n]
        means.append(_geometric(known) if known else None)
        predicted.append(floor * _geometric([n / at for n, at in others]) if floor and others else None)
    both = [
        (p, mean, n)
        for p, mean, n in zip(predicted, means, measured, strict=True)
        if p is not None and mean is not None and n
    ]
    return Transfer(
        predicted=tuple(predicted),
        by_others=tuple(means),
        error=_typical([p / n for p, _, n in both]) if both else None,
        error_by_others=_typical([mean / n for _, mean, n in both]) if both else None,
    )


def _geometric(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _typical(ratios: Sequence[float]) -> float:
    return math.exp(math.sqrt(sum(math.log(each) ** 2 for each in ratios) / len(ratios)))
