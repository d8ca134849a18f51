"""The process that maps queries through what is raced, for scoring: it loads artifacts as a worker does, off any clock.

Its own process, since ONNX Runtime's must not import torch: their pools of threads take the cores from each other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.measure import artifact_digests
from harness.measure.construction import Construction
from harness.measure.timed_projection import TimedProjection
from harness.plan.specification import Specification
from harness.plugin.interfaces import Compiled, LoadContext
from harness.process.server import Operation, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class ScoringChild:
    """The operations of the process."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._construction = Construction(settings.get("plugins", {}))

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        return {"project": self.project}

    def project(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Loads the artifact in `place` and writes what it answers to the `queries` [Q, D] as `outputs` [Q, K]."""
        specification, heads = Specification.from_json(request["specification"]), int(request["heads"])
        context = LoadContext(
            heads=heads,
            threads=specification.threads,
            device=specification.device_kind,
            rebuild=self._construction.rebuild(specification, heads),
        )
        runtime = self._construction.runtime(specification)
        artifact_digests.verify(Path(request["place"]), request["files"])
        compiled = runtime.load(Path(request["place"]) / "artifact", context)
        try:
            queries = np.load(request["queries"], allow_pickle=False)
            np.save(request["outputs"], answers(compiled, queries, int(request["batch_size"])))
        finally:
            compiled.close()
        return {}


def answers(compiled: Compiled, queries: NDArray[np.float32], batch_size: int) -> NDArray[np.float32]:
    """Queries [Q, D] through full batches, the last one filled up from the beginning: [Q, K].

    No batch is of another size: where a runtime quantises or compiles by batch, what is scored is what is raced.
    """
    calling = TimedProjection(compiled)
    outputs = []
    for start in range(0, len(queries), batch_size):
        rows = np.arange(start, start + batch_size) % len(queries)
        prepared = compiled.prepare(np.ascontiguousarray(queries[rows], dtype=np.float32))
        outputs.append(calling.converted(compiled(prepared)))
    return np.concatenate(outputs)[: len(queries)]


if __name__ == "__main__":
    serve(lambda settings: ScoringChild(settings).operations())
