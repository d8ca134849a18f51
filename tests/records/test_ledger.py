"""What a file of records must hold."""

from __future__ import annotations

import pytest

from harness.records.ledger import Ledger


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "measurements.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": 2}\n')
    return path


def test_a_file_is_known_until_it_changes(path):
    ledger = Ledger.of(path)
    assert ledger.is_unchanged(path)
    with path.open("ab") as file:
        file.write(b'{"c": 3}\n')
    assert not ledger.is_unchanged(path)
    with path.open("rb") as file:
        ledger.note(file, [b'{"c": 3}\n'])
    assert ledger.is_unchanged(path)
    path.replace(path.with_name("gone"))
    assert not ledger.is_unchanged(path)
    path.write_bytes(path.with_name("gone").read_bytes())  # the same bytes in another file
    assert not ledger.is_unchanged(path)


@pytest.mark.parametrize(
    ("found", "keep", "append"),
    [
        (b'{"a": 1}\n{"b": 2}\n', 18, b""),
        (b"", 0, b'{"a": 1}\n{"b": 2}\n'),
        (b'{"b": 2}\n', 9, b'{"a": 1}\n'),
        (b'{"b":2}\n{ "a": 1 }\n', 19, b""),  # laid out by an editor
        (b'{"a": 1}\n{"b"', 9, b'{"b": 2}\n'),  # half of a line is cut off
        (b'{"a": 1}\n{"b": 2}', 17, b"\n"),  # whole, without its end
        (b'{"x": 9}\n', 9, b'{"a": 1}\n{"b": 2}\n'),  # what another process wrote stays
        (b"nonsense\n", 9, b'{"a": 1}\n{"b": 2}\n'),
    ],
)
def test_what_is_missing_is_appended_and_whole_lines_stay(path, found, keep, append):
    assert Ledger.of(path).missing(found) == (keep, append)
