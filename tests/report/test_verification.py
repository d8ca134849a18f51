"""`harness verify`: agrees on an honest run, and names the verdict that one edited second moves."""

from __future__ import annotations

import json

import pytest

from harness.errors import RecordsError
from harness.records.evidence import MEASUREMENTS
from harness.report.verification import STORED, verify


def edit(folder, wanted, factor):
    """Multiplies the seconds of some records, as somebody might by hand."""
    path = folder / MEASUREMENTS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    edited = 0
    for line in lines:
        if wanted(line):
            line["sampled"]["seconds"] = [factor * each for each in line["sampled"]["seconds"]]
            edited += 1
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return edited


def test_an_honest_run_agrees(folder):
    found = verify(folder)
    assert found.agrees, found.sentences
    assert found.checked > 500
    assert found.sentences[0].startswith("agrees: ")
    assert "4 searches among them" in found.sentences[0]


def test_one_edited_second_is_found(folder):
    path = folder / MEASUREMENTS
    lines = path.read_text().splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if '"purpose":"table"' in line and '"contender":"teacher"' in line)
    record = json.loads(lines[place])
    seconds = record["sampled"]["seconds"]
    seconds[0] *= 0.5 if seconds[0] > sorted(seconds)[1] else 2.0  # to the other side of the median
    lines[place] = json.dumps(record) + "\n"
    path.write_text("".join(lines))
    found = verify(folder)
    assert not found.agrees
    assert any("teacher" in each.path and each.path.endswith("call.value") for each in found.moved)
    assert found.sentences[0].startswith("disagrees: ")


def test_an_edited_second_of_a_search_names_the_verdict(folder):
    assert edit(folder, lambda line: line["leg"] == "best at batch 32" and line["contender"] == "student", 1.5)
    found = verify(folder)
    assert found.moved[0].verdict
    moved = [each for each in found.sentences if each.startswith("verdict moved: ")]
    assert any("best B=32" in each and "the report says" in each and "the raw seconds say" in each for each in moved)


def test_an_edited_verdict_is_found(folder):
    path = folder / STORED
    stored = json.loads(path.read_text())
    stored["documented"][2]["verdict"] = "not reproduced"
    path.write_text(json.dumps(stored))
    found = verify(folder)
    assert [str(each) for each in found.moved] == [
        (
            "documented[documented N=18 B=32 slowdown].verdict: "
            "the report says not reproduced, the raw seconds say reproduced"
        )
    ]


def test_a_run_without_a_report_says_how_to_get_one(folder):
    (folder / STORED).unlink()
    with pytest.raises(RecordsError, match=r"there is no report.json to compare with; write it with `harness report"):
        verify(folder)
