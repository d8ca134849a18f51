"""Suites of plain functions, three rivals, and the words that answers about functions use."""

from __future__ import annotations

import dataclasses

import pytest

from harness import units
from harness.analysis.answer import race_answer
from harness.analysis.standings import standings
from harness.commands import race
from harness.errors import SuiteError, UserError
from harness.functions.callee import as_callee, named
from harness.plan.check import check_suite
from harness.plan.function_groups import distinct, spelled
from harness.plan.plan import plan
from harness.plan.sweep import SearchCase
from harness.process import allocator
from harness.records.crossovers import SearchRecord
from harness.search.result import Crossing, Location, Probe
from harness.search.wording import sentence
from harness.suite import loading

MINE = """
import itertools
import random

def numbers(n, seed):
    generator = random.Random(seed)
    return [generator.random() for _ in range(n)]

def direct(xs):
    return sorted(xs)[:3]

def in_place(xs):
    xs.sort()
    return xs[:3]
"""
SUITE = """
name: smallest
setup: mine:numbers
size_label: n, numbers
sizes: {from: 4, to: 4k}
contenders:
  direct: {function: "mine:direct"}
  in-place: {function: "mine.py:in_place"}
races:
  - {name: smallest, baseline: direct, challenger: in-place}
documented:
  source: a comment in mine.py
  figures:
    - {race: smallest, batch_size: 1, crossover: 100}
"""


@pytest.fixture
def suite(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # functions are looked for beside the suite
    return tmp_path / "suite.yaml"


def test_a_suite_of_functions_is_planned(suite):
    loaded = loading.load(suite)
    made = plan(loaded, check_suite(loaded))
    (case,) = made.sweep.cases
    assert (case.low, case.high, case.batch_size, case.counts) == (4, 4000, 1, "n")
    assert made.specifications["in-place"].function.fresh
    assert "sha256" in made.offers["function mine.py:in_place"]
    assert made.offers["allocator"] == allocator.state(functions=True)
    assert any("changes its input" in each for each in made.warnings)
    assert made.suite.size_title == "n, numbers"


def test_mistakes_are_told_in_the_words_of_the_suite(suite):
    suite.write_text(
        SUITE.replace("from: 4,", "from: 9k,").replace('"mine:direct"}', '"mine:direct", trainer: {use: x}}')
    )
    with pytest.raises(SuiteError) as told:
        loading.load(suite)
    assert "sizes: the range from 9,000 to 4,000 is empty" in str(told.value)
    assert "contenders.direct: a function takes no trainer" in str(told.value)


def test_each_function_has_as_many_threads_as_it_was_given_and_the_answer_says_so(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    made = race.plan(["mine:direct", "mine:in_place"], setup="mine:numbers", low=4, high=64, threads=[1, 2])
    assert {name: each.threads for name, each in made.specifications.items()} == {"direct": 1, "in_place": 2}
    assert "cores used: direct on 1; in_place on 2" in made.warnings
    with pytest.raises(UserError, match="threads are given for 3 of 2 functions"):
        race.plan(["mine:direct", "mine:in_place"], threads=[1, 2, 3])


def location(low, high, status="crossing", crossings=()):
    return Location(status=status, crossings=crossings, low=low, high=high, samples=0, probes=(), notes=())


def crossing(heads, direction="challenger"):
    return Crossing(heads, heads - 10, heads + 10, direction, 0.95, "smooth")


def test_three_rivals_are_answered_by_who_leads_where():
    """By pairs c overtakes a at 741, and b leads from 150 to 3,000 all the same."""
    found = {
        ("a", "b"): location(1, 10_000, crossings=(crossing(150),)),
        ("a", "c"): location(1, 10_000, crossings=(crossing(741),)),
        ("b", "c"): location(1, 10_000, crossings=(crossing(3000),)),
    }
    found = {pair: dataclasses.replace(each, notes=("alike",)) for pair, each in found.items()}
    found["b", "c"] = dataclasses.replace(found["b", "c"], notes=("alike", "the challenger is slow at N = 9"))
    cases = {
        pair: SearchCase(race="-".join(pair), baseline=pair[0], challenger=pair[1], batch_size=1, low=1, high=9)
        for pair in found
    }
    answer = standings([SearchRecord(case=cases[pair], location=each) for pair, each in found.items()])
    assert [(each.low, each.high, each.leader) for each in answer.spans] == [
        (1, 149, "a"), (150, 2999, "b"), (3000, 10_000, "c"),
    ]  # fmt: skip
    assert [answer.leader(n) for n in (1, 741, 5000, 20_000)] == ["a", "b", "c", None]
    assert answer.notes == ("alike", "c against b: c is slow at n = 9")
    assert str(answer).startswith(
        "a leads from n = 1 to 149; b leads from n = 150 to 2,999 (begins between 140 and 160)"
    )


def test_a_rival_that_was_seen_to_lead_is_named_although_a_race_was_left_open():
    """Two of three rivals are nearly alike; the third one is five times slower, and known to be."""
    probes = tuple(Probe(n, 0.01, -0.02, 0.04, 9, 2) for n in (1, 100, 1000))
    slower = tuple(
        Probe(n, ratio, ratio - 0.1, ratio + 0.1, 9, 2) for n, ratio in ((1, -1.6), (100, -1.6), (1000, 0.9))
    )
    found = {
        ("a", "b"): dataclasses.replace(location(1, 1000, "unresolved"), probes=probes),
        ("a", "c"): dataclasses.replace(location(1, 1000, "unresolved"), probes=slower, bracket=(100, 1000)),
        ("b", "c"): location(1, 1000, crossings=(crossing(800),)),
    }
    cases = {
        pair: SearchCase(race="-".join(pair), baseline=pair[0], challenger=pair[1], batch_size=1, low=1, high=1000)
        for pair in found
    }
    records = [SearchRecord(case=cases[pair], location=each) for pair, each in found.items()]
    answer = standings(records, {"c": "c (of C)"})
    assert [(each.low, each.high, each.leader, each.among) for each in answer.spans] == [
        (1, 799, None, ("a", "b")), (800, 999, None, ("a", "c (of C)")), (1000, 1000, "c (of C)", ()),
    ]  # fmt: skip
    assert str(answer).endswith("c (of C) leads from n = 1,000 to 1,000 (seen, not confirmed)")


def test_the_answer_of_two_functions_prints_as_a_sentence_with_the_names_that_the_user_gave():
    case = SearchCase(race="x", baseline="a", challenger="c", batch_size=1, low=1, high=9999, counts="n")
    found = race_answer(
        SearchRecord(case=case, location=location(1, 9999, crossings=(crossing(780),))), "a", "c (of C)"
    )
    assert str(found) == "c (of C) is faster above about n = 780 (95 % CI 770 to 790)"
    assert isinstance(found, Location)


def test_answers_about_functions_have_no_heads():
    said = sentence(location(1, 9999, crossings=(crossing(780),)), "fft", "direct", 1, of_heads=False)
    assert said == "fft is faster above about n = 780 (95 % CI 770 to 790)"
    said = sentence(location(1, 9999, status="below"), "fft", "direct", 1, of_heads=False)
    assert said == "fft is faster throughout, from n = 1 to 9,999"


def test_every_name_of_a_function_becomes_one_of_a_contender():
    paths = ["mine:_old", "mine:größer", f"mine:{'g' * 120}", "mine:f", "yours:f"]
    names = list(distinct([named(each) for each in paths]))
    assert names[:2] == ["_old", "größer"]
    assert len(names[2]) <= 96
    assert names[3:] == ["mine.f", "yours.f"]
    alike = distinct([as_callee(lambda n: n), as_callee(lambda n: 0)], ["a | b", "a, b"])
    assert {name: each.label for name, each in alike.items()} == {"a-b": "a | b", "a-b-2": "a, b"}
    assert spelled("SciPy (direct)") == "SciPy-direct"


@pytest.mark.parametrize("text", ["6,4k", "1,02", "1,0240", "0x10"])
def test_a_number_with_a_comma_that_groups_nothing_is_refused(text):
    with pytest.raises(UserError, match="is not a whole number"):
        units.parse_count(text)
    assert units.parse_count("6,400") == 6400


def test_a_list_of_numbers_that_may_be_one_number_is_refused():
    with pytest.raises(UserError, match="--steps '1,024' may be one number or several; write 1024 without a comma"):
        units.parse_counts("1,024", "--steps")
    assert units.parse_counts("16,2048", "--steps") == [16, 2048]


def test_a_range_beyond_what_floating_point_tells_apart_is_refused():
    with pytest.raises(UserError, match="ends above"):
        units.parse_range("2:1e20")
