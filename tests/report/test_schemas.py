"""The published schemas: those of the types, and what a run writes fits them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from harness.analysis.summary import summarise
from harness.records.crossovers import dump
from harness.records.reader import FIDELITY, MEASUREMENTS
from harness.records.writer import LOCATED, Store
from harness.report import writing
from harness.report.schemas import schemas, write
from tests.synthetic import Maker

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    maker = Maker().table(launches=2).self_check(launches=2).searches().fail("student", 18, 1)
    maker.score("student", 18, mean_cosine=0.99)
    path = tmp_path_factory.mktemp("run") / "run"
    evidence = maker.evidence(path)
    with Store.create(path, evidence.run) as store:
        store.append(*evidence.measurements)
        store.append(*evidence.fidelities)
        store.write(LOCATED, dump(maker.located))
    writing.write(path)
    assert summarise(evidence, maker.located).searches
    return path


def test_the_published_schemas_are_those_of_the_types(tmp_path):
    for path in write(tmp_path):
        published = DOCS / path.name
        assert published.read_text(encoding="utf-8") == path.read_text(encoding="utf-8"), (
            f"run `python -m harness.report.schemas docs` to bring {published.name} up to date"
        )


@pytest.mark.parametrize("name", list(schemas()))
def test_every_schema_is_a_schema(name):
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("name", ["run", "crossovers", "report", "dispatch"])
def test_what_a_run_writes_fits(folder, name):
    jsonschema.validate(json.loads((folder / f"{name}.json").read_text()), schemas()[name])


def test_every_part_of_a_report_is_described_and_required(folder):
    schema, report = schemas()["report"], json.loads((folder / "report.json").read_text())
    assert set(schema["required"]) == set(schema["properties"]) - {"settings"} == set(report)
    for name in ("self_check", "warnings", "relative", "limits", "remarks", "joint_confidence"):
        assert schema["properties"][name].keys() & {"type", "anyOf", "$ref"}
    broken = report | {"self_check": {"passed": "yes"}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


@pytest.mark.parametrize(("file", "name"), [(MEASUREMENTS, "measurements"), (FIDELITY, "fidelity")])
def test_every_line_that_a_run_writes_fits(folder, file, name):
    validator = jsonschema.Draft202012Validator(schemas()[name])
    lines = (folder / file).read_text().splitlines()
    assert lines
    for line in lines[:40] + lines[-40:]:
        validator.validate(json.loads(line))


def test_records_are_readable_in_place_by_duckdb_and_pandas(folder):
    duckdb = pytest.importorskip("duckdb")
    pandas = pytest.importorskip("pandas")
    query = f"""
        SELECT contender, heads, batch_size, median(second) AS seconds
        FROM (SELECT *, unnest(sampled.seconds) AS second FROM read_json_auto('{folder}/measurements.jsonl'))
        WHERE purpose = 'table' GROUP BY ALL ORDER BY ALL
    """
    rows = duckdb.sql(query).fetchall()
    assert len(rows) == 23
    frame = pandas.read_json(folder / MEASUREMENTS, lines=True)
    assert set(frame["contender"]) == {"loop", "teacher", "student-eager", "student"}
