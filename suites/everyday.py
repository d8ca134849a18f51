"""Workloads of `everyday.yaml`: pairs of methods between which programs choose by a size, on inputs as programs have them."""

from __future__ import annotations

import bisect
import heapq
import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "runs", "away")


class Convolution(harness.Workload):
    """Two signals of n samples, convolved in full."""

    name = "convolution"

    def prepare(self, n: int, batch: int, seed: int) -> tuple[Any, Any]:  # noqa: ARG002 - a contract
        """Two signals of n normal samples."""
        generator = np.random.default_rng(seed)
        return generator.standard_normal(n), generator.standard_normal(n)

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """SciPy's two methods, and its own choice between them."""
        from scipy import signal

        return {
            "direct": lambda a, b: signal.convolve(a, b, method="direct"),
            "fft": lambda a, b: signal.convolve(a, b, method="fft"),
            "auto": lambda a, b: signal.convolve(a, b, method="auto"),  # by scipy.signal.choose_conv_method
        }


class Smallest(harness.Workload):
    """The n smallest of a list of numbers."""

    name = "smallest"

    class Options(harness.Options):
        """How long the list is."""

        length: int = 10_000

    def prepare(self, n: int, batch: int, seed: int) -> tuple[int, list[float]]:  # noqa: ARG002 - a contract
        """n, and the list."""
        return n, np.random.default_rng(seed).random(self.options.length).tolist()

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """A heap of n, or all in order."""
        return {"heap": heapq.nsmallest, "sorted": lambda n, numbers: sorted(numbers)[:n]}


class Membership(harness.Workload):
    """n look-ups of words in a list of them."""

    name = "membership"

    class Options(harness.Options):
        """How long the list is."""

        length: int = 1000

    def prepare(self, n: int, batch: int, seed: int) -> tuple[list[str], list[str]]:  # noqa: ARG002 - a contract
        """The list, and what is looked up: half of it is there."""
        generator = np.random.default_rng(seed)
        there = [f"{_WORDS[place % len(_WORDS)]}-{place}" for place in generator.permutation(self.options.length)]
        picked = generator.integers(0, 2 * self.options.length, n)
        return there, [f"{_WORDS[place % len(_WORDS)]}-{place}" for place in picked]

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """Through the list each time, or once into a set."""
        return {"list": _in_list, "set": _in_set}


def _in_list(there: list[str], asked: list[str]) -> int:
    return sum(word in there for word in asked)


def _in_set(there: list[str], asked: list[str]) -> int:
    known = set(there)
    return sum(word in known for word in asked)


class Place(harness.Workload):
    """The places of twenty numbers in n sorted ones."""

    name = "place"

    def prepare(self, n: int, batch: int, seed: int) -> tuple[list[float], list[float]]:  # noqa: ARG002 - a contract
        """The numbers, and some that may lie anywhere between them."""
        generator = np.random.default_rng(seed)
        return sorted(generator.random(n).tolist()), generator.random(20).tolist()

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """From the start, or by halves."""
        return {
            "scan": lambda numbers, asked: [_scanned(numbers, wanted) for wanted in asked],
            "bisect": lambda numbers, asked: [bisect.bisect_left(numbers, wanted) for wanted in asked],
        }


def _scanned(numbers: list[float], wanted: float) -> int:
    for place, number in enumerate(numbers):
        if number >= wanted:
            return place
    return len(numbers)


class SumOfSquares(harness.Workload):
    """The sum of n squares of numbers that lie in a list."""

    name = "sum-of-squares"

    def prepare(self, n: int, batch: int, seed: int) -> list[float]:  # noqa: ARG002 - a contract
        """A list: what NumPy takes to read it counts."""
        return np.random.default_rng(seed).random(n).tolist()

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """Python's own, or NumPy with the conversion."""
        return {"python": _by_python, "numpy": _by_numpy}


def _by_python(numbers: list[float]) -> float:
    return sum(number * number for number in numbers)


def _by_numpy(numbers: list[float]) -> float:
    array = np.array(numbers)
    return float(array @ array)


class Points:
    """Points of the plane, and a tree that was built of them; the tree is no part of what they are."""

    def __init__(self, points: Any) -> None:
        from scipy import spatial

        self.points, self.tree = points, spatial.KDTree(points)

    def __reduce__(self) -> tuple[type[Points], tuple[Any]]:
        return Points, (self.points,)


class Nearest(harness.Workload):
    """The nearest of n points of the plane to each of some others."""

    name = "nearest"

    class Options(harness.Options):
        """How many points ask."""

        queries: int = 300

    def prepare(self, n: int, batch: int, seed: int) -> tuple[Points, Any]:  # noqa: ARG002 - a contract
        """The points with a tree that was built before, and those that ask."""
        generator = np.random.default_rng(seed)
        return Points(generator.random((n, 2))), generator.random((self.options.queries, 2))

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """All distances, a tree that is there, or one that is built first."""
        from scipy import spatial

        return {
            "brute": lambda known, queries: spatial.distance.cdist(queries, known.points).argmin(axis=1),
            "tree": lambda known, queries: known.tree.query(queries)[1],
            "tree-built": lambda known, queries: spatial.KDTree(known.points).query(queries)[1],
        }


class Search(harness.Workload):
    """All places of a word in a text of n characters."""

    name = "search"

    def prepare(self, n: int, batch: int, seed: int) -> tuple[str, Any]:  # noqa: ARG002 - a contract
        """A text, and the pattern of a word, compiled."""
        generator = np.random.default_rng(seed)
        return " ".join(generator.choice(_WORDS, n // 3 + 1))[:n], re.compile("fox")

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """One pass of a regular expression, or the method of str from each place on."""
        return {"re": lambda text, pattern: [each.start() for each in pattern.finditer(text)], "find": _found}


def _found(text: str, pattern: Any) -> list[int]:
    word, places = pattern.pattern, []
    place = text.find(word)
    while place >= 0:
        places.append(place)
        place = text.find(word, place + len(word))
    return places


class Sorting(harness.Workload):
    """n numbers in order."""

    name = "sorting"

    def prepare(self, n: int, batch: int, seed: int) -> list[float]:  # noqa: ARG002 - a contract
        """A list in no order."""
        return np.random.default_rng(seed).random(n).tolist()

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """Insertion in Python, or the built-in."""
        return {"insertion": _inserted, "sorted": sorted}


def _inserted(numbers: list[float]) -> list[float]:
    found: list[float] = []
    for number in numbers:
        place = len(found)
        while place and found[place - 1] > number:
            place -= 1
        found.insert(place, number)
    return found


class Expression(harness.Workload):
    """A sum of four columns of n rows; pandas documents from how many rows on `eval` is worth its while."""

    name = "expression"
    requires: ClassVar[Mapping[str, str]] = {"pandas": "pandas>=2.2", "numexpr": "numexpr>=2.10"}

    def prepare(self, n: int, batch: int, seed: int) -> Any:  # noqa: ARG002 - a contract
        """A frame of four columns."""
        import pandas as pd

        return pd.DataFrame(np.random.default_rng(seed).standard_normal((n, 4)), columns=list("abcd"))

    def rivals(self) -> Mapping[str, Callable[..., Any]]:
        """Python's operators, or `DataFrame.eval` with numexpr."""
        return {
            "python": lambda frame: frame.a + frame.b + frame.c + frame.d,
            "eval": lambda frame: frame.eval("a + b + c + d"),
        }

    def equal(self, one: Any, other: Any) -> bool:
        """Within rounding."""
        return bool(np.allclose(one, other))


@harness.hookimpl
def harness_workloads() -> Sequence[harness.Workload]:
    """All of them."""
    return [
        Convolution(),
        Smallest(),
        Membership(),
        Place(),
        SumOfSquares(),
        Nearest(),
        Search(),
        Sorting(),
        Expression(),
    ]
