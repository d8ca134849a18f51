"""Which contenders are not worth another process: those that kill theirs, and never come to an answer."""

from __future__ import annotations

ENOUGH = 3


class Deaths:
    """How often the processes of each contender have died.

    One that has ever succeeded is always given another chance: that it fails at some N says nothing of the others.
    """

    def __init__(self) -> None:
        self._died: dict[str, int] = {}
        self._lived: set[str] = set()

    def died(self, contender: str) -> None:
        """One more."""
        self._died[contender] = self._died.get(contender, 0) + 1

    def lived(self, contender: str) -> None:
        """It came to an answer."""
        self._lived.add(contender)

    def hopeless(self, contender: str) -> bool:
        """It died often enough and never lived."""
        return contender not in self._lived and self._died.get(contender, 0) >= ENOUGH
