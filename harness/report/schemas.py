"""The JSON Schema of every file in a run's folder, made from the types that write it.

`python -m harness.report.schemas docs` writes them; a test holds docs/ to what this makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema  # noqa: TC002

from harness.analysis.dispatch import Table
from harness.records.crossovers import SearchRecord
from harness.records.measurement import SCHEMA_VERSION, Fidelity, Measurement, RunInfo
from harness.report.document import Report

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Schemas by the name of the file that they describe; of a JSON Lines file, the schema of one line."""
    return {
        "run": _titled(RunInfo.model_json_schema(), "run.json: what was asked, of which machine, with what"),
        "measurements": _titled(Measurement.model_json_schema(), "one line of measurements.jsonl: a visit of one cell"),
        "fidelity": _titled(Fidelity.model_json_schema(), "one line of fidelity.jsonl: a student against its teacher"),
        "crossovers": _titled(_rows("located", SearchRecord), "crossovers.json: what each search was asked and found"),
        "dispatch": _titled(_rows("races", Table), "dispatch.json: which contender to use at each N"),
        "report": _titled(_of(Report, _Nullable), "report.json: statistics and verdicts, all derived from raw seconds"),
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


def _of(kind: type, generator: type[GenerateJsonSchema] = GenerateJsonSchema) -> dict[str, Any]:
    return TypeAdapter(kind).json_schema(mode="serialization", schema_generator=generator)


def _rows(name: str, kind: type) -> dict[str, Any]:
    """An object with a version and a list of rows."""
    made = _of(kind)
    definitions = made.pop("$defs", {})
    return {
        "type": "object",
        "required": ["schema_version", name],
        "properties": {"schema_version": {"const": SCHEMA_VERSION}, name: {"type": "array", "items": made}},
        "$defs": definitions,
    }


class _Nullable(GenerateJsonSchema):
    """Numbers that are not finite are written as null."""

    def float_schema(self, schema: core_schema.FloatSchema) -> dict[str, Any]:  # noqa: ARG002 - an override
        return {"type": ["number", "null"]}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> dict[str, Any]:
        found = super().nullable_schema(schema)
        number = {"type": ["number", "null"]}
        return number if found == {"anyOf": [number, {"type": "null"}]} else found


if __name__ == "__main__":
    for written in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        print(written)  # noqa: T201 - a command's answer
