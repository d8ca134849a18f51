"""A run as OpenMetrics 1.0: gauges with their bounds, for Prometheus and what reads its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.printable import printable
from harness.report.exports.quantities import quantities

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.reader import Evidence
    from harness.report.exports.quantities import Quantity

_PREFIX = "crossover_harness"
_NAMES = {
    "call": ("call", "seconds", "Seconds per call"),
    "crossover": ("crossover", "heads", "N at which the lead changes"),
}
_BOUNDS = {"": "", "low": ", lower end of its interval", "high": ", upper end of its interval"}


def render(evidence: Evidence) -> str:
    """The whole exposition."""
    return (
        "\n".join([*_info(evidence), *_gauges(quantities(evidence), str(evidence.run.suite["name"])), "# EOF"]) + "\n"
    )


def _info(evidence: Evidence) -> Iterator[str]:
    run = evidence.run
    labels = {
        "suite": str(run.suite["name"]), "run": evidence.name, "started": run.started,
        "commit": run.commit or "", "project": run.project.get("name", ""), "branch": run.project.get("branch", ""),
        "processor": str(run.machine.get("processor", "")),
    }  # fmt: skip
    yield f"# TYPE {_PREFIX}_run info"
    yield f"# HELP {_PREFIX}_run The run that was exported."
    yield f"{_PREFIX}_run_info{_braces(labels)} 1"


def _gauges(found: tuple[Quantity, ...], suite: str) -> Iterator[str]:
    for kind, (name, unit, what) in _NAMES.items():
        mine = [each for each in found if each.kind == kind]
        for bound, bound_text in _BOUNDS.items() if mine else ():
            metric = "_".join(part for part in (_PREFIX, name, bound, unit) if part)
            yield f"# TYPE {metric} gauge"
            yield f"# UNIT {metric} {unit}"
            yield f"# HELP {metric} {what}{bound_text}."
            for each in mine:
                value = {"": each.value.value, "low": each.value.low, "high": each.value.high}[bound]
                if not bound or each.value.known:
                    yield f"{metric}{_braces({'suite': suite, **each.labels})} {float(value)!r}"


def _braces(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
