"""A run in the Bencher Metric Format: for each benchmark its measures, with lower and upper values.

`latency` is Bencher's own measure, in nanoseconds; `crossover` is N*, and is to be made in a project once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.report.exports.quantities import quantities

if TYPE_CHECKING:
    from harness.records.reader import Evidence

_MEASURES = {"call": ("latency", 1e9), "crossover": ("crossover", 1.0)}


def render(evidence: Evidence) -> str:
    """What `bencher run --adapter json --file` reads."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in quantities(evidence):
        measure, scale = _MEASURES[each.kind]
        metric = {"value": scale * each.value.value}
        if each.value.known:
            metric |= {"lower_value": scale * each.value.low, "upper_value": scale * each.value.high}
        found[each.name] = {measure: metric}
    return json.dumps(found, indent=1) + "\n"
