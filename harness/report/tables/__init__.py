"""The tables of a report."""

from harness.report.tables.claim import documented, waterfalls
from harness.report.tables.crossing import crossovers
from harness.report.tables.latency import details, failures, latencies, relative
from harness.report.tables.limits import limits
from harness.report.tables.stepwise import stepwise
from harness.report.tables.students import fidelity, scores

__all__ = [
    "crossovers",
    "details",
    "documented",
    "failures",
    "fidelity",
    "latencies",
    "limits",
    "relative",
    "scores",
    "stepwise",
    "waterfalls",
]
