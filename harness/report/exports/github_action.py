"""A run for benchmark-action/github-action-benchmark, tool `customSmallerIsBetter`: a list of names, units and values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness.report.exports.quantities import quantities

if TYPE_CHECKING:
    from harness.records.reader import Evidence
    from harness.report.exports.quantities import Quantity


def render(evidence: Evidence) -> str:
    """The file that its `output-file-path` names."""
    return json.dumps([_entry(each) for each in quantities(evidence)], indent=1) + "\n"


def _entry(each: Quantity) -> dict[str, Any]:
    scale, unit = (1e3, "ms") if each.kind == "call" else (1.0, "heads")
    found: dict[str, Any] = {"name": each.name, "unit": unit, "value": scale * each.value.value}
    if each.value.known:
        found["range"] = f"{scale * each.value.low:.6g} to {scale * each.value.high:.6g}"
    found["extra"] = "\n".join(f"{name}: {value}" for name, value in each.labels.items())
    return found
