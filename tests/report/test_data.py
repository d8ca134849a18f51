"""JSON and CSV: what other tools read."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math

from harness.analysis.summary import summarise
from harness.report import data
from tests.synthetic import Maker


def test_json_has_no_numbers_that_json_does_not_know():
    found = data.to_json(summarise(Maker().table(launches=1).evidence(), ()))  # one launch: no interval has ends
    assert "NaN" not in found
    assert json.loads(found)["cells"][0]["call"]["low"] is None


def test_what_hostile_records_add_up_to_is_null_where_it_is_no_number():
    maker = Maker().table(launches=2, rounds=2)
    maker.score("student", 18, mean_cosine=0.99)
    found = summarise(maker.evidence(), ())
    odd = tuple(dataclasses.replace(each, temperature=math.nan) for each in found.fidelity)
    assert json.loads(data.to_json(dataclasses.replace(found, fidelity=odd)))["fidelity"][0]["temperature"] is None


def test_csv_has_one_row_for_each_cell_with_seconds(summary):
    rows = list(csv.DictReader(io.StringIO(data.to_csv(summary))))
    assert len(rows) == len(summary.cells)
    row = next(
        each for each in rows if (each["contender"], each["heads"], each["batch_size"]) == ("teacher", "1024", "32")
    )
    assert float(row["seconds_low"]) < float(row["seconds_per_call"]) < float(row["seconds_high"])
    assert float(row["seconds_per_query"]) * 32 == float(row["seconds_per_call"])
    assert row["outcome"] == "measured"


def test_a_spreadsheet_runs_no_formula():
    found = data.to_csv(summarise(Maker().table(launches=1).fail("student", 18, 1, stage="=1+1").evidence(), ()))
    assert "'=1+1: it answers NaN" in found


def test_rows_are_named_by_what_they_are_about():
    found = data.flatten({"cells": [{"contender": "a", "heads": 18, "batch_size": 1, "x": 2}], "list": [1, 2]})
    assert found["cells[a N=18 B=1].x"] == 2
    assert found["list"] == [1, 2]
