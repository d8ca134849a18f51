"""What a stranger wrote is shown, and never obeyed by a terminal."""

import io

import pytest

from harness.cli.output import put, say
from harness.errors import DataError, Problem
from harness.printable import one_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b2J", "\\x9b2J"),
        ("a\rb", "a\\x0db"),
        ("\udcff", "\\udcff"),
        ("\u202eabc", "\\u202eabc"),
        ("\u061cabc", "\\u061cabc"),
        ("\x1b]8;;https://x\x1b\\here", "\\x1b]8;;https://x\\x1b\\here"),
        ("\x90q\x9c", "\\x90q\\x9c"),
        ("a\U000e0041\u2062", "a\\U000e0041\\u2062"),
        ("two\nlines\tand N* ≥ 5 µs", "two\nlines\tand N* ≥ 5 µs"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text, shown):
    assert printable(text) == shown


def test_a_long_value_is_cut():
    assert one_line("x" * 100_000, 5) == "xxxxx…"
    assert one_line("a\nb") == "a b"


def test_errors_and_what_commands_print_hold_no_escape_sequence(capsys):
    assert str(DataError("bad \x1b[2J", where="\x1b]0;x\x07.npy")) == "\\x1b]0;x\\x07.npy: bad \\x1b[2J"
    assert str(Problem(file="a", line=1, path="\x1b", what="\x07")) == "a:1: \\x1b: \\x07"
    say("\x1b[31mred")
    say("\x1b[31mred", error=True)
    assert capsys.readouterr() == ("\\x1b[31mred\n", "\\x1b[31mred\n")


def test_a_document_is_written_as_it_is_but_to_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, shown in ((io.StringIO(), "a\x1b[2J\n"), (Terminal(), "a\\x1b[2J\n")):
        monkeypatch.setattr("sys.stdout", stream)
        put("a\x1b[2J\n")
        assert stream.getvalue() == shown
