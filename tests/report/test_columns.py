"""Tables of plain text: whole words at 80 columns, everything on one line where there is room."""

from __future__ import annotations

import re

import pytest

from harness.report.columns import grid, sentence

HEADERS = ("contender", "N", "batch", "new / old", "95 % interval", "95 % jointly", "verdict")
ROWS = [
    ("teacher-torchscript", "16,384", "256", "1.013", "0.981 to 1.046", "0.958 to 1.071", "inconclusive"),
    ("student", "18", "1", "1.000", "0.999 to 1.001", "0.998 to 1.002", "same"),
]


def test_a_row_is_one_line_where_there_is_room_and_in_a_pipe():
    for width in (None, 200, 120):
        lines = grid(ROWS, HEADERS, width).splitlines()
        assert len(lines) == 4
        assert lines[2].split("  ")[0] == "teacher-torchscript"


@pytest.mark.parametrize("width", [80, 90])
def test_what_does_not_fit_is_wrapped_between_words(width):
    text = grid(ROWS, HEADERS, width)
    assert max(map(len, text.splitlines())) <= width
    words = {word for row in (HEADERS, *ROWS) for entry in row for word in entry.split()}
    assert set(re.findall(r"[^\s]+", text)) - words - {"-" * n for n in range(99)} == set()


def test_names_are_broken_behind_hyphens_only_where_there_is_no_other_way():
    row = ("teacher-torchscript-compiled-with-everything", "x" * 30)
    lines = grid([row], ("contender", "what"), 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert [line.split()[0] for line in lines[2:]] == ["teacher-torchscript-", "compiled-with-everything"]


def test_a_table_narrower_than_its_words_is_broken_anywhere():
    assert max(map(len, grid([("y" * 50, "z" * 50)], ("a", "b"), 40).splitlines())) <= 40
    assert max(map(len, grid(ROWS, HEADERS, 60).splitlines())) <= 60


def test_an_empty_table_has_its_headings():
    assert grid([], HEADERS, 80).splitlines()[0].split() == " ".join(HEADERS).split()


def test_a_sentence_goes_on_below_its_text():
    assert sentence("  one two three", 11) == "  one two\n    three"
    assert sentence("  one two three") == "  one two three"
