"""The export: complete for pytest-benchmark's own readers, by its own definitions."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from harness.errors import RecordsError, ResourceError
from harness.report.pytest_benchmark import convert, export, stats
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
    assert "student-eager[N=16384-B=32]" not in names  # one row without stats would make readers drop the whole file
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
    assert "benchmark 'teacher[N=1024-B=1]': 2 tests" in done.stdout
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

    for machine in ({"system": name}, {"python_implementation": name}, {"python": name}):
        found = _platform(machine)
        assert (tmp_path / "storage" / found).resolve().parent == tmp_path / "storage"
        assert "/" not in found
