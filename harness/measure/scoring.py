"""Scores of what is raced: the builder exports, its own runtime answers, the builder compares with its teacher."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.measure.pool import worker_environment
from harness.process.child import Child, ChildFailed
from harness.process.failure import CHANGED
from harness.process.limits import UNBOUND

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.measure.pool import BuilderClient
    from harness.plan.plan import Plan
    from harness.plan.specification import OfferReference, Specification

PROJECTING = "harness.measure.scoring_child"


class Scoring:
    """The builder, and the process of the runtime that was scored last."""

    def __init__(self, workshop: BuilderClient, settings: Mapping[str, Any], deadline: float) -> None:
        self._workshop = workshop
        self._settings = dict(settings)
        self._deadline = deadline
        self._child: Child | None = None
        self._runtime: tuple[OfferReference | None, int, str] | None = None

    @classmethod
    def of(cls, plan: Plan, workshop: BuilderClient) -> Self:
        """As a plan has its contenders scored."""
        how = plan.suite.measurement
        settings = {"plugins": dict(plan.plugins_of_sources), "memory_limit_bytes": how.memory_limit_bytes}
        return cls(workshop, settings, how.deadline_seconds)

    def score(
        self, specification: Specification, heads: int, batch_sizes: Sequence[int], *, prove: bool = False
    ) -> dict[str, Any]:
        """The fields of a record of fidelity, but for who it is of.

        Args:
            specification: the contender, with the training seed to score.
            heads: N.
            batch_sizes: at which it is raced; it is scored at the largest for which there are queries enough.
            prove: that what it answers is its float64 reference, within its tolerance.

        Raises:
            ChildFailed: where it cannot be trained, exported, loaded, run, or proved.
        """
        with tempfile.TemporaryDirectory(prefix="harness-scoring-") as folder:
            queries, outputs = (str(Path(folder) / f"{name}.npy") for name in ("queries", "outputs"))
            about = {"specification": specification.to_json(), "heads": heads, "batch_sizes": list(batch_sizes)}
            wanted = {"do": "hold_out", **about, "queries": queries}
            try:
                exported = self._exported(wanted, specification, outputs)
            except ChildFailed as failed:
                if failed.failure.kind != CHANGED:
                    raise
                exported = self._exported(wanted, specification, outputs)  # asked again, the builder looks and mends
            asked = {"do": "score", **about, "outputs": outputs, "prove": prove}
            scored = self._workshop.ask(asked, stage="score")
        return {**exported, **scored}

    def _exported(self, wanted: Mapping[str, Any], specification: Specification, outputs: str) -> dict[str, Any]:
        """Has a contender exported and its answers to held-out queries written; what its builder says of it."""
        exported = self._workshop.ask(wanted, stage="train")
        lies = {name: exported.pop(name) for name in ("place", "heads", "batch_size", "files")}
        asked = {**wanted, "do": "project", **lies, "outputs": outputs}
        self._running(specification).ask(asked, stage="score", deadline=self._deadline)
        return exported

    def close(self, patience: float = 0.2) -> None:
        """Ends the process that ran contenders."""
        if self._child is not None:
            self._child.close(patience)
            self._child = None

    def _running(self, specification: Specification) -> Child:
        """The process for this runtime, another one where the last was for another."""
        runtime = specification.runtime, specification.threads, specification.device
        if self._child is None or not self._child.alive or runtime != self._runtime:
            self.close()
            settings = {**self._settings, UNBOUND: specification.device_kind != "cpu"}
            self._child = Child(PROJECTING, settings, environment=worker_environment(specification))
            self._runtime = runtime
        return self._child
