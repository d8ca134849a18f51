"""Output to where the encoding is not UTF-8."""

from __future__ import annotations

import io

import pytest

from harness.cli.encoding import tolerate


@pytest.mark.parametrize(
    ("encoding", "text", "written"),
    [
        ("ascii", "a → b … 2\u00d7", "a -> b ... 2x"),
        ("ascii", "☃", "\\u2603"),
        ("cp1252", "2\u00d7 …", "2\u00d7 …"),  # it has both
        ("cp1252", "→ 🔴 slower", "-> (!) slower"),
        ("utf-8", "→ ☃", "→ ☃"),
    ],
)
def test_what_an_encoding_lacks_is_spelled_plainly(encoding, text, written):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    tolerate([stream])
    stream.write(text)
    stream.flush()
    assert raw.getvalue().decode(encoding) == written


def test_a_stream_that_has_its_own_way_with_errors_keeps_it():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    tolerate([stream])
    assert stream.errors == "replace"


def test_a_stream_without_an_encoding_is_left_alone():
    tolerate([io.StringIO()])
