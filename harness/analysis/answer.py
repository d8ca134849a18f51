"""The answer of a race between two functions: where one overtakes the other, which knows their names and says it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from harness.search.result import Location
from harness.search.wording import of_functions, remarks, sentence

if TYPE_CHECKING:
    from harness.records.crossovers import SearchRecord


@dataclass(frozen=True, repr=False)
class RaceAnswer(Location):
    """A `Location` that prints as a sentence."""

    baseline: str = ""
    challenger: str = ""
    batch: int = 1

    @property
    def sentence(self) -> str:
        """In one sentence, without a full stop."""
        return sentence(self, self.challenger, self.baseline, self.batch, of_heads=False)

    def __str__(self) -> str:
        return self.sentence

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - as IPython calls it
        """In a notebook the answer and its notes, and not every probe."""
        printer.text("\n".join([self.sentence, *remarks(self, self.challenger, self.baseline)]))


def race_answer(found: SearchRecord, baseline: str, challenger: str) -> RaceAnswer:
    """The answer of a search, with the user's own names of the two."""
    known = {each.name: getattr(found.location, each.name) for each in fields(Location)}
    known["notes"] = tuple(of_functions(each, challenger, baseline) for each in found.location.notes)
    return RaceAnswer(**known, baseline=baseline, challenger=challenger, batch=found.case.batch_size)
