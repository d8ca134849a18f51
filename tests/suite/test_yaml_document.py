"""YAML as data that knows its lines, what of YAML is not read, and what `--set` changes."""

from __future__ import annotations

import pytest

from harness.suite.yaml_document import parse

TEXT = """\
name: mine
heads:
  from: 4
  to: 1024
races:
  - name: best
    batch_sizes: [1,
      32]
"""


def document(text=TEXT):
    found = parse(text, "mine.yaml")
    assert found.problems == ()
    return found.document


def problems(text):
    return [str(each) for each in parse(text, "mine.yaml").problems]


def test_data_are_plain():
    races = [{"name": "best", "batch_sizes": [1, 32]}]
    assert document().data == {"name": "mine", "heads": {"from": 4, "to": 1024}, "races": races}
    assert document("").data is None
    assert document("a: 2026-01-02\nb: 1e3\nc: ~\nd: yes\ne: 0x10\nf: '007'").data == {
        "a": "2026-01-02", "b": "1e3", "c": None, "d": True, "e": 16, "f": "007",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "at_key", "line"),
    [
        (("name",), False, 1),
        (("heads",), False, 3),  # its value begins there
        (("heads",), True, 2),
        (("heads", "to"), False, 4),
        (("heads", "points"), False, 2),  # not written: what it belongs to
        (("races", 0, "batch_sizes"), False, 7),
        (("races", 0, "batch_sizes", 1), False, 8),
        (("races", 5, "x"), False, 5),
        (("absent",), False, 1),
        ((), False, 1),
    ],
)
def test_a_problem_has_the_line_of_the_nearest_part_that_was_written(path, at_key, line):
    found = document().problem(path, "is wrong", "write it", at_key=at_key)
    assert (found.file, found.line, found.hint) == ("mine.yaml", line, "write it")


def test_a_problem_of_the_whole_is_the_suites():
    assert str(document().problem((), "is wrong")) == "mine.yaml:1: suite: is wrong"
    assert str(document().problem(("races", 0, "name"), "is wrong")) == "mine.yaml:6: races[0].name: is wrong"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", "mine.yaml:3: a: is a duplicate key, first on line 1; keep one of them"),
        ("a: 010", "mine.yaml:1: a: the number 010 begins with a zero; write 10, or quote it if it is text"),
        ("a: 00", "mine.yaml:1: a: the number 00 begins with a zero; write 0, or quote it if it is text"),
        (
            "a:\n- 1:30",
            "mine.yaml:2: a[0]: 1:30 is read as a number in base 60; write it as seconds, or quote it if it is text",
        ),
        ("a: .inf", "mine.yaml:1: a: must be a finite number, got .inf; leave the key out for no limit"),
        ("a: 9223372036854775808", "mine.yaml:1: a: must be a number below 2^63, got 9223372036854775808"),
        ("a: -9223372036854775808", "mine.yaml:1: a: must be a number below 2^63, got -9223372036854775808"),
        ('a: "x\\x07"', "mine.yaml:1: a: holds the control character \\x07; remove it"),
        ('"\\x07": 1', "mine.yaml:1: suite: the key \\x07 holds a control character; remove it"),
        ("? [1]\n: 2", "mine.yaml:1: suite: a key must be text"),
        ("a: !!python/name:os.system", "mine.yaml:1: suite: not YAML: the tag !!python/name:os.system is not read"),
        ("a: !!int x", "mine.yaml:1: suite: not YAML: 'x' is no whole number"),
        ("a:\n\t- 1", "indent with spaces, not tabs"),
        ("a: &x [*x]", "an alias makes this part endless, or far too large"),
        ("a: [1", "mine.yaml:1: suite: not YAML: while parsing a flow sequence"),
        ("a: b\x00", "mine.yaml:1: suite: not YAML: "),
        ("<<: 3", "mine.yaml:1: suite: not YAML: << merges mappings only"),
        ('a: 1\nb: "\\U00110000"', "mine.yaml:2: suite: not YAML: an escape sequence that stands for no character"),
        ('a: "\\UFFFFFFFF"', "mine.yaml:1: suite: not YAML: an escape sequence that stands for no character"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1", "mine.yaml:1: suite: not YAML: "),
        (f"a: !!float '1{':99' * 199}'", "mine.yaml:1: suite: not YAML: a number of 598 digits is too large"),
        (f"a: !!float '1{':9' * 199}'", "mine.yaml:1: suite: not YAML: '1:9:9:9"),
        (f"a: !!int '1{':1' * 300_000}'", "mine.yaml:1: suite: not YAML: a number of 600,001 digits is too large"),
    ],
)
def test_what_is_not_read_is_told_with_its_line(text, told):
    (found,) = problems(text)
    assert told in found


def test_the_largest_number_is_read():
    assert document("a: 9223372036854775807\nb: -9223372036854775807").data == {"a": 2**63 - 1, "b": 1 - 2**63}


def test_depth_and_length_have_their_limits():
    assert document("[" * 39 + "]" * 39).data
    assert "nested more than 40 levels deep" in problems("[" * 41 + "]" * 41)[0]
    assert problems("#" + "x" * 2**20) == [
        "mine.yaml:1: suite: is too long: 1,048,577 characters, and at most 1,048,576 are read"
    ]
    assert document("#" + "x" * (2**20 - 1)).data is None
    nine = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 6))
    assert "an alias makes this part endless, or far too large" in problems("x0: &x0 [1]\n" + nine)[0]
    assert "it holds more than 10,000 values" in problems("[" + "a," * 20_001 + "]")[0]


def test_what_a_mapping_takes_over_gives_way_to_its_own_and_to_what_came_first():
    text = "one: &one {a: 1, b: 1, c: 1}\ntwo: &two {a: 2, d: 2}\nboth: {<<: [*two, *one], b: 3}\n"
    assert document(text).data["both"] == {"a": 2, "b": 3, "c": 1, "d": 2}


def test_set_changes_a_value_and_is_named_by_problems_with_it():
    found = document()
    assert found.override("heads.to=64") is None
    assert found.data["heads"] == {"from": 4, "to": 64}
    assert str(found.problem(("heads", "to"), "is wrong")) == "--set heads.to: is wrong"
    assert str(found.problem(("heads",), "is empty")) == "--set heads.to: is empty"  # most probably by it
    assert str(found.problem(("name",), "is wrong")) == "mine.yaml:1: name: is wrong"
    assert found.override("races[0].batch_sizes=[2, 4]") is None
    assert found.data["races"][0]["batch_sizes"] == [2, 4]
    assert found.override("search.budget.samples = 3") is None  # mappings on the way are made
    assert found.data["search"] == {"budget": {"samples": 3}}


def test_set_exchanges_a_range_for_a_list_and_back():
    found = document()
    assert found.override("heads.values=[1, 2]") is None
    assert found.data["heads"] == {"values": [1, 2]}
    assert found.override("heads.from=2") is None
    assert found.data["heads"] == {"from": 2}


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("heads", "--set heads: is not an assignment; write --set key=value, such as races[0].heads.to=1024"),
        ("=3", "--set =3: is not an assignment; "),
        ("heads..to=3", "--set heads..to: is not a path; "),
        ("heads.=3", "--set heads.: is not a path; "),
        (f"races[{'9' * 5000}]=3", "is not a path; "),
        ("races[1].name=x", "--set races[1].name: races has 1 items, numbered from 0"),
        ("heads[0]=x", "--set heads[0]: heads is not a list"),
        ("name.x=1", "--set name.x: name is not a mapping"),
        ("[0]=1", "--set [0]: the suite is not a list"),
        ("name=[1", "--set name: not YAML: "),
        ("name=007", "--set name: the number 007 begins with a zero; write 7, or quote it if it is text"),
    ],
)
def test_what_cannot_be_set_is_told(assignment, told):
    found = document()
    assert told in str(found.override(assignment))
    assert found.data == document().data
