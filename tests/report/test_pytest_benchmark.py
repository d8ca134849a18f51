"""The export: complete for pytest-benchmark's own readers, by its own definitions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import RecordsError, ResourceError, UserError
from harness.records import machine
from harness.report.pytest_benchmark import convert, export, stats, stored_at
from tests.synthetic import Maker


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 32, 33])
def test_every_statistic_is_pytest_benchmarks_own(count):
    from pytest_benchmark.stats import Stats

    theirs = Stats()
    theirs.data = np.random.default_rng(count).lognormal(0, 0.3, count).tolist()
    ours = stats(theirs.data)
    assert ours.pop("iterations") == 1
    assert set(ours) == set(Stats.fields)
    for name, value in theirs.as_dict().items():
        assert ours[name] == (value if isinstance(value, str) else pytest.approx(value)), name


def test_every_measured_cell_has_stats_and_failed_ones_are_left_out(made):
    found = convert(made.evidence())
    names = {each["name"] for each in found["benchmarks"]}
    assert "student-eager[N16384-B32]" not in names  # one row without stats would make readers drop the whole file
    assert len(names) == 23
    assert all(each["stats"]["rounds"] == 32 for each in found["benchmarks"])
    assert found["machine_info"]["cpu"]
    assert found["commit_info"]["id"] == "0123456789ab"


def test_data_is_kept_only_where_it_is_asked_for(made):
    assert len(convert(made.evidence(), data=True)["benchmarks"][0]["stats"]["data"]) == 32
    assert "data" not in convert(made.evidence())["benchmarks"][0]["stats"]


def test_pytest_benchmark_lists_and_compares_exported_runs(made, tmp_path):
    storage = tmp_path / ".benchmarks"
    first = export(made.evidence(), storage)
    second = export(Maker(seed=1, slowed={"teacher": 1.3}).table().evidence(), storage)
    assert (first.name, second.name) == ("0001_synthetic.json", "0002_synthetic.json")
    assert first.parent.name == "Linux-CPython-3.12-64bit"
    script = "from pytest_benchmark.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "--storage", storage.as_uri(), "compare", "--group-by=name", "--csv=out.csv"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert "benchmark 'teacher[N1024-B1]': 2 tests" in done.stdout
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert len([row for row in rows if "teacher" in row]) == 12


def test_a_storage_that_cannot_be_written_is_told(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="the path of the records is a file, not a folder"):
        export(made.evidence(), tmp_path / "file")


def test_it_is_json_that_anybody_reads(made, tmp_path):
    text = export(made.evidence(), tmp_path).read_text()
    assert "NaN" not in text
    assert {"machine_info", "commit_info", "benchmarks", "datetime", "version"} == set(json.loads(text))


def test_a_run_without_measurements_is_told(tmp_path):
    with pytest.raises(RecordsError, match="the run has no measured cell to export"):
        export(Maker().evidence(), tmp_path)


@pytest.mark.parametrize("name", ["../../../outside", "/outside", "..", "a/b\x00c", ""])
def test_a_machine_names_no_folder_outside_of_the_storage(tmp_path, name):
    from harness.report.pytest_benchmark import _platform

    for facts in ({"system": name}, {"python_implementation": name}, {"python": name}):
        found = _platform(facts)
        assert (tmp_path / "storage" / found).resolve().parent == tmp_path / "storage"
        assert "/" not in found


def test_the_machine_is_the_one_that_pytest_benchmark_would_write_here(monkeypatch):
    import cpuinfo
    from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info

    monkeypatch.setattr(cpuinfo, "get_cpu_info", lambda: {"brand_raw": "A Processor", "hz_actual": [1, 2]})
    found = convert(Maker().table().evidence(machine=machine.describe()))["machine_info"]
    assert json.dumps(found, sort_keys=True) == json.dumps(pytest_benchmark_generate_machine_info(), sort_keys=True)
    elsewhere = convert(Maker().table().evidence())["machine_info"]
    assert elsewhere["cpu"]["brand_raw"] == "A Processor"
    assert elsewhere["python_version"] == "3.12.1"


def test_the_commit_is_that_of_the_users_project():
    project = {
        "suite": "suites/tiny.yaml",
        "name": "mine",
        "branch": "main",
        "id": "ab" * 20,
        "time": "2026-01-01T00:00:00Z",
    }
    found = convert(Maker().table().evidence(project=project, commit="ababababababx-dirty"))
    assert found["commit_info"] == {
        "id": "ab" * 20, "time": "2026-01-01T00:00:00Z", "author_time": None, "dirty": True, "project": "mine",
        "branch": "main",
    }  # fmt: skip
    assert found["benchmarks"][0]["fullname"].startswith("suites/tiny.yaml::")


@pytest.mark.parametrize(
    ("given", "folder"), [("x", "x"), ("file://x", "x"), ("file:///a/b", "/a/b"), ("../x", "../x")]
)
def test_a_storage_is_written_as_pytest_benchmark_takes_it(given, folder):
    assert stored_at(given) == Path(folder)


def test_an_elasticsearch_is_no_folder():
    with pytest.raises(
        UserError, match=r"--storage 'elasticsearch.https://x' is not a folder; give a path, or file:// and a"
    ):
        stored_at("elasticsearch+https://x")
