"""What arrives from a machine is a stranger's: nothing is doubled, nothing skipped, nothing written elsewhere."""

from __future__ import annotations

import itertools

import pytest

from harness.errors import HarnessError
from harness.fleet.copy import Copy, folder_name
from harness.fleet.messages import Chunk

LINES = [f'{{"line": "{number}é"}}\n' for number in range(6)]
WHOLE = "".join(LINES)


def chunk(first, last):
    """The lines from `first` to before `last`, as a machine sends them."""
    offset = len("".join(LINES[:first]).encode())
    return Chunk(file="measurements.jsonl", offset=offset, text="".join(LINES[first:last])).model_dump_json()


def test_parts_in_any_order_and_several_times_give_the_file_once(tmp_path):
    parts = [chunk(0, 2), chunk(2, 3), chunk(3, 6), chunk(1, 4)]
    for number, order in enumerate(itertools.permutations([*parts, parts[1]], 5)):
        copy = Copy(tmp_path / str(number), "m")
        for each in order:
            copy.take(each)
        assert (tmp_path / str(number) / "measurements.jsonl").read_text() == WHOLE
        assert copy.records == len(LINES)


def test_a_copy_that_was_cut_off_in_a_line_goes_on(tmp_path):
    path = tmp_path / "measurements.jsonl"
    path.write_bytes(WHOLE.encode()[:-4])
    copy = Copy(tmp_path, "m")
    assert copy.have()["measurements.jsonl"].size == len("".join(LINES[:5]).encode())
    copy.take(chunk(5, 6))
    assert path.read_text() == WHOLE


@pytest.mark.parametrize(
    "sent",
    [
        '{"file": "../x", "text": "a"}', '{"file": "/etc/x", "text": "a"}', '{"file": "report.html", "text": "a"}',
        '{"file": "run.json", "text": "a", "whole": false}', '{"file": "measurements.jsonl", "text": "a", "whole": true}',
        '{"file": "measurements.jsonl", "offset": -1, "text": "a"}', '{"file": "run.json", "path": "x", "text": "a"}',
        '{"file": "measurements.jsonl", "offset": 99999999999, "text": "a"}', "[]", "\x1b[31m", '{"text": 1}',
    ],
)  # fmt: skip
def test_what_is_no_part_of_a_run_is_refused_and_written_nowhere(tmp_path, sent):
    folder = tmp_path / "here" / "m"
    copy = Copy(folder, "m")
    with pytest.raises(HarnessError, match=r"^m sent ") as raised:
        copy.take(sent)
    assert "\x1b" not in str(raised.value)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_other_records_than_those_that_are_here_are_refused(tmp_path):
    copy = Copy(tmp_path, "m")
    copy.take(chunk(0, 3))
    with pytest.raises(HarnessError, match="m sent other records than those that are here"):
        copy.take(Chunk(file="measurements.jsonl", offset=0, text="x" * 99).model_dump_json())
    assert (tmp_path / "measurements.jsonl").read_text() == "".join(LINES[:3])


def test_a_gap_that_is_never_filled_takes_no_memory_for_ever(tmp_path):
    copy = Copy(tmp_path, "m")
    parts = [Chunk(file="measurements.jsonl", offset=offset, text="x").model_dump_json() for offset in range(1, 2000)]
    with pytest.raises(HarnessError, match="with a gap"):
        list(map(copy.take, parts))


def test_links_among_the_records_are_not_followed(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "run.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match="a file of records is a link"):
        Copy(tmp_path / "m", "m")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("node-1.a", "node-1.a"),
        ("../../etc", "etc"),
        ("/", "machine"),
        ("", "machine"),
        (".ssh", "ssh"),
        ("a\0b c", "a_b_c"),
    ],
)
def test_a_machines_name_is_no_path(name, folder):
    assert folder_name(name) == folder
