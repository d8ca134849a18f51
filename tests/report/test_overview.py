"""The screen with which a run ends: golden transcripts, one screen, nothing broken inside of words, failures once."""

from __future__ import annotations

import re
from functools import partial

import pytest

from tests.baselines import baseline
from tests.report.transcripts import FOLDER, WIDTHS, made, shown


@pytest.fixture(scope="module")
def synthetic():
    return made()


@pytest.fixture(scope="module")
def crossover():
    return baseline("crossover")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_end_of_a_run_is_as_written_down(synthetic, width):
    golden = (FOLDER / f"{width}.txt").read_text(encoding="utf-8")
    assert shown(synthetic, width) == golden, "where this is meant, run `python -m tests.report.transcripts`"


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_answers_of_the_crossover_suite_fit_a_screen(crossover, width):
    lines = shown(crossover, width).splitlines()
    assert len(lines) < 24
    assert max(len(line) for line in lines) <= width


def test_every_race_of_the_crossover_suite_is_on_a_screen_of_80_columns_with_its_map(crossover):
    text = shown(crossover, 80)
    for race in crossover.suite.races:
        assert re.search(rf"^{race.name}: ░ {race.baseline}, █ {race.challenger}$", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if re.match(r" +\d+  ", line)]
    assert len(rows) == len(crossover.searches)
    assert all("░" in row and "█" in row and row.index("░") < row.rindex("█") for row in rows)


def test_the_last_screen_of_a_report_is_the_answers(crossover):
    everything, answers = shown(crossover, 80, verbose=True), shown(crossover, 80)
    last = everything[everything.rindex("\ncrossover: 6 races") + 1 :]
    assert last.splitlines()[:-1] == answers.splitlines()[:-1]
    assert len(last.splitlines()) < 24
    assert answers.splitlines()[-1] == f"{last.splitlines()[-1]} (1 warning)"  # which is printed above with the rest
    assert len(everything.splitlines()) > 100


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_word_is_broken(crossover, width):
    """Names and numbers are whole wherever they are wrapped."""
    pieces, whole = (
        set(re.findall(r"[\w.,-]+", text(crossover, verbose=True).rpartition("\ncrossover: 6 races")[0]))
        for text in (partial(shown, width=width), partial(shown, width=10_000, is_terminal=False))
    )
    ends = {piece for word in whole for piece in _pieces(word)}
    assert pieces - whole - ends == set()
    assert max(len(line) for line in shown(crossover, width, verbose=True).splitlines()) <= width


def _pieces(word):
    """A heading may be parted behind a hyphen."""
    parts = word.split("-")
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            yield "-".join(parts[first:last]) + ("-" if last < len(parts) else "")


@pytest.mark.parametrize("verbose", [False, True])
def test_a_failure_is_named_once(synthetic, verbose):
    text = " ".join(shown(synthetic, 200, verbose=verbose).split())
    assert text.count("it answers NaN") == 1


@pytest.mark.parametrize(("suite", "first"), [("distillation", "best by cosine"), ("speed", "fastest")])
def test_a_run_without_races_ends_with_who_is_best(suite, first):
    lines = shown(baseline(suite), 80).splitlines()
    assert len(lines) < 24
    assert any(first in line for line in lines)


def test_fidelity_is_one_table_that_says_what_a_student_beats():
    text = shown(baseline("distillation"), 80, verbose=True)
    assert text.count("Fidelity on held-out queries") == 1
    table = text[text.index("Fidelity on held-out queries") :]
    assert re.search(r"│ ours-T0.1 +│ +18 │ +0.1 │ 0.99\d\d │ .* │ 3 of 3 +│", table)
    assert re.search(r"│ documented-mini-batch-T1 +│ .* │ 2 of 3 +│", table)  # beaten by linear-T1
