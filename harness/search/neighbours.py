"""N next to each other whose costs may differ: prime, smooth, and those whose double, less one, is either."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SHARE = 0.04  # of N, within which its neighbours lie
LEAST_REACH = 3  # N, where the share of a small one is less
FURTHEST = 3000  # N that are looked at on either side
ROUND_BITS = 5  # that a round number has at the most, where no smooth one is near
LARGEST_PRIME = 10**10  # beyond which no N is asked whether it is prime
_SMALL = (2, 3, 5, 7)


def neighbours(heads: int, low: int, high: int, *, plain: int = 0) -> list[int]:
    """Neighbours of an N within [low, high], ascending, each once: those whose costs differ most, where its factors matter."""
    reach = min(FURTHEST, max(LEAST_REACH, int(heads * SHARE)))
    first, last = max(low, heads - reach), min(high, heads + reach)
    found = {min(heads + more, last) for more in range(plain)}
    for wanted in (is_smooth, is_prime, lambda n: is_smooth(2 * n - 1), lambda n: is_prime(2 * n - 1)):
        if (near := _nearest(heads, first, last, wanted)) is not None:
            found.add(near)
    unit = 1 << max(0, heads.bit_length() - ROUND_BITS)
    if first <= (rounded := heads // unit * unit) <= last:
        found.add(rounded)
    return sorted(found)


def is_smooth(number: int) -> bool:
    """It has no prime factor above 7."""
    for factor in _SMALL:
        while number % factor == 0:
            number //= factor
    return number == 1


def is_prime(number: int) -> bool:
    """It has no factor but itself; asked of no number that takes long."""
    if number < 4:
        return number > 1
    if number > LARGEST_PRIME or number % 2 == 0:
        return False
    return all(number % factor for factor in range(3, int(number**0.5) + 1, 2))


def _nearest(heads: int, first: int, last: int, wanted: Callable[[int], bool]) -> int | None:
    for distance in range(max(heads - first, last - heads) + 1):
        for n in (heads - distance, heads + distance):
            if first <= n <= last and wanted(n):
                return n
    return None
