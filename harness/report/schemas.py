"""The JSON Schema of every file in a run's folder, made from the types that write it.

`python -m harness.report.schemas docs` writes them; a test holds docs/ to what this makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from harness.analysis.dispatch import Table
from harness.records.crossovers import SearchRecord
from harness.records.measurement import SCHEMA_VERSION, Fidelity, Measurement, RunInfo

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_INTERVAL: dict[str, Any] = {
    "description": "a value with its interval over launches; the ends are null where a single launch is all there is, "
    "and `high` is null where no sample bounds a percentile from above",
    "type": ["object", "null"],
    "required": ["value", "low", "high", "launches", "confidence"],
    "properties": {
        "value": {"type": ["number", "null"]},
        "low": {"type": ["number", "null"]},
        "high": {"type": ["number", "null"]},
        "launches": {"type": "integer"},
        "confidence": {"type": "number"},
    },
}


def schemas() -> dict[str, dict[str, Any]]:
    """Schemas by the name of the file that they describe; of a JSON Lines file, the schema of one line."""
    return {
        "run": _titled(RunInfo.model_json_schema(), "run.json: what was asked, of which machine, with what"),
        "measurements": _titled(Measurement.model_json_schema(), "one line of measurements.jsonl: a visit of one cell"),
        "fidelity": _titled(Fidelity.model_json_schema(), "one line of fidelity.jsonl: a student against its teacher"),
        "crossovers": _titled(_rows("located", SearchRecord), "crossovers.json: what each search was asked and found"),
        "dispatch": _titled(_rows("races", Table), "dispatch.json: which contender to use from which N on"),
        "report": _titled(_report(), "report.json: statistics and verdicts, all derived from raw seconds"),
    }


def write(folder: Path) -> list[Path]:
    """Writes `<file>.schema.json` for each of them."""
    paths = []
    for name, schema in schemas().items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, **schema, "title": title}


def _rows(name: str, kind: type) -> dict[str, Any]:
    """An object with a version and a list of rows."""
    made = TypeAdapter(kind).json_schema(mode="serialization")
    definitions = made.pop("$defs", {})
    return {
        "type": "object",
        "required": ["schema_version", name],
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, name: {"type": "array", "items": made}},
        "$defs": definitions,
    }


def _report() -> dict[str, Any]:
    """What stays the same of report.json: its parts, and what an interval is."""
    interval = {"$ref": "#/$defs/interval"}
    number, text, texts = (
        {"type": ["number", "null"]},
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
    )
    place = {"race": text, "heads": {"type": ["integer", "null"]}, "batch_size": {"type": "integer"}}
    cell = {"contender": text, "heads": {"type": "integer"}, "batch_size": {"type": "integer"}}
    parts: dict[str, dict[str, Any]] = {
        "cells": {
            **cell, "outcome": {"enum": ["measured", "failed", "skipped"]}, "call": interval, "query": interval,
            "throughput": interval, "percentiles": {"type": "object", "additionalProperties": interval},
            "failure": text, "doubts": texts,
        },
        "data": {
            "contenders": texts, "description": text, "kind": text, "heads": {"type": "integer"},
            "temperature": number, "train_queries": {"type": "integer"}, "held_out_queries": {"type": "integer"},
            "digest": text, "notes": texts,
        },
        "races": {**place, "slowdown": interval, "leader": {"enum": ["baseline", "challenger", None]}},
        "relative": {"unit": text, **cell, "speedup": interval},
        "crossovers": {
            **{name: each for name, each in place.items() if name != "heads"}, "sentence": text,
            "status": {"enum": ["crossing", "several", "below", "above", "tie", "unresolved", None]},
            "reservations": texts, "predicted": interval,
        },
        "documented": {
            "race": {"type": ["string", "null"]}, "subject": text, "quantity": text,
            "heads": {"type": ["integer", "null"]}, "batch_size": {"type": ["integer", "null"]},
            "measured": interval, "why": text,
            "verdict": {"enum": ["reproduced", "not reproduced", "not comparable here"]},
        },
        "waterfalls": {**place, "start": interval, "end": interval},
        "fidelity": {
            "contender": text, "heads": {"type": "integer"}, "temperature": {"type": "number"},
            "scores": {"type": "object", "additionalProperties": number},
        },
        "limits": {**cell, "seconds": number, "floor_seconds": number, "ratio": number, "bound": text},
    }  # fmt: skip
    self_check = {
        "passed": {"description": "null: none was made, or with too few launches", "type": ["boolean", "null"]},
        "resolvable": {"description": "smallest detectable relative difference", **number},
        "sentence": text,
    }
    single: dict[str, dict[str, Any]] = {
        "schema_version": {"const": SCHEMA_VERSION},
        "suite": {"description": "its name", **text},
        "started": {"description": "UTC, ISO 8601", **text},
        "status": {"enum": ["running", "complete", "interrupted", "failed"]},
        "quick": {"type": "boolean"},
        "precisions": {
            "description": "of contenders that do not compute in float32",
            "type": "object",
            "additionalProperties": text,
        },
        "approximates": {
            "description": "contenders that only approximate a formula, and its family",
            "type": "object",
            "additionalProperties": text,
        },
        "unchecked": {"description": "contenders whose output was compared with nothing but itself", **texts},
        "remarks": {"description": "about fidelity", **texts},
        "self_check": {"type": "object", "required": list(self_check), "properties": self_check},
        "joint_confidence": {"description": "that all stated crossings hold at once", **number},
        "warnings": {"description": "about the run as a whole", **texts},
    }
    rows: dict[str, dict[str, Any]] = {
        name: {"type": "array", "items": {"type": "object", "required": list(properties), "properties": properties}}
        for name, properties in parts.items()
    }
    return {
        "type": "object",
        "required": [*single, *rows],
        "properties": single | rows,
        "$defs": {"interval": _INTERVAL},
    }


if __name__ == "__main__":
    for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(written)  # noqa: T201 - a command's answer
