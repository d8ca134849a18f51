"""Each export read back: by the tool that reads it, or by the schema that it publishes."""

from __future__ import annotations

import json

import jsonschema
import pytest
from typer.testing import CliRunner

from harness.analysis.statistics import typical
from harness.cli import app
from harness.errors import RecordsError, UserError
from harness.plan.sweep import sweep
from harness.records.crossovers import dump
from harness.records.samples import by_cell, seconds_by_launch
from harness.records.writer import LOCATED, Store
from harness.report import exports
from harness.report.exports.quantities import quantities
from tests.synthetic import Maker

PROJECT = {
    "suite": "suites/synthetic.yaml",
    "name": "mine",
    "branch": "main",
    "id": "0123456789abcdef" * 2 + "01234567",
}
CELL = "suites/synthetic.yaml::teacher[N1024-B1]"
RACE = "suites/synthetic.yaml::crossover[best-B1]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a made-up run, with its searches."""
    maker = Maker().table()
    for case in sweep(maker.suite).cases:
        if case.race == "best":
            maker.search(case)
    place = tmp_path_factory.mktemp("exports") / "run"
    with Store.create(place, maker.evidence(place, project=PROJECT).run) as store:
        store.append(*maker.measurements)
        store.write(LOCATED, dump(maker.located))
    return place


@pytest.fixture(scope="module")
def evidence(folder):
    from harness.records.reader import read

    return read(folder)


@pytest.fixture(scope="module")
def teacher(evidence):
    """The seconds per call of one cell, with their interval."""
    records = by_cell(evidence.measurements)["teacher", 1024, 1]
    return typical(seconds_by_launch([each for each in records if each.purpose == "table"]))


@pytest.fixture(scope="module")
def crossing(evidence):
    """N* of one race."""
    found = next(each for each in evidence.located if each["leg"]["race"] == "best" and each["leg"]["batch_size"] == 1)
    return found["location"]["crossings"][0]


def exported(folder, *arguments) -> str:
    done = CliRunner().invoke(app, ["export", str(folder), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


# Of https://github.com/benchmark-action/github-action-benchmark, `BenchmarkResult` in src/extract.ts
GITHUB_ACTION = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"}, "unit": {"type": "string"}, "value": {"type": "number"},
            "range": {"type": "string"}, "extra": {"type": "string"},
        },
    },
}  # fmt: skip
# Of https://bencher.dev/docs/reference/bencher-metric-format/
BENCHER = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "type": "object",
            "required": ["value"],
            "additionalProperties": False,
            "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
        },
    },
}


def test_github_action_benchmark_gets_what_its_type_says(folder, teacher, crossing):
    found = json.loads(exported(folder, "--to", "github-action"))
    jsonschema.validate(found, GITHUB_ACTION)
    by_name = {each["name"]: each for each in found}
    assert by_name[CELL]["unit"] == "ms"
    assert by_name[CELL]["value"] == pytest.approx(1e3 * teacher.value)
    assert by_name[RACE] == {
        "name": RACE,
        "unit": "heads",
        "value": crossing["heads"],
        "range": f"{crossing['low']:.6g} to {crossing['high']:.6g}",
        "extra": "race: best\nbaseline: teacher\nchallenger: student\nbatch_size: 1\ncrossing: 1",
    }


def test_bencher_gets_values_with_their_bounds(folder, teacher, crossing):
    found = json.loads(exported(folder, "--to", "bencher"))
    jsonschema.validate(found, BENCHER)
    latency = found[CELL]["latency"]  # nanoseconds
    assert [latency[name] for name in ("value", "lower_value", "upper_value")] == pytest.approx(
        [1e9 * each for each in (teacher.value, teacher.low, teacher.high)]
    )
    assert found[RACE] == {
        "crossover": {
            "value": crossing["heads"], "lower_value": crossing["low"], "upper_value": crossing["high"],
        },
    }  # fmt: skip


def test_prometheus_reads_the_openmetrics(folder, teacher, crossing, tmp_path):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    path = tmp_path / "below" / "run.prom"
    assert exported(folder, "--to", "openmetrics", "--output", str(path)).strip() == str(path)
    families = {each.name: each for each in parser.text_string_to_metric_families(path.read_text())}
    cell = {"suite": "synthetic", "contender": "teacher", "heads": "1024", "batch_size": "1"}
    for name, value in (("call", teacher.value), ("call_low", teacher.low), ("call_high", teacher.high)):
        family = families[f"crossover_harness_{name}_seconds"]
        assert (family.type, family.unit) == ("gauge", "seconds")
        assert next(each.value for each in family.samples if each.labels == cell) == value
    race = next(
        each
        for each in families["crossover_harness_crossover_heads"].samples
        if (each.labels["race"], each.labels["batch_size"]) == ("best", "1")
    )
    assert race.value == crossing["heads"]
    (info,) = families["crossover_harness_run"].samples
    assert (info.labels["project"], info.labels["branch"]) == ("mine", "main")


def test_asv_reads_its_results(folder, teacher, crossing, tmp_path):
    results = pytest.importorskip("asv.results")
    from asv.benchmarks import Benchmarks

    storage = tmp_path / "results"
    exported(folder, "--to", "asv", "--storage", str(storage))
    (path,) = storage.glob("*/01234567-*.json")
    found = results.Results.load(str(path), machine_name=path.parent.name)
    assert found.commit_hash == PROJECT["id"]
    parameters = found.get_result_params("synthetic.teacher")
    assert parameters == [["18", "1024", "16384"], ["1", "32"]]
    values = found.get_result_value("synthetic.teacher", parameters)
    assert values[2] == pytest.approx(teacher.value)  # asv counts through the last parameter fastest
    stats = found.get_result_stats("synthetic.teacher", parameters)[2]
    assert (stats["ci_99_a"], stats["ci_99_b"]) == pytest.approx((teacher.low, teacher.high))
    races = found.get_result_params("synthetic.crossover_best")
    assert found.get_result_value("synthetic.crossover_best", races)[races[0].index("1")] == crossing["heads"]

    class Configuration:
        results_dir, benchmark_dir = str(storage), "benchmarks"

    known = Benchmarks.load(Configuration())
    assert known["synthetic.teacher"]["type"] == "time"
    assert known["synthetic.teacher"]["version"] == found.benchmark_version["synthetic.teacher"]
    machine = json.loads((path.parent / "machine.json").read_text())
    assert set(machine) == {"arch", "cpu", "machine", "num_cpu", "os", "ram", "version"}


def test_asv_keeps_what_other_suites_left_and_needs_a_commit(evidence, tmp_path):
    import dataclasses

    exports.asv.export(evidence, tmp_path)
    renamed = dataclasses.replace(
        evidence, run=evidence.run.model_copy(update={"suite": {**evidence.run.suite, "name": "other"}})
    )
    path = exports.asv.export(renamed, tmp_path)
    names = json.loads(path.read_text())["results"]
    assert {"synthetic.teacher", "other.teacher"} <= set(names)
    nowhere = dataclasses.replace(evidence, run=evidence.run.model_copy(update={"commit": None, "project": {}}))
    with pytest.raises(RecordsError, match="asv keeps results by commit"):
        exports.asv.export(nowhere, tmp_path)


def test_every_sample_is_a_row_of_the_parquet_file(folder, evidence, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "it's here.parquet"
    exported(folder, "--to", "parquet", "--output", str(path))
    sampled = [each for each in evidence.measurements if each.sampled is not None]
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT count(*), sum(seconds), count(DISTINCT contender) FROM read_parquet(?)", [str(path)]
        ).fetchone()
        first = connection.execute(
            "SELECT seconds FROM read_parquet(?) WHERE contender = 'teacher' AND heads = 1024 AND batch_size = 1 "
            "AND purpose = 'table' AND launch = 1 ORDER BY sample",
            [str(path)],
        ).fetchall()
    assert rows[0] == sum(len(each.sampled.seconds) for each in sampled)
    assert rows[1] == pytest.approx(sum(sum(each.sampled.seconds) for each in sampled))
    assert rows[2] == 4
    record = next(each for each in sampled if each.cell == ("teacher", 1024, 1) and each.launch == 1)
    assert tuple(each for (each,) in first) == record.sampled.seconds


@pytest.mark.parametrize("target", sorted(exports.TEXTS))
def test_a_run_without_measurements_is_refused(target):
    with pytest.raises(RecordsError, match="the run has no measured cell to export"):
        exports.TEXTS[target](Maker().evidence())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--to", "bencher", "--storage", "x"), "--storage does not belong to --to bencher; name a file with --output"),
        (("--to", "asv", "--output", "x"), "--output does not belong to --to asv; name a folder with --storage"),
        (("--storage", "elasticsearch+http://x"), "is not a folder; give a path, or file:// and a path"),
    ],
)
def test_options_of_another_format_are_refused(folder, arguments, sentence):
    with pytest.raises(UserError) as caught:
        CliRunner().invoke(app, ["export", str(folder), *arguments], catch_exceptions=False)
    assert sentence in str(caught.value)


def test_names_are_those_of_the_tests(evidence):
    assert {CELL, RACE} <= {each.name for each in quantities(evidence)}
