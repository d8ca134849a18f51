"""`harness verify`: agrees on an honest run, and names the verdict that one edited second moves."""

from __future__ import annotations

import json
import re

import pytest

from harness.errors import RecordsError
from harness.records.reader import MEASUREMENTS
from harness.report.verification import STORED, verify
from tests.command_line import called
from tests.report.conftest import write
from tests.synthetic import COSTS, SUITE, Maker


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
    assert any("best B=32" in each and "the report has" in each and "the raw seconds give" in each for each in moved)


def test_an_edited_verdict_is_found(folder):
    path = folder / STORED
    stored = json.loads(path.read_text())
    stored["documented"][2]["verdict"] = "not reproduced"
    path.write_text(json.dumps(stored))
    found = verify(folder)
    assert [str(each) for each in found.moved] == [
        (
            "documented[documented N=18 B=32 slowdown].verdict: "
            "the report has not reproduced, the raw seconds give reproduced"
        )
    ]


def strip(value, name):
    """JSON without any key of that name."""
    if isinstance(value, dict):
        return {key: strip(each, name) for key, each in value.items() if key != name}
    return [strip(each, name) for each in value] if isinstance(value, list) else value


def test_figures_that_an_earlier_version_did_not_write_are_told_apart(folder):
    path = folder / STORED
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(strip(strip(stored, "memory_bytes"), "joint_confidence")))
    found = verify(folder)
    assert found.agrees
    assert found.lacking == len(stored["cells"]) + 1
    assert found.sentences[0].startswith("agrees: ")
    assert found.sentences[1] == (
        f"the report was written by an earlier version and lacks {found.lacking} figures; "
        f"rewrite it with `harness report {folder}`"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored["cells"][0].pop("memory_bytes"),  # of one row, where the others have it
        lambda stored: stored["cells"].pop(),
        lambda stored: stored.update(documented=[]),
        lambda stored: [each.update(percentiles={}) for each in stored["cells"]],
        lambda stored: [each["percentiles"].pop("0.9") for each in stored["cells"] if each["percentiles"]],
        lambda stored: stored["cells"][0].update(call=None),
    ],
)
def test_what_was_taken_out_of_a_report_disagrees(folder, change):
    path = folder / STORED
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    found = verify(folder)
    assert not found.agrees
    assert found.lacking == 0


def test_one_edited_second_moves_a_verdict_and_the_command_names_it(tmp_path):
    """Two launches of three samples each: the challenger leads by 10 %, and one second more lets it lead no more."""
    suite = SUITE | {"documented": None}
    maker = Maker(suite, COSTS | {"student": lambda n, b: 0.9 * COSTS["teacher"](n, b)}, sigma=1e-4, launch_sigma=1e-4)
    folder = write(maker.table(launches=2, rounds=1), tmp_path / "run")
    path = folder / MEASUREMENTS
    lines = path.read_text().splitlines(keepends=True)
    place = next(
        i for i, line in enumerate(lines) if '"contender":"student","heads":1024,"batch_size":1,' in line
    )  # fmt: skip
    record = json.loads(lines[place])
    assert len(record["sampled"]["seconds"]) == 1
    record["sampled"]["seconds"][0] *= 1.3
    lines[place] = json.dumps(record) + "\n"
    path.write_text("".join(lines))
    done = called("verify", folder)
    assert done.returncode == 1
    assert re.search(
        r"^verdict moved: races\[best N=1024 B=1\]\.leader: "
        r"the report has challenger, the raw seconds give nothing$",
        done.stdout,
        re.MULTILINE,
    ), done.stdout


def test_a_run_without_a_report_says_how_to_get_one(folder):
    (folder / STORED).unlink()
    with pytest.raises(RecordsError, match=r"there is no report.json to compare with; write it with `harness report"):
        verify(folder)
