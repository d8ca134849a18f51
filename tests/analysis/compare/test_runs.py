"""Two runs compared: four values for a cell, two sides for a crossover, and nothing is dropped."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.analysis.compare.crossovers import change
from harness.analysis.compare.latencies import CellChange, changes, judge
from harness.analysis.compare.runs import compare
from harness.analysis.statistics import Interval
from harness.errors import UserError
from harness.plan.sweep import sweep
from harness.process.failure import Failure
from harness.records.crossovers import SearchRecord, dump
from harness.report import comparison
from harness.search.result import Crossing, Location
from harness.suite.schema import Suite
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
    assert {each.verdict for each in found.cells} <= {"same", "inconclusive"}
    assert {each.verdict for each in found.crossovers} <= {"same", "inconclusive"}
    assert found.sentence.startswith("no regression: cells: 0 slower, 0 faster, ")


def test_a_run_in_the_present_folder_has_its_folders_name(old, tmp_path, monkeypatch):
    (tmp_path / "this-run" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "this-run" / "below")
    for given, name in ((".", "below"), ("..", "this-run"), ("../../other", "other")):
        found = compare(dataclasses.replace(old, folder=Path(given)), old)
        assert found.old == name
        assert comparison.markdown(found).splitlines()[1] == f"`{name}` → `{old.name}`"


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
    verdicts = [judge(*generator.normal(0, 0.15, (2, 8)), 0.05)[-1] for _ in range(200)]
    assert verdicts.count("inconclusive") > 180
    assert verdicts.count("same") == 0
    assert judge(np.zeros(1), np.zeros(8), 0.05)[-1] == "inconclusive"


def cells(generator, sigma, number=92, launches=8):
    """One logarithm per launch of many cells whose cost is the same."""
    return {("teacher", n, 1): generator.normal(0, sigma, launches).tolist() for n in range(number)}


def test_many_noisy_cells_together_seldom_cry_wolf():
    """At 95 % each, about every third of such comparisons would find a cell slower that is not: 3 of 50 with 1e-5."""
    generator = np.random.default_rng(0)
    alone = together = 0
    for _ in range(50):
        found = list(changes(cells(generator, 0.15), cells(generator, 0.15), {"teacher": 0.05}))
        alone += any(each.alone == "slower" for each in found)
        together += any(each.verdict == "slower" for each in found)
    assert alone > 10
    assert together <= 3


def test_whole_comparisons_of_a_noisy_machine_seldom_cry_wolf():
    def noisy(seed):
        maker = Maker(seed=seed, launch_sigma=0.15).table()
        if seed < 6:
            maker.searches()
        evidence = maker.evidence()
        return dataclasses.replace(evidence, located=tuple(json.loads(dump(maker.located))["located"]))

    runs = [noisy(seed) for seed in range(24)]
    pairs = list(itertools.pairwise(runs[:6])) + list(itertools.pairwise(runs[6:]))
    assert sum(compare(*pair).regressed for pair in pairs) <= 1  # of 22, of which cells at 95 % each would take 7


def test_a_true_slowdown_is_found_among_many_cells():
    generator = np.random.default_rng(1)
    missed = 0
    for _ in range(50):
        new = cells(generator, 0.05)
        new["teacher", 40, 1] = [each + math.log(1.3) for each in new["teacher", 40, 1]]
        found = {each.heads: each.verdict for each in changes(cells(generator, 0.05), new, {"teacher": 0.05})}
        missed += found[40] != "slower"
    assert missed <= 1  # where one in eight were missed, 50 would show it but for 1 %


def test_both_confidences_are_told(old):
    found = compare(old, run(seed=1, search=False))
    assert found.confidence.startswith(
        "slower and faster hold with 95 % for all 24 cells together, that is with 99.79 % each"
    )
    assert "95 % interval" in comparison.text(found)
    assert "95 % jointly" in comparison.text(found)
    assert found.confidence in comparison.text(found)
    assert found.confidence in comparison.markdown(found)


def test_the_threshold_is_practical(old):
    new = run(seed=1, slowed={"teacher": 1.15}, search=False)
    assert {e.verdict for e in compare(old, new, 0.05).cells if e.contender == "teacher"} == {"slower"}
    assert {e.verdict for e in compare(old, new, 0.30).cells if e.contender == "teacher"} == {"same"}


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
    suite = SUITE | {"contenders": fewer, "races": SUITE["races"][1:], "documented": None, "relative_to": {}}
    found = compare(old, run(seed=1, suite=suite))
    assert "contender loop, 6 cells" in found.removed
    assert "race documented at batch 1" in found.removed
    assert found.regressed
    back = compare(run(seed=1, suite=suite), old)
    assert "contender loop, 6 cells" in back.added
    assert not back.removed


def test_a_cell_that_vanished_alone_is_named(old):
    fewer = dataclasses.replace(
        old, measurements=tuple(each for each in old.measurements if (each.contender, each.heads) != ("loop", 18))
    )
    assert compare(old, fewer).removed == ("loop at N = 18, batch 1", "loop at N = 18, batch 32")


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
    assert [each.verdict for each in compare(old.evidence(), new.evidence()).scores] == ["inconclusive"]


def test_a_score_that_is_gone_is_told():
    old = Maker().score("student", 18, 0.1, mean_cosine=0.9).score("student", 18, mean_cosine=0.9)
    new = Maker().score("student", 18, mean_cosine=0.9)
    assert compare(old.evidence(), new.evidence()).removed == ("mean cosine of student at N = 18, T = 0.1",)


def test_what_fails_now_is_a_regression():
    maker = Maker(seed=1).table().fail("student", 18, 1)
    found = compare(run(search=False), maker.evidence())
    assert found.broken == ("student at N = 18, batch 1",)
    assert found.regressed


def test_a_new_contender_that_fails_everywhere_is_told_and_is_a_regression():
    fewer = {name: each for name, each in SUITE["contenders"].items() if name != "loop"}
    suite = SUITE | {"contenders": fewer, "races": SUITE["races"][1:], "documented": None, "relative_to": {}}
    maker = Maker(seed=1).table()
    for heads, batch in itertools.product((18, 1024, 16384), (1, 32)):
        maker.fail("loop", heads, batch)
    found = compare(run(suite=suite, search=False), maker.evidence())
    assert found.added == ("contender loop, 6 cells",)
    assert found.broken == ("contender loop, 6 cells",)
    assert found.regressed
    assert not compare(maker.evidence(), maker.evidence()).regressed


def test_a_cell_that_crashed_in_its_second_launch_fails_now():
    maker = Maker(seed=1).table()
    later = [each for each in maker.measurements if each.cell == ("student", 18, 1) and each.launch > 1]
    crashed = later[0].model_copy(
        update={"outcome": "failed", "sampled": None, "failure": Failure(stage="sample", what="SIGSEGV", kind="signal")}
    )
    maker.measurements = [each for each in maker.measurements if each not in later] + [crashed]
    found = compare(run(search=False), maker.evidence())
    assert found.broken == ("student at N = 18, batch 1",)
    assert found.regressed
    assert "  fails now: student at N = 18, batch 1" in comparison.text(found)


def test_training_that_fails_now_is_told():
    old, new = (Maker().score("student", 18, mean_cosine=0.9).score("student", 1024, mean_cosine=0.9) for _ in "12")
    new.fidelities[0] = new.fidelities[0].model_copy(
        update={"scores": {}, "failure": Failure(stage="train", what="it diverged")}
    )
    found = compare(old.evidence(), new.evidence())
    assert found.broken == ("student at N = 18, seed 0, in training or scoring",)


def test_a_crossover_is_the_same_only_where_the_runs_could_tell_another():
    case = sweep(Suite.model_validate(SUITE)).cases[0]

    def at(heads, low, high, kind="smooth"):
        crossing = Crossing(heads, low, high, "challenger", 0.95, kind)
        return SearchRecord(case=case, location=Location("crossing", (crossing,), 100, (), (), 2, 4096))

    wide = change(at(113, 11, 1150), at(116, 11, 1150), 0.05)
    assert wide.verdict == "inconclusive"
    assert "the crossover may have moved by -" in wide.sentence
    assert change(at(1000, 990, 1010), at(1005, 995, 1015), 0.05).verdict == "same"
    assert change(at(1000, 900, 1100), at(1500, 1400, 1600), 0.05).verdict == "moved"
    assert change(at(1000, 900, 1100), at(500, 450, 560), 0.05).verdict == "moved"
    assert change(at(16, 16, 17, "step"), at(16, 16, 17, "step"), 0.05).verdict == "same"


def test_scores_that_cannot_be_told_apart_are_unclear_however_near_they_are():
    old, new = Maker(), Maker()
    for seed, (one, other) in enumerate([(0.90, 0.905), (0.98, 0.97)]):
        old.score("student", 18, seed=seed, mean_cosine=one)
        new.score("student", 18, seed=seed, mean_cosine=other)
    assert [each.verdict for each in compare(old.evidence(), new.evidence()).scores] == ["inconclusive"]
    assert [each.verdict for each in compare(old.evidence(), old.evidence()).scores] == ["same"]


@pytest.mark.parametrize(("bias", "verdict"), [(1.2, "slower"), (2.5, "inconclusive")])
def test_a_change_that_is_larger_than_the_bias_of_the_machine_stands(old, bias, verdict):
    maker = Maker(seed=1, slowed={"teacher": 2.0}).table().self_check(bias=bias)
    maker.searches()
    located = tuple(json.loads(dump(maker.located))["located"])
    found = compare(old, dataclasses.replace(maker.evidence(), located=located))
    assert {each.verdict for each in found.cells if each.contender == "teacher"} == {verdict}
    assert {each.verdict for each in found.cells if each.contender != "teacher"} <= {"same", "inconclusive"}
    (said,) = found.doubts
    assert said.startswith("synthetic: A/A test found a bias of")
    assert said in comparison.text(found)
    assert said in comparison.markdown(found)


def test_the_threshold_of_a_suite_holds_where_no_race_has_its_own(old):
    races = [SUITE["races"][0], SUITE["races"][1] | {"threshold": 0.1}]
    new = run(seed=1, suite=SUITE | {"threshold": 0.5, "races": races}, slowed={"teacher": 1.3, "loop": 1.3})
    found = compare(old, new)
    assert {each.verdict for each in found.cells if each.contender == "loop"} == {"same"}
    assert {each.verdict for each in found.cells if each.contender == "teacher"} == {"slower"}
    documented = [each for each in found.crossovers if each.race == "documented"]
    assert all(each.verdict != "moved" for each in documented)


def test_another_quota_of_processor_time_is_another_machine(old):
    machine = dict(old.run.machine)
    limited = machine | {"container": {"cpu.max": "150000 100000"}}
    assert compare(old, run(seed=1, search=False, machine=limited)).machine == (
        "quota of processor time: none -> 1.5 cores",
    )


def test_other_machines_are_told_in_words(old):
    found = compare(old, run(seed=1, search=False, machine={"processor": "Another", "usable_cores": 2}))
    assert not found.comparable
    assert "processor: A Processor -> Another" in found.machine
    assert "memory: 8.00 GiB -> unknown" in found.machine


def test_a_kernel_that_keeps_more_memory_to_itself_is_no_other_machine(old):
    machine = dict(old.run.machine)
    assert compare(old, run(seed=1, search=False, machine=machine | {"memory_bytes": 8 * 2**30 - 8192})).comparable
    less = compare(old, run(seed=1, search=False, machine=machine | {"memory_bytes": 6 * 2**30}))
    assert less.machine == ("memory: 8.00 GiB -> 6.00 GiB",)


def test_a_quick_run_does_not_compare_with_a_full_one(old):
    assert "one of the two is a quick run" in compare(old, run(seed=1, search=False, quick=True)).machine


def unclear(needed, known=True, threshold=0.05):
    """A cell that could not be judged, and how many launches would judge it."""
    change = Interval(1.0, 0.8, 1.2, 8) if known else Interval(1.0)
    return CellChange(
        contender="teacher", heads=18, batch_size=1, change=change, joint=change, threshold=threshold,
        verdict="inconclusive", launches_needed=needed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        ((12,), "to see a change of 5 %, run both with measurement.launches: 12"),
        ((12, 12), "to see a change of 5 %, run both with measurement.launches: 12"),
        (
            (12, 40, 3000),
            (
                "to see a change of 5 %, run both with measurement.launches: 3,000 "
                "(40 would suffice for half of the inconclusive cells)"
            ),
        ),
        ((None, 12), "to see a change of 5 %, run both with measurement.launches: 12; 1 would need too many"),
        ((None,), "no number of launches would see the threshold: reduce the machine's noise, or raise the threshold"),
        ((), ""),
    ],
)
def test_what_would_judge_the_cells_that_are_unclear(old, needed, said):
    found = dataclasses.replace(compare(old, old), cells=tuple(unclear(each) for each in needed))
    assert found.remedy == said


def test_a_single_launch_is_told_by_its_missing_interval(old):
    found = dataclasses.replace(compare(old, old), cells=(unclear(None, known=False),))
    assert found.remedy.startswith("a single launch has no interval: set measurement.launches to at least 2, better 8")


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (("inconclusive", "inconclusive"), "inconclusive"),
        (("inconclusive", "same"), "no regression"),
        (("slower", "same"), "regression"),
        (("faster",), "no regression"),
    ],
)
def test_the_verdict_is_that_of_the_cells(old, words, verdict):
    cells = tuple(dataclasses.replace(unclear(None), verdict=each) for each in words)
    found = dataclasses.replace(compare(old, old), cells=cells, crossovers=(), scores=(), broken=(), removed=())
    assert found.verdict == verdict
    assert found.open_questions == words.count("inconclusive")


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("same", "moved"), "crossovers: 1 moved of 2"),
        (("inconclusive", "moved", "same"), "crossovers: 1 moved, 1 inconclusive of 3"),
    ],
)
def test_what_could_not_be_judged_is_counted_where_there_is_some(old, verdicts, said):
    nothing = dataclasses.replace(compare(old, old), cells=(), scores=(), broken=(), removed=(), added=())
    found = dataclasses.replace(nothing, crossovers=tuple(SimpleNamespace(verdict=each) for each in verdicts))
    assert found.sentence == f"regression: {said}"
    scores = tuple(SimpleNamespace(verdict=each) for each in ("worse", "inconclusive"))
    both = dataclasses.replace(nothing, crossovers=(), scores=scores)
    assert both.sentence == "regression: scores: 1 worse, 0 better, 1 inconclusive of 2"
    assert dataclasses.replace(nothing, crossovers=()).sentence == (
        "inconclusive: nothing was measured alike in both runs"
    )
