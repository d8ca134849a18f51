"""Which projectors compute one formula, and which only approximate it, as they declare it and run.json carries it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.plugin.built_in import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.suite.schema import Contender


@dataclass(frozen=True)
class Families:
    """What is known of the formulas of a run's projectors; one that declares nothing is a family of its own."""

    declared: Mapping[str, str] = field(default_factory=dict)  # projector -> family
    approximated: Mapping[str, str] = field(default_factory=dict)  # projector -> the family that it approximates

    @classmethod
    def of(cls, offers: Mapping[str, Any]) -> Families:
        """From the `offers` of run.json."""
        projectors = {
            name.removeprefix("projector "): about for name, about in offers.items() if name.startswith("projector ")
        }
        declared = {
            name: about.get("family") or FAMILIES.get((name, about.get("origin", "")), name)
            for name, about in projectors.items()
        }
        approximated = {name: about["approximates"] for name, about in projectors.items() if about.get("approximates")}
        return cls(declared, approximated)

    def family(self, projector: str) -> str:
        """The formula that a projector computes."""
        return self.declared.get(projector, projector)

    def computes_teacher(self, contender: Contender) -> bool:
        """Whether a contender computes its own teacher's formula; how exactly is a matter of its runtime."""
        same = self.family(contender.projector) == self.family(contender.teacher)
        return bool(contender.teacher) and contender.trainer is None and same and not self.approximates(contender)

    def approximates(self, contender: Contender) -> str:
        """The family that an untrained contender approximates, empty where it approximates none."""
        return "" if contender.trainer is not None else self.approximated.get(contender.projector, "")
