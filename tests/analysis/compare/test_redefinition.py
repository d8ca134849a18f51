"""What changed between two runs is said before any verdict, and a redefinition is no regression."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.compare.latencies import changes, needed
from harness.analysis.compare.redefinition import redefinition
from harness.analysis.compare.runs import compare
from harness.report import comparison
from tests.analysis.compare.test_runs import run
from tests.synthetic import COSTS, SUITE, Maker, linear


@pytest.fixture(scope="module")
def old():
    return run()


def redefined(**teacher):
    contenders = SUITE["contenders"] | {"teacher": SUITE["contenders"]["teacher"] | teacher}
    return SUITE | {"contenders": contenders}


def test_a_contender_that_was_redefined_is_no_regression_whatever_it_costs(old):
    suite = redefined(options={"size": 4})
    costs = COSTS | {"teacher": linear(100, 5)}
    found = compare(old, run(seed=1, suite=suite, costs=costs))
    assert "teacher" not in {each.contender for each in found.cells}
    assert not found.regressed
    assert {each.race for each in found.crossovers} == {"documented"}  # the other race is against the teacher
    text = comparison.text(found)
    assert "changed: teacher was redefined and is not compared: options.size: absent -> 4" in text
    assert "changed: race best was redefined and is not compared: teacher was redefined" in text
    assert text.index("changed:") < text.index("no regression:")
    assert "- changed: teacher was redefined" in comparison.markdown(found)


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"versions": {"numpy": "2.5.0"}}, "numpy: 2.4.0 -> 2.5.0"),
        ({"versions": {"numpy": "2.4.0", "torch": "2.13"}}, "torch: absent -> 2.13"),
        ({"commit": "fedcba987654"}, "commit: 0123456789ab -> fedcba987654"),
        ({"offers": {}}, "projector lda: present -> absent"),
    ],
)
def test_libraries_plugins_and_commits_are_named_and_judged(old, info, sentence):
    found = compare(old, run(seed=1, slowed={"teacher": 1.5}, search=False, **info))
    assert sentence in found.changed
    assert found.regressed


def test_settings_of_the_measurement_are_named(old):
    found = compare(old, run(seed=1, suite=SUITE | {"measurement": {"launches": 3}}, search=False))
    assert any(each.startswith("measurement.launches: ") and each.endswith(" -> 3") for each in found.changed)


def test_other_data_redefine_every_contender_and_nothing_is_left_to_judge():
    one = run(search=False, source={"digest": "a", "heads": 18})
    found = compare(one, run(seed=1, slowed={"teacher": 3}, search=False, source={"digest": "b", "heads": 18}))
    assert found.cells == ()
    assert found.verdict == "inconclusive"
    assert found.sentence == "inconclusive: nothing was measured alike in both runs"
    assert "the data: a -> b" in found.changed


def test_digests_of_another_smallest_n_say_nothing_of_the_data():
    one = run(search=False, source={"digest": "a", "heads": 18})
    assert not redefinition(one, run(search=False, source={"digest": "b", "heads": 32})).contenders


def test_another_range_is_another_race(old):
    races = [SUITE["races"][0] | {"heads": {"from": 2, "to": 2048}}, SUITE["races"][1]]
    found = compare(old, run(seed=1, suite=SUITE | {"races": races}))
    assert "documented" not in {each.race for each in found.crossovers}
    assert any("range of N: 2 to 1,024 -> 2 to 2,048" in each for each in found.changed)


def test_what_only_one_of_two_suites_has_is_no_loss(old):
    fewer = {name: each for name, each in SUITE["contenders"].items() if name != "loop"}
    suite = SUITE | {"name": "another", "contenders": fewer, "races": SUITE["races"][1:], "documented": None}
    found = compare(old, run(seed=1, suite=suite | {"relative_to": {}}))
    assert "contender loop, 6 cells" in found.removed
    assert not found.regressed
    assert found.changed[0] == "suite: synthetic -> another; only what both measured is compared"


def test_where_no_cell_could_be_judged_the_comparison_is_inconclusive_and_says_what_to_do():
    runs = [Maker(seed=seed, launch_sigma=0.3).table(launches=3).evidence() for seed in (0, 1)]
    found = compare(*runs)
    assert {each.verdict for each in found.cells} == {"inconclusive"}
    assert found.verdict == "inconclusive"
    assert found.sentence.startswith("inconclusive: cells: 0 slower, 0 faster, 0 same, 24 inconclusive")
    assert found.remedy.startswith("to see a change of 5 %, run both with measurement.launches: ")
    assert found.remedy in comparison.text(found)
    assert found.remedy in comparison.markdown(found)


def test_one_launch_is_asked_to_be_more():
    found = compare(*(Maker(seed=seed).table(launches=1).evidence() for seed in (0, 1)))
    assert found.verdict == "inconclusive"
    assert found.remedy.startswith("a single launch has no interval: set measurement.launches to at least 2, better 8")


def test_a_judged_cell_is_a_verdict_though_others_are_inconclusive():
    found = compare(run(search=False), run(seed=1, slowed={"teacher": 1.05}, search=False))
    assert {each.verdict for each in found.cells} == {"same", "inconclusive"}
    assert 0 < found.open_questions < len(found.cells)
    assert found.verdict == "no regression"


def test_the_launches_asked_for_judge_a_cell_that_did_not_change():
    generator = np.random.default_rng(0)
    pilot = generator.normal(0, 0.05, 400)
    number = needed(pilot, pilot, 0.05)
    # (z of 97.5 % + z of 90 %) sqrt(2) sigma over log(1.05), squared: (3.24 * 1.414 * 0.05 / 0.0488)^2 = 22.1
    assert number == pytest.approx(23, abs=2.5)
    keys = {("teacher", 4, 1): None}
    verdicts = [
        next(
            iter(changes(*({key: generator.normal(0, 0.05, number) for key in keys} for _ in "12"), {"teacher": 0.05}))
        )
        for _ in range(300)
    ]
    assert sum(each.verdict == "same" for each in verdicts) > 0.72 * 300


@pytest.mark.parametrize("bias", [math.log1p(0.05), 0.5])
def test_no_number_of_launches_helps_against_a_bias(bias):
    assert needed([0.0, 0.1], [0.0, 0.1], 0.05, bias=bias) is None
