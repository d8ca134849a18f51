"""A summary as plain data: what `--format json` prints, what `harness verify` compares, and rows for CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.analysis.settings import settings

if TYPE_CHECKING:
    from harness.analysis.statistics import Interval
    from harness.analysis.summary import Summary

SCHEMA_VERSION = 1
_COLUMNS = (
    "contender", "heads", "batch_size", "outcome", "seconds_per_call", "seconds_low", "seconds_high",
    "seconds_per_query", "queries_per_second", "p50_seconds", "p90_seconds", "p95_seconds", "p99_seconds",
    "first_call_seconds", "load_seconds", "build_seconds", "compile_seconds", "device_seconds", "memory_bytes",
    "peak_rss_bytes", "model_bytes", "samples", "launches", "parity_error", "unchecked", "failure",
)  # fmt: skip


def data(summary: Summary) -> dict[str, Any]:
    """The statistics and verdicts of a run; numbers that are not known are null."""
    found = {
        "schema_version": SCHEMA_VERSION,
        "suite": summary.suite.name,
        "started": summary.run.started,
        "status": summary.run.status,
        "quick": summary.quick,
        "data": [
            {
                "contenders": list(each.contenders), "description": each.description, "kind": each.kind,
                "heads": each.heads, "temperature": each.temperature, "train_queries": each.train_queries,
                "held_out_queries": each.held_out_queries, "digest": each.digest, "notes": list(each.notes),
            }
            for each in summary.data
        ],
        "cells": [_cell(each) for each in summary.cells],
        "races": [
            {
                "race": each.race, "baseline": each.baseline, "challenger": each.challenger, "heads": each.heads,
                "batch_size": each.batch_size, "slowdown": _interval(each.slowdown), "leader": each.leader,
            }
            for each in summary.races
        ],
        "relative": [
            {
                "unit": each.unit, "contender": each.contender, "heads": each.heads, "batch_size": each.batch_size,
                "speedup": _interval(each.speedup),
            }
            for each in summary.relatives
        ],
        "crossovers": [_leg(each) for each in summary.legs],
        "documented": [
            {
                "race": getattr(each.figure, "race", None), "contender": getattr(each.figure, "contender", None),
                "subject": each.subject, "batch_size": getattr(each.figure, "batch_size", None), "heads": each.heads,
                "temperature": getattr(each.figure, "temperature", None),
                "quantity": each.quantity, "documented": each.documented, "measured": _interval(each.measured),
                "verdict": each.verdict, "why": each.why, "extrapolated": _interval(each.extrapolated),
            }
            for each in summary.documented
        ],
        "waterfalls": [
            {
                "race": each.race, "heads": each.heads, "batch_size": each.batch_size, "start": _interval(each.start),
                "end": _interval(each.end),
                "steps": [
                    {
                        "side": side, "before": step.before, "after": step.after, "change": step.change,
                        "speedup": _interval(step.speedup),
                    }
                    for side, steps in (("baseline", each.baseline), ("challenger", each.challenger))
                    for step in steps
                ],
            }
            for each in summary.waterfalls
        ],
        "fidelity": [
            {
                "contender": each.contender, "heads": each.heads, "temperature": each.temperature, "seeds": each.seeds,
                "asked_seeds": each.asked_seeds,
                "scores": dict(each.scores), "intervals": {k: list(v) for k, v in each.intervals.items()},
                "spread": {k: list(v) for k, v in each.spread.items()}, "thresholds": dict(each.thresholds),
                "parameters": each.parameters, "training_seconds": each.training_seconds,
                "effective_heads": each.effective_heads, "failure": each.failure,
            }
            for each in summary.fidelity
        ],
        "limits": [
            {
                "contender": each.contender, "heads": each.heads, "batch_size": each.batch_size,
                "seconds": _number(each.seconds), "floor_seconds": _number(each.floor_seconds),
                "ratio": _number(each.ratio), "bound": each.bound,
                "shape_floor_seconds": each.shape_floor_seconds, "shape_ratio": _number(each.shape_ratio),
                "in_the_way": each.in_the_way,
            }
            for each in summary.distances
        ],
        "precisions": dict(summary.precisions),
        **({"settings": where} if (where := settings(summary.suite)) else {}),
        "approximates": summary.approximates,
        "unchecked": list(summary.unchecked),
        "remarks": list(summary.remarks),
        "self_check": {
            "passed": summary.self_check.passed, "resolvable": _number(summary.self_check.resolvable),
            "sentence": summary.self_check.sentence,
        },
        "joint_confidence": summary.joint_confidence,
        "warnings": list(summary.warnings),
    }  # fmt: skip
    known: dict[str, Any] = _known(found)
    return known


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


def _cell(each: Any) -> dict[str, Any]:
    return {
        "contender": each.contender, "heads": each.heads, "batch_size": each.batch_size, "outcome": each.outcome,
        "call": _interval(each.call), "query": _interval(each.query), "throughput": _interval(each.throughput),
        "percentiles": {f"{share:g}": _interval(found) for share, found in each.percentiles.items()},
        "first_call": _interval(each.first_call), "load": _interval(each.load),
        "first_call_seconds": each.first_call.value if each.first_call else None,
        "load_seconds": each.load.value if each.load else None,
        "build_seconds": each.build_seconds, "compile_seconds": each.compile_seconds,
        "device_seconds": each.device_seconds, "memory_bytes": each.memory_bytes,
        "peak_rss_bytes": each.peak_rss_bytes, "model_bytes": each.model_bytes,
        "samples": each.samples, "launches": each.launches, "parity_error": each.parity_error,
        "unchecked": each.unchecked, "failure": each.failure,
        "doubts": [str(doubt) for doubt in each.warnings],
    }  # fmt: skip


def _leg(each: Any) -> dict[str, Any]:
    location = each.located.location if each.located else None
    constrained = each.constrained
    return {
        "race": each.leg.race, "batch_size": each.leg.batch_size, "baseline": each.leg.baseline,
        "challenger": each.leg.challenger, "low": each.leg.low, "high": each.leg.high,
        "status": location.status if location else None,
        "crossings": [
            {
                "heads": found.heads, "low": found.low, "high": found.high, "direction": found.direction,
                "confidence": found.confidence, "kind": found.kind,
            }
            for found in (location.crossings if location else ())
        ],
        "measured": list(location.measured) if location and location.measured else None,
        "failures": [asdict(found) for found in (location.failures if location else ())],
        "samples": location.samples if location else 0, "notes": list(location.notes) if location else [],
        "sentence": each.sentence, "reservations": list(each.reservations), "predicted": _interval(each.predicted),
        "predicted_by_limits": each.floor_crossing,
        "requires": None if constrained is None else {
            "wanted": dict(constrained.requires), "faster_from": constrained.faster_from,
            "counts_from": constrained.counts_from, "sentence": constrained.sentence,
        },
    }  # fmt: skip


def _interval(found: Interval | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": _number(found.value), "low": _number(found.low), "high": _number(found.high),
        "launches": found.launches, "confidence": found.confidence,
    }  # fmt: skip


def _known(value: Any) -> Any:
    """The same, null in place of each number that is none: what hostile records add up to may be anything."""
    if isinstance(value, Mapping):
        return {name: _known(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _guarded(value: Any) -> Any:
    """Texts that a spreadsheet would run as a formula are quoted."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value


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
