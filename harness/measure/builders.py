"""The processes that build: one for what the harness brings along, and one of its own for each contender with other plugins.

What a plugin leaves behind in its process (a function of NumPy's replaced, a default changed, memory) meets no other contender.
Built-in plugins share a process, and with it their data, references and imports.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.measure.answers import validated
from harness.plugin.built_in import BUILT_IN
from harness.process.child import Child, environment
from harness.process.limits import UNBOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.plan.plan import Plan
    from harness.plan.specification import Specification

BUILDER = "harness.measure.builder"
SHARED = ""
TRAINING_SECONDS = 1800.0
_DEADLINES = 5.0  # of a cell: exporting and proving at all batch sizes takes longer than timing one of them
_ALIVE = 6  # processes that are kept
_OFFERS = ("source", "projector", "runtime", "teacher", "trainer")


class Builders:
    """Builders, started when they are first asked and again where they have died."""

    def __init__(
        self,
        specifications: Mapping[str, Specification],
        settings: Mapping[str, Any],
        deadline: float,
        needed: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._settings = {**settings, UNBOUND: any(each.device_kind != "cpu" for each in specifications.values())}
        self._deadline = deadline
        self._needed = needed
        self._children: OrderedDict[str, Child] = OrderedDict()
        self._served: dict[str, set[str]] = {}  # the contenders that each process has worked for

    def ask(self, request: Mapping[str, Any], *, stage: str) -> dict[str, Any]:
        """The answer of the builder of the contender that a request is about; as `Child.ask`."""
        specification = request["specification"]
        key = owner(specification)
        child = self._children.get(key)
        if child is None or not child.alive:
            child = self._start(key)
        self._children.move_to_end(key)
        self._served[key].add(specification["contender"])
        answer = child.ask(request, stage=stage, deadline=self._patience(specification))
        return validated(child, stage, request["do"], answer)

    def alone(self, specification: Mapping[str, Any]) -> bool:
        """Whether the builder of this contender has worked for no other."""
        return self._served.get(owner(specification), set()) <= {specification["contender"]}

    def end(self, specification: Mapping[str, Any]) -> None:
        """Ends the builder of this contender, so that the next request meets a fresh one."""
        child = self._children.pop(owner(specification), None)
        if child is not None:
            child.close(patience=0.0)

    def close(self, patience: float = 0.2) -> None:
        """Ends all of them."""
        while self._children:
            self._children.popitem()[1].close(patience)

    def _start(self, key: str) -> Child:
        dead = self._children.pop(key, None)
        if dead is not None:
            dead.close()
        while len(self._children) >= _ALIVE:
            oldest = next((each for each in self._children if each != SHARED), SHARED)
            self._children.pop(oldest).close()
        settings = {**self._settings, "needed": list(self._needed())}
        self._children[key] = Child(BUILDER, settings, environment=environment(cores()))
        self._served[key] = set()
        return self._children[key]

    def _patience(self, specification: Mapping[str, Any]) -> float:
        """Seconds that one request may take."""
        building = _DEADLINES * self._deadline
        return max(TRAINING_SECONDS, building) if specification.get("trainer") else building


def settings_of(plan: Plan) -> dict[str, Any]:
    """The settings of a plan's builders; the key of an artifact depends on some of them."""
    how = plan.suite.measurement
    return {
        "cache": str(cache_folder()),
        "versions": dict(plan.versions),
        "plugins": dict(plan.plugins_of_sources),
        "input_batches": how.input_batches,
        "memory_limit_bytes": how.memory_limit_bytes,
    }


def owner(specification: Mapping[str, Any]) -> str:
    """Whose process builds this contender: its own where a plugin of it is not built in."""
    plugins = {offer["plugin"] for name in _OFFERS if (offer := specification.get(name))}
    return SHARED if plugins <= set(BUILT_IN) else str(specification["contender"])


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
