"""A summary as plain data: what `--format json` prints, what `harness verify` compares, and rows for CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from harness.report import document

if TYPE_CHECKING:
    from harness.analysis.summary import Summary

_REPORT = TypeAdapter(document.Report)
_COLUMNS = (
    "contender", "heads", "batch_size", "outcome", "seconds_per_call", "seconds_low", "seconds_high",
    "seconds_per_query", "queries_per_second", "p50_seconds", "p90_seconds", "p95_seconds", "p99_seconds",
    "first_call_seconds", "load_seconds", "build_seconds", "compile_seconds", "device_seconds", "memory_bytes",
    "peak_rss_bytes", "model_bytes", "samples", "launches", "parity_error", "unchecked", "failure",
)  # fmt: skip


def data(summary: Summary) -> dict[str, Any]:
    """The statistics and verdicts of a run, as JSON knows them; numbers that are not known are null."""
    found: dict[str, Any] = json.loads(_REPORT.dump_json(document.report(summary), warnings=False))
    if not found["settings"]:
        del found["settings"]
    return found


def to_json(summary: Summary) -> str:
    """`data` as text."""
    return json.dumps(data(summary), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(summary: Summary) -> str:
    """One row for each cell."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for found in data(summary)["cells"]:
        call, query = found["call"] or {}, found["query"] or {}
        throughput, shares = found["throughput"] or {}, found["percentiles"]
        writer.writerow(
            {name: _guarded(found.get(name)) for name in _COLUMNS}
            | {
                "seconds_per_call": call.get("value"), "seconds_low": call.get("low"), "seconds_high": call.get("high"),
                "seconds_per_query": query.get("value"), "queries_per_second": throughput.get("value"),
                "p90_seconds": shares.get("0.9", {}).get("value"), "p95_seconds": shares.get("0.95", {}).get("value"),
                "p99_seconds": shares.get("0.99", {}).get("value"), "p50_seconds": shares.get("0.5", {}).get("value"),
            }
        )  # fmt: skip
    return out.getvalue()


def _guarded(value: Any) -> Any:
    """Texts that a spreadsheet would run as a formula are quoted."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Nested data as dotted paths; rows are named by what they are about and not by their place."""
    if isinstance(value, Mapping) and value:
        return {key: each for name, child in value.items() for key, each in flatten(child, _join(path, name)).items()}
    if isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        return {
            key: each
            for place, child in enumerate(value)
            for key, each in flatten(child, f"{path}[{_label(child, place)}]").items()
        }
    return {path: value}


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _label(row: Any, place: int) -> str:
    """`teacher N=18 B=1`, or the place where a row has no name."""
    if not isinstance(row, Mapping):
        return str(place)
    names = {"heads": "N=", "batch_size": "B=", "temperature": "T=", "quantity": "", "side": "", "after": ""}
    who = row.get("race") or row.get("contender") or row.get("subject")
    parts = [str(who)] if who else []
    parts += [f"{prefix}{row[name]}" for name, prefix in names.items() if row.get(name) is not None]
    return " ".join(parts) if who or parts else str(place)
