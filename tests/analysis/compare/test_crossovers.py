"""What became of a crossover between two runs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.analysis.compare.crossovers import change
from harness.search.result import Crossing
from tests.search.answers import answer, crossing, failures


def compared(before, after, threshold=0.2):
    case = SimpleNamespace(race="race", batch_size=4)
    return change(*(SimpleNamespace(case=case, location=each) for each in (before, after)), threshold)


def at(heads, low, high, direction="challenger"):
    return answer("crossing", crossing(heads, direction, low, high))


@pytest.mark.parametrize(
    ("before", "after", "verdict", "why"),
    [
        (at(100, 99, 101), at(100, 99, 101), "same", "did not move"),
        (at(100, 99, 101), at(150, 149, 151), "moved", "moved by +50%"),
        (at(150, 149, 151), at(100, 99, 101), "moved", "moved by -33%"),
        (at(100, 80, 125), at(110, 90, 140), "inconclusive", "may have moved by -19% to +53%"),
        (at(100, 99, 101), at(100, 99, 101, "baseline"), "moved", "is of another kind"),
        (at(100, 99, 101), answer("below"), "moved", "is of another kind"),
        (answer("tie"), answer("tie"), "same", "did not move"),
        (at(100, 99, 101), answer("unresolved"), "inconclusive", "is unresolved in at least one of the runs"),
        (answer("unresolved"), answer("below"), "inconclusive", "is unresolved in at least one of the runs"),
    ],
)
def test_a_verdict_rests_on_the_interval_of_the_change(before, after, verdict, why):
    found = compared(before, after)
    assert found.verdict == verdict
    assert found.sentence.startswith(f"race at batch 4: the crossover {why}: ")


def test_one_crossing_that_moved_outweighs_those_that_did_not():
    def both(first, second):
        return answer(
            "several",
            crossing(first, low=first - 1, high=first + 1),
            crossing(second, "baseline", second - 1, second + 1),
        )

    assert compared(both(100, 500), both(200, 500)).verdict == "moved"
    assert compared(both(100, 300), both(100, 600)).sentence.startswith("race at batch 4: the crossover moved by +100%")


def test_a_step_has_no_width_and_an_n_star_lies_within_its_interval():
    step = answer("crossing", Crossing(65, 64, 65, "challenger", 0.95, "step"))
    found = compared(step, step, 0.01)
    assert (found.verdict, found.before) == ("same", "65 (64 to 65)")
    outside = answer("crossing", Crossing(100, 120, 130, "challenger", 0.95, "smooth"))
    assert compared(outside, outside, 0.01).verdict == "inconclusive"  # 100 to 130, and not 120 to 130


@pytest.mark.parametrize(
    ("location", "said"),
    [
        (answer("below"), "challenger leads throughout"),
        (answer("above"), "baseline leads throughout"),
        (answer("tie"), "no difference"),
        (answer("unresolved"), "unresolved"),
        (answer("several", crossing(1000, low=900, high=1100), crossing(5000, low=4000, high=6000)),
         "1,000 (900 to 1,100), 5,000 (4,000 to 6,000)"),
        (answer("above", measured=(1, 500), failures=(failures(501, 1000, 500, None),)), "baseline leads from N = 1 to 500"),
    ],
)  # fmt: skip
def test_answers_in_words(location, said):
    assert compared(location, location).before == said
