from dataclasses import replace

import pytest

from harness.analysis.crossover import Crossing, Location
from harness.analysis.verdicts import ends, remarks, sentence

FIRST = Crossing(6_412, 6_118, 6_733, "challenger", 0.95, "smooth")
STEP = Crossing(16_385, 16_384, 16_385, "baseline", 0.95, "step")
FOUND = Location("crossing", (FIRST,), 400, (), (), 1, 100_000)


def said(**changes):
    return sentence(replace(FOUND, **changes), "the student", "the teacher", 32)


def test_one_crossing_is_rounded_to_what_its_interval_supports():
    assert said() == "from about 6,410 heads on (95 %: 6,110 to 6,740) the student is faster at batch 32"


def test_a_wide_interval_is_rounded_further():
    wide = Crossing(6_412, 5_118, 7_733, "challenger", 0.95, "smooth")
    assert (
        said(crossings=(wide,)) == "from about 6,400 heads on (95 %: 5,100 to 7,800) the student is faster at batch 32"
    )


@pytest.mark.parametrize(("low", "high"), [(6_118, 6_733), (5, 1_204), (99, 100), (18_111, 65_499)])
def test_ends_are_rounded_outwards_so_that_what_is_said_holds_whatever_was_found(low, high):
    told = ends(Crossing(high, low, high, "challenger", 0.95, "smooth"))
    assert 1 <= told[0] <= low
    assert told[1] >= high
    assert told[1] - told[0] <= 1.3 * (high - low)


def test_small_numbers_are_not_rounded():
    early = Crossing(37, 35, 38, "challenger", 0.999, "smooth")
    assert said(crossings=(early,)).startswith("from about 37 heads on (99.9 %: 35 to 38)")


def test_several_crossings_are_all_named():
    assert said(status="several", crossings=(FIRST, STEP)) == (
        "from about 6,410 heads on (95 %: 6,110 to 6,740) the student is faster at batch 32; "
        "from 16,385 heads on, where a cost jumps, the teacher is faster"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("below", "the student is faster throughout, from 1 to 100,000 heads, at batch 32"),
        ("above", "the teacher is faster throughout, from 1 to 100,000 heads, at batch 32"),
        (
            "tie",
            (
                "the student and the teacher do not differ beyond the precision asked for, "
                "from 1 to 100,000 heads, at batch 32"
            ),
        ),
    ],
)
def test_no_crossing_is_said_plainly(status, words):
    assert said(status=status, crossings=()) == words


def test_a_tie_says_its_margin():
    assert said(status="tie", crossings=(), margin=0.05) == (
        "no difference above 5 % between the student and the teacher anywhere from 1 to 100,000 heads, at batch 32"
    )


def test_an_extrapolated_crossing_is_called_so():
    beyond = Crossing(120_000, 100_000, 150_000, "challenger", 0.0, "smooth")
    assert said(status="above", crossings=(), extrapolated=beyond).endswith(
        "(extrapolated, not measured: it might change at about 120,000 heads)"
    )


def test_unresolved_says_what_it_lacks_and_its_bracket():
    assert said(
        status="unresolved", crossings=(), bracket=(1_024, 4_096), notes=("the budget of 60 samples is spent",)
    ) == (
        "unresolved at batch 32, the lead changes between 1,024 and 4,096 heads if it does: "
        "the budget of 60 samples is spent"
    )


def test_what_was_confirmed_is_told_beside_what_is_open():
    found = said(
        status="unresolved", crossings=(FIRST,), bracket=(16_384, 16_385), notes=("the launches do not confirm a step",)
    )
    assert found.endswith(
        ": the launches do not confirm a step; told all the same: "
        "from about 6,410 heads on (95 %: 6,110 to 6,740) the student is faster"
    )
    guessed = Crossing(2_000, 1_024, 4_096, "challenger", 0.95, "smooth")  # a bracket as a budget left it
    assert "told all the same" not in said(
        status="unresolved", crossings=(guessed,), bracket=(1_024, 4_096), notes=("x",)
    )


def test_what_is_to_be_known_beside_the_sentence_does_not_repeat_it():
    notes = ("the budget is spent", "N = 9 was left out: memory ran out")
    assert remarks(replace(FOUND, notes=notes)) == notes
    assert remarks(replace(FOUND, status="unresolved", notes=notes)) == notes[1:]


def test_n_that_were_left_out_for_one_reason_are_told_together():
    notes = tuple(f"N = {n:,} was left out: memory ran out" for n in (512, 1024, 2048, 4096, 8192, 16384))
    told = remarks(replace(FOUND, notes=(*notes, "N = 9 was left out: it crashed")))
    assert told == (
        "N = 512, 1,024, 2,048, 4,096 and 2 more were left out: memory ran out",
        "N = 9 was left out: it crashed",
    )


def test_how_a_search_saved_pairs_is_no_reservation():
    notes = ("at 7 of 14 places one pair agreed with an earlier answer", "the interval is wider than …")
    assert remarks(replace(FOUND, notes=notes)) == ("the interval is wider than …",)
