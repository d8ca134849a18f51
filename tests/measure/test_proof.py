"""What is wrong is not timed, whatever there is to compare it with; what cannot be compared is told to be unchecked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from harness.records.writer import read
from tests.command_line import called

PLUGIN = Path(__file__).parents[1] / "fixtures" / "plugins" / "odd.py"
NUMPY = ("fine", "wide", "double", "lists", "complex", "zeros", "one_row", "noise", "unseeded", "late")
LINE = next(n for n, line in enumerate(PLUGIN.read_text().splitlines(), 1) if "queries.abs().max() > 1" in line)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proof")
    contenders = {name: {"projector": "fine", "options": {"fault": name}, "runtime": "python"} for name in NUMPY}
    for of in ("branches", "loops"):
        for runtime in ("eager", "torchscript", "onnxruntime"):
            contenders[f"{of}-{runtime}"] = {"projector": "module", "options": {"of": of}, "runtime": runtime}
    suite = {
        "name": "proof",
        "plugins": [str(PLUGIN)],
        "source": {"use": "playbook"},
        "heads": {"values": [18]},
        "batch_sizes": [4],
        "contenders": {"teacher": {"projector": "lda", "runtime": "python"}, **contenders},
        "races": [
            {"name": "open", "baseline": "teacher", "challenger": "fine", "heads": {"from": 9, "to": 18},
             "batch_sizes": [4]},
        ],
        "measurement": {
            "launches": 2, "rounds": 2, "latency_calls": 3, "min_sample_seconds": 0.0003, "self_check": False,
            "max_warm_up_seconds": 0.05, "limits": False,
        },
        "search": {"precision": 0.5, "regret": False, "budget_samples": 60},
    }  # fmt: skip
    (folder / "proof.yaml").write_text(yaml.safe_dump(suite))
    done = called("run", folder / "proof.yaml", "--output", folder / "out")
    assert done.returncode == 1, done.stdout + done.stderr
    return folder / "out", done.stdout


WRONG = {
    "wide": "the output has the shape [1, 385], expected [1, 384]",
    "complex": "the output is complex64, expected float32",
    "zeros": "the output is all zeros for every query",
    "one_row": "the output has the shape [384], expected [1, 384]",
    "noise": "not deterministic: the same queries were answered differently the second time",
    "unseeded": "the output differs from what it answered in another process (there is no reference)",
    "branches-torchscript": "for queries times 10 the output differs from its own module in float64",
    "branches-onnxruntime": f"odd.py:{LINE}: if queries.abs().max() > 1:)",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_not_timed_and_the_reason_is_told(ran, name):
    records = [each for each in read(ran[0]).measurements if each.contender == name and each.batch_size == 4]
    assert {each.outcome for each in records} == {"failed"}
    assert WRONG[name] in records[0].failure.what
    assert "\x1b" not in records[0].failure.what


FINE = ("fine", "late", "double", "lists", "branches-eager", "loops-eager", "loops-torchscript", "loops-onnxruntime")


@pytest.mark.parametrize("name", FINE)
def test_what_is_right_is_timed(ran, name):
    records = [each for each in read(ran[0]).measurements if each.contender == name]
    assert {each.outcome for each in records} == {"measured"}


@pytest.mark.parametrize(("name", "found"), [("double", "float64"), ("lists", "a list")])
def test_what_has_to_be_converted_is_told(ran, name, found):
    record = next(each for each in read(ran[0]).measurements if each.contender == name)
    assert any(each.startswith(f"it returns {found}, which is converted to float32") for each in record.warnings)


def test_the_tracers_warning_stays_with_its_row_and_names_the_line_of_the_module(ran):
    record = next(each for each in read(ran[0]).measurements if each.contender == "loops-torchscript")
    line = next(n for n, each in enumerate(PLUGIN.read_text().splitlines(), 1) if "queries.shape[0] == 1" in each)
    assert any(
        "Converting a tensor to a Python boolean" in each and f"odd.py:{line}" in each for each in record.warnings
    )
    assert not next(each for each in read(ran[0]).measurements if each.contender == "loops-eager").warnings


def test_only_what_was_compared_with_itself_is_unchecked_and_wherever_it_is_named(ran):
    folder, printed = ran[0], called("report", ran[0]).stdout
    markdown, page = (folder / "report.md").read_text(), (folder / "report.html").read_text()
    summary = json.loads((folder / "report.json").read_text())
    assert summary["unchecked"] == ["double", "fine", "late", "lists"]
    assert {each["contender"] for each in summary["cells"] if each["unchecked"]} >= {"double", "fine", "late", "lists"}
    for text in (printed, markdown, page):
        assert "fine (unchecked)" in text
        assert "loops-eager (unchecked)" not in text
    (case,) = summary["crossovers"]
    assert "fine" not in case["sentence"].replace("fine (unchecked)", "")
    (table,) = json.loads((folder / "dispatch.json").read_text())["races"]
    assert table["unchecked"] == ["fine"]
    assert "fine: unchecked" in markdown.replace("\\", "")


def test_advice_never_names_it_without_the_mark(ran):
    told = called("advise", ran[0], "--heads", "18", "--batch", "4").stdout
    named = re.findall(r"\b(?:double|fine|late|lists)\b(?: \(unchecked\))?", told)  # those that are faster, if any is
    assert all(each.endswith("(unchecked)") for each in named), told
    assert not re.search(r"\buse (?:double|fine|late|lists)\b", told)
