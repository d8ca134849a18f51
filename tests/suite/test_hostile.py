"""Suites that nobody would write by mistake are refused with a sentence and its line."""

import pytest

from harness import validation
from harness.errors import SuiteError, UserError
from harness.suite import consistency, loading
from harness.suite.schema import Suite
from harness.units import parse_count, parse_size

HONEST = """\
name: small
source: {use: playbook}
heads: {from: 2, to: 64}
contenders:
  a: {projector: lda-loop, runtime: python}
  b: {projector: lda, runtime: python}
"""


def sentence(text: str, **given) -> str:
    with pytest.raises(SuiteError) as caught:
        loading.load(None, text=text, **given)
    return str(caught.value)


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan"])
def test_a_number_that_is_not_finite_is_refused_with_its_line(value):
    said = sentence(f"{HONEST}measurement:\n  deadline_seconds: {value}\n")
    assert (
        said == f"suite:8: measurement.deadline_seconds: must be a finite number, got {value}; "
        "leave the key out for no limit"
    )


def test_a_number_beyond_all_floats_is_refused_with_its_line():
    said = sentence(f"{HONEST}measurement:\n  deadline_seconds: 1e400\n")
    assert said.startswith("suite:8: measurement.deadline_seconds: ")


def test_a_number_that_is_not_finite_is_refused_in_options_too():
    said = sentence(HONEST.replace("{use: playbook}", "{use: playbook, options: {temperature: .inf}}"))
    assert said.startswith("suite:2: source.options.temperature: must be a finite number, got .inf")


def test_a_number_that_is_not_finite_is_refused_on_the_command_line():
    said = sentence(HONEST, overrides=["measurement.deadline_seconds=.inf"])
    assert said.startswith("--set measurement.deadline_seconds: must be a finite number, got .inf")


def test_a_suite_made_in_memory_takes_no_infinite_deadline():
    with pytest.raises(ValueError, match="finite number"):
        Suite.model_validate(
            {
                "name": "x",
                "source": {"use": "playbook"},
                "heads": {"values": [1]},
                "contenders": {"a": {"projector": "lda", "runtime": "python"}},
                "measurement": {"deadline_seconds": float("inf")},
            }
        )


def test_a_deadline_that_no_clock_holds_is_refused():
    said = sentence(f"{HONEST}measurement: {{deadline_seconds: 1.0e+300}}\n")
    assert "measurement.deadline_seconds: must be at most 10000000.0, got 1e+300" in said


@pytest.mark.parametrize(
    ("written", "fewer"), [("010", "10"), ("08", "8"), ("00", "0"), ("-017", "17"), ("007.5", "7.5")]
)
def test_a_number_with_leading_zeros_is_refused(written, fewer):
    said = sentence(HONEST.replace("to: 64", f"to: {written}"))
    assert said.startswith(f"suite:3: heads.to: the number {written} begins with a zero; write {fewer}, or quote it")


def test_leading_zeros_are_refused_on_the_command_line():
    with pytest.raises(UserError, match="'008' begins with a zero; write 8"):
        parse_count("008")
    assert (parse_count("0"), parse_count("1e6"), parse_count("6,400")) == (0, 1_000_000, 6400)


def test_a_number_to_the_base_of_60_is_refused():
    said = sentence(f"{HONEST}measurement: {{deadline_seconds: 12:30}}\n")
    assert said.startswith(
        "suite:7: measurement.deadline_seconds: 12:30 is read as a number in base 60; write it as seconds"
    )


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ('"\\e[31mred"', "suite:7: description: holds the control character \\x1b; remove it"),
        ('"\\ud800"', "suite:7: description: holds the control character \\ud800; remove it"),
        ("!!bool x", "suite:7: not YAML: 'x' is no true or false"),
        ("!!int x", "suite:7: not YAML: 'x' is no whole number"),
        ("9" * 5000, "suite:7: not YAML: a number of 5,000 digits is too large"),
        ("[" * 300 + "]" * 300, "suite:7: not YAML: nested more than 40 levels deep"),
        ("!!pairs [a: 1]", "suite:7: not YAML: the tag !!pairs is not read; a suite holds plain values only"),
        ("!!omap [a: 1]", "suite:7: not YAML: the tag !!omap is not read; a suite holds plain values only"),
        ("!!binary aGk=", "suite:7: not YAML: the tag !!binary is not read; a suite holds plain values only"),
        (
            "100000000000000000000000000000",
            "suite:7: description: must be a number below 2^63, got 100000000000000000000000000000",
        ),
    ],
)
def test_what_no_suite_holds_is_refused_with_its_line(value, what):
    assert what in sentence(f"{HONEST}description: {value}\n").replace(": suite: not YAML", ": not YAML")


def test_a_raw_control_character_is_refused_with_its_line():
    said = sentence(f"{HONEST}description: \x1b[31m\n")
    assert said.startswith("suite:7: suite: not YAML: unacceptable character")
    assert said.endswith("remove the control character")


def test_heads_beyond_what_floating_point_tells_apart_are_refused():
    assert "heads.to: must be at most 9007199254740992, got" in sentence(HONEST.replace("to: 64", "to: 1e29"))


@pytest.mark.parametrize("number", ["1e1000000", "1e99999999999999999999", "9" * 5000 + "k", "1e999g"])
def test_a_number_beyond_all_arithmetic_is_refused_with_its_line(number):
    said = sentence(HONEST.replace("to: 64", f"to: {number}"))
    assert said.startswith("suite:3: heads.to: ")
    assert len(said) < 500


def test_a_device_whose_number_is_no_number_is_refused_with_its_line():
    said = sentence(f"{HONEST}device: cuda:{'9' * 5000}\n")
    assert said.startswith("suite:7: device: expected a device such as cpu, cuda or cuda:1, got ")
    assert len(said) < 3000


def test_a_size_beyond_all_floats_is_none():
    with pytest.raises(UserError, match="is not a size; write it as 64MB or 1GiB"):
        parse_size("9" * 400 + "MB")


def test_a_date_is_text():
    assert loading.load(None, text=f"{HONEST}description: 2026-01-01\n").suite.description == "2026-01-01"


def test_a_path_that_no_file_can_have_is_not_there():
    said = sentence(f"{HONEST}plugins: [{'x' * 300}]\n")
    assert said.startswith("suite:7: plugins[0]: there is no file")
    assert len(said) < 600


def test_a_list_of_n_on_the_command_line_replaces_a_range_and_a_range_a_list():
    loaded = loading.load(None, text=HONEST, overrides=["heads.values=[4,8]"])
    assert loaded.suite.heads.values == (4, 8)
    listed = HONEST.replace("{from: 2, to: 64}", "{values: [4, 8]}")
    loaded = loading.load(None, text=listed, overrides=["heads.from=2", "heads.to=16"])
    assert (loaded.suite.heads.low, loaded.suite.heads.high) == (2, 16)
    said = sentence(listed, overrides=["heads.from=2"])
    assert said.startswith("suite:3: heads.to: is missing: largest N")


def test_a_mistake_in_a_value_on_the_command_line_says_what_to_write_instead():
    said = sentence(HONEST, overrides=["heads.to=010"])
    assert said == "--set heads.to: the number 010 begins with a zero; write 10, or quote it if it is text"


def test_thousands_of_mistakes_are_found_with_few_comparisons(monkeypatch):
    compared = []
    honest = validation.difflib.get_close_matches
    monkeypatch.setattr(
        validation.difflib, "get_close_matches", lambda *given, **more: compared.append(1) or honest(*given, **more)
    )
    contenders = "".join(f"  c{number}: {{projector: lda, runtime: python}}\n" for number in range(450))
    races = "".join(f"- {{name: r{n}, baseline: b{n}, challenger: c0}}\n" for n in range(600))
    said = sentence(f"{HONEST}{contenders}races:\n{races}")
    assert "no contender 'b0'" in said
    assert 0 < len(compared) <= 250
    compared.clear()
    assert "more problems" in sentence(HONEST + "".join(f"unknown{number}: 1\n" for number in range(3000)))
    assert 0 < len(compared) <= 250


def test_of_very_many_names_no_misspelling_is_looked_for():
    names = [f"name{number}" for number in range(2000)]
    assert validation.suggestion("name5x", names).endswith("name49, … (2,000 in all)")
    assert validation.suggestion("nam5", names[:100]) == "did you mean 'name5'?"
    assert validation.nearest("x" * 100_000, ["x" * 99_999]) == ""


def test_a_suite_that_multiplies_is_refused_before_it_is_spelled_out(monkeypatch):
    monkeypatch.setattr(consistency, "_idle", None)  # nothing is compared with every N
    many = ", ".join(map(str, range(1, 1001)))
    text = HONEST.replace("{from: 2, to: 64}", f"{{values: [{many}]}}") + f"batch_sizes: [{many}]\n"
    said = sentence(text)
    assert said == (
        "suite:1: suite: it asks for 2,000,000 cells (contenders, N and batch sizes), and at most 100,000 are measured: "
        "make several suites of it"
    )


def test_so_is_one_of_very_many_searches():
    races = "".join(f"- {{name: r{number}, baseline: a, challenger: b}}\n" for number in range(300))
    said = sentence(f"{HONEST}batch_sizes: [{', '.join(map(str, range(1, 41)))}]\nraces:\n{races}")
    assert "it asks for 12,000 searches, and at most 10,000 are measured: make several suites of it" in said
