"""Two runs compared: four values for a cell, two sides for a crossover, and nothing is dropped."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from harness.analysis.located import dump
from harness.analysis.regression import compare, judge
from harness.errors import UserError
from tests.synthetic import COSTS, SUITE, Maker, linear


def run(*, seed=0, suite=SUITE, costs=COSTS, slowed=None, search=True, name="run", **info):
    """A made-up run as evidence with its stored answers."""
    maker = Maker(suite, costs, seed=seed, slowed=slowed).table()
    if search:
        maker.searches()
    evidence = maker.evidence(**info)
    return dataclasses.replace(evidence, located=tuple(json.loads(dump(maker.located))["located"]))


@pytest.fixture(scope="module")
def old():
    return run()


def test_an_a_a_comparison_finds_nothing(old):
    found = compare(old, run(seed=1))
    assert not found.regressed
    assert {each.verdict for each in found.cells} <= {"same", "unclear"}
    assert {each.verdict for each in found.crossovers} <= {"same", "unclear"}
    assert found.sentence.startswith("no regression: cells: 0 slower, 0 faster, ")


def test_a_a_comparisons_seldom_cry_wolf():
    base = run(search=False)
    assert sum(compare(base, run(seed=seed, search=False)).regressed for seed in range(1, 13)) <= 1


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "slower"), (0.7, "faster"), (1.001, "same")])
def test_a_cell_has_one_of_four_values(old, factor, verdict):
    found = compare(old, run(seed=1, slowed={"teacher": factor}, search=False))
    values = [each for each in found.cells if each.contender == "teacher"]
    assert {each.verdict for each in values} == {verdict}
    assert all(each.change.contains(factor) or abs(each.change.value / factor - 1) < 0.05 for each in values)


def test_noise_is_unclear_and_not_the_same():
    generator = np.random.default_rng(0)
    verdicts = [judge(*generator.normal(0, 0.15, (2, 8)), 0.05)[1] for _ in range(200)]
    assert verdicts.count("unclear") > 180
    assert verdicts.count("same") == 0
    assert judge(np.zeros(1), np.zeros(8), 0.05)[1] == "unclear"


def test_the_threshold_is_practical(old):
    new = run(seed=1, slowed={"teacher": 1.10}, search=False)
    assert {e.verdict for e in compare(old, new, 0.05).cells if e.contender == "teacher"} == {"slower"}
    assert {e.verdict for e in compare(old, new, 0.20).cells if e.contender == "teacher"} == {"same"}


def test_the_threshold_of_a_race_holds_for_its_contenders(old):
    suite = SUITE | {"races": [SUITE["races"][0], SUITE["races"][1] | {"threshold": 0.5}]}
    found = compare(old, run(seed=1, suite=suite, slowed={"teacher": 1.3, "loop": 1.3}, search=False))
    assert {each.verdict for each in found.cells if each.contender == "teacher"} == {"same"}
    assert {each.verdict for each in found.cells if each.contender == "loop"} == {"slower"}


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_crossover_that_moves_either_way_is_news(old, factor):
    costs = COSTS | {"student": linear(8 + 172 * factor, 0, 0.5 + 59.5 * factor)}
    found = compare(old, run(seed=1, costs=costs))
    moved = [each for each in found.crossovers if each.race == "best"]
    assert {each.verdict for each in moved} == {"moved"}
    assert found.regressed
    assert moved[0].sentence.startswith(f"best at batch 1: the crossover moved by {'+' if factor > 1 else '-'}")
    assert " before, " in moved[0].sentence


def test_vanished_and_appeared_cells_and_races_are_told(old):
    fewer = {name: each for name, each in SUITE["contenders"].items() if name != "loop"}
    suite = SUITE | {"contenders": fewer, "races": SUITE["races"][1:], "documented": None}
    found = compare(old, run(seed=1, suite=suite))
    assert "contender loop, 6 cells" in found.vanished
    assert "race documented at batch 1" in found.vanished
    assert found.regressed
    back = compare(run(seed=1, suite=suite), old)
    assert "contender loop, 6 cells" in back.appeared
    assert not back.vanished


def test_a_cell_that_vanished_alone_is_named(old):
    fewer = dataclasses.replace(
        old, measurements=tuple(each for each in old.measurements if (each.contender, each.heads) != ("loop", 18))
    )
    assert compare(old, fewer).vanished == ("loop at N = 18, batch 1", "loop at N = 18, batch 32")


def test_runs_without_anything_in_common_are_not_compared(old):
    others = tuple(each.model_copy(update={"contender": f"another {each.contender}"}) for each in old.measurements)
    with pytest.raises(UserError, match="have no cell, race or score in common; compare two runs of one suite"):
        compare(old, dataclasses.replace(old, measurements=others, located=()))


@pytest.mark.parametrize(
    ("cosines", "verdict", "regressed"),
    [
        ((0.98, 0.981), "same", False),
        ((0.98, 0.93), "worse", True),
        ((0.93, 0.98), "better", False),
    ],
)
def test_a_student_that_is_less_right_is_a_regression(cosines, verdict, regressed):
    runs = [Maker().score("student", 18, 0.1, mean_cosine=cosine, top1_agreement=0.9).evidence() for cosine in cosines]
    found = compare(*runs)
    assert {each.score.word: each.verdict for each in found.scores} == {
        "mean cosine": verdict,
        "top-1 agreement": "same",
    }
    assert found.regressed is regressed
    assert f"scores: {int(verdict == 'worse')} worse, {int(verdict == 'better')} better of 2" in found.sentence


def test_seeds_that_disagree_leave_a_score_unclear():
    old, new = Maker(), Maker()
    for seed, cosine in enumerate((0.90, 0.98)):
        old.score("student", 18, seed=seed, mean_cosine=cosine)
    new.score("student", 18, mean_cosine=0.91)
    assert [each.verdict for each in compare(old.evidence(), new.evidence()).scores] == ["unclear"]


def test_a_score_that_is_gone_is_told():
    old = Maker().score("student", 18, 0.1, mean_cosine=0.9).score("student", 18, mean_cosine=0.9)
    new = Maker().score("student", 18, mean_cosine=0.9)
    assert compare(old.evidence(), new.evidence()).vanished == ("mean cosine of student at N = 18, T = 0.1",)


def test_what_fails_now_is_a_regression():
    maker = Maker(seed=1).table().fail("student", 18, 1)
    found = compare(run(search=False), maker.evidence())
    assert found.broken == ("student at N = 18, batch 1",)
    assert found.regressed


def test_other_machines_are_told_in_words(old):
    found = compare(old, run(seed=1, search=False, machine={"processor": "Another", "usable_cores": 2}))
    assert not found.comparable
    assert "processor was A Processor, is Another" in found.machine
    assert "memory was 8.00 GiB, is unknown" in found.machine


def test_a_kernel_that_keeps_more_memory_to_itself_is_no_other_machine(old):
    machine = dict(old.run.machine)
    assert compare(old, run(seed=1, search=False, machine=machine | {"memory_bytes": 8 * 2**30 - 8192})).comparable
    less = compare(old, run(seed=1, search=False, machine=machine | {"memory_bytes": 6 * 2**30}))
    assert less.machine == ("memory was 8.00 GiB, is 6.00 GiB",)


def test_a_quick_run_does_not_compare_with_a_full_one(old):
    assert "one of the two is a quick run" in compare(old, run(seed=1, search=False, quick=True)).machine
