"""JSON of strangers is read as every reader reads it, and no deeper than what comes after can walk through."""

from __future__ import annotations

import json

import pytest

from harness.plain_json import parsed


def nested(levels, inner="1"):
    return "[" * levels + inner + "]" * levels


@pytest.mark.parametrize("make", [nested, lambda levels: '{"a":' * levels + "1" + "}" * levels])
def test_what_is_nested_deeper_than_a_hundred_levels_is_refused(make):
    assert parsed(make(100)) == json.loads(make(100))
    for levels in (101, 400, 900, 100_000):
        with pytest.raises(ValueError, match="it is nested too deep"):
            parsed(make(levels))
        with pytest.raises(ValueError, match="it is nested too deep"):
            parsed(make(levels).encode())


def test_many_brackets_beside_each_other_and_in_texts_are_not_deep():
    wide = [[each] for each in range(1000)]
    assert parsed(json.dumps(wide)) == wide
    assert parsed(json.dumps("[" * 1000)) == "[" * 1000


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "1e999", "12345678901234567890"])
def test_numbers_that_others_do_not_read_are_refused(text):
    with pytest.raises(ValueError, match="is not a number that can be read"):
        parsed(text)


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\udFFF": 1}', '["\\ude00\\ud83d"]', b'"\xed\xa0\x80"', b'"\xff"'])
def test_texts_that_nobody_can_write_are_refused(text):
    with pytest.raises(ValueError, match=r"half of a character|can't decode"):
        parsed(text)


def test_a_pair_that_is_a_character_is_read():
    assert (
        parsed('"\\ud83d\\ude00"')
        == parsed('"\U0001f600"')
        == parsed('\ufeff"\\ud83d\\ude00"'.encode())
        == "\U0001f600"
    )
