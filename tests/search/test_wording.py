from dataclasses import replace

import pytest

from harness.search import Crossing, Decision, Failures, Location
from harness.search.wording import ends, remarks, sentence

FIRST = Crossing(6_412, 6_118, 6_733, "challenger", 0.95, "smooth")
STEP = Crossing(16_385, 16_384, 16_385, "baseline", 0.95, "step")
FOUND = Location("crossing", (FIRST,), 400, (), (), 1, 100_000)


def said(**changes):
    return sentence(replace(FOUND, **changes), "the student", "the teacher", 32)


def test_one_crossing_is_rounded_to_what_its_interval_supports():
    assert said() == "the student is faster above about 6,410 heads (95 % CI 6,110 to 6,740) at batch 32"


def test_the_batch_size_stands_beside_the_step():
    assert said(crossings=(STEP,)) == "the teacher is faster from 16,385 heads on at batch 32, where a cost jumps"


def test_a_wide_interval_is_rounded_further():
    wide = Crossing(6_412, 5_118, 7_733, "challenger", 0.95, "smooth")
    assert (
        said(crossings=(wide,)) == "the student is faster above about 6,400 heads (95 % CI 5,100 to 7,800) at batch 32"
    )


@pytest.mark.parametrize(("low", "high"), [(6_118, 6_733), (5, 1_204), (99, 100), (18_111, 65_499)])
def test_ends_are_rounded_outwards_so_that_what_is_said_holds_whatever_was_found(low, high):
    told = ends(Crossing(high, low, high, "challenger", 0.95, "smooth"))
    assert 1 <= told[0] <= low
    assert told[1] >= high
    assert told[1] - told[0] <= 1.3 * (high - low)


def test_small_numbers_are_not_rounded():
    early = Crossing(37, 35, 38, "challenger", 0.999, "smooth")
    assert said(crossings=(early,)).startswith("the student is faster above about 37 heads (99.9 % CI 35 to 38)")


def test_several_crossings_are_all_named():
    assert said(status="several", crossings=(FIRST, STEP)) == (
        "the student is faster above about 6,410 heads (95 % CI 6,110 to 6,740) at batch 32; "
        "the teacher is faster from 16,385 heads on, where a cost jumps"
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
        "unresolved at batch 32: the budget of 60 samples is spent; "
        "a crossover, if any, lies between N = 1,024 and 4,096"
    )


def test_what_was_confirmed_is_told_beside_what_is_open():
    found = said(
        status="unresolved", crossings=(FIRST,), bracket=(16_384, 16_385), notes=("the launches do not confirm a step",)
    )
    assert found.endswith(
        "; confirmed crossovers: the student is faster above about 6,410 heads (95 % CI 6,110 to 6,740)"
    )
    guessed = Crossing(2_000, 1_024, 4_096, "challenger", 0.95, "smooth")  # a bracket as a budget left it
    assert "confirmed crossovers" not in said(
        status="unresolved", crossings=(guessed,), bracket=(1_024, 4_096), notes=("x",)
    )


def test_what_is_to_be_known_beside_the_sentence_does_not_repeat_it():
    notes = ("the budget is spent", "the interval is wide")
    assert remarks(replace(FOUND, notes=notes)) == notes
    assert remarks(replace(FOUND, status="unresolved", notes=notes)) == notes[1:]
    assert remarks(replace(FOUND, notes=notes, details=("3 of 9 probes were accepted after one pair",))) == notes


def lost(low, high, last_good, next_good, contender="baseline"):
    return Failures(low, high, last_good, next_good, contender, "MemoryError: out of memory")


@pytest.mark.parametrize(
    ("status", "failures", "measured", "words"),
    [
        (
            "above",
            (lost(632, 20_000, 316, None),),
            (10, 316),
            "the teacher is faster from 10 to 316 heads at batch 32 and fails at 632 and above",
        ),
        (
            "below",
            (lost(632, 20_000, 316, None),),
            (10, 316),
            "the student is faster from 10 to 316 heads at batch 32; the teacher fails at 632 and above",
        ),
        (
            "below",
            (lost(632, 1_264, 316, 2_528),),
            (10, 20_000),
            "the student is faster from 10 to 20,000 heads at batch 32; the teacher fails from 632 to 1,264",
        ),
        (
            "above",
            (lost(10, 20, None, 40, "challenger"),),
            (40, 20_000),
            "the teacher is faster from 40 to 20,000 heads at batch 32; the student fails at 20 and below",
        ),
        (
            "tie",
            (lost(632, 632, 316, 1_264, ""),),
            (10, 20_000),
            (
                "the student and the teacher do not differ beyond the precision asked for, from 10 to 20,000 heads, "
                "at batch 32; N = 632 could not be measured"
            ),
        ),
    ],
)
def test_an_answer_speaks_of_what_was_measured_and_says_what_fails(status, failures, measured, words):
    assert said(status=status, crossings=(), failures=failures, measured=measured) == words
    (remark,) = remarks(replace(FOUND, failures=failures))
    assert remark.endswith("could not be measured: MemoryError: out of memory")


def test_a_failure_beside_a_crossover_is_told():
    assert said(failures=(lost(50_000, 100_000, 25_000, None, "challenger"),), measured=(1, 25_000)).endswith(
        "at batch 32; the student fails at 50,000 and above"
    )


def test_a_decision_wider_than_its_crossover_says_how_little_depends_on_it():
    decision = Decision(9_170, 11_030, 0.0212, "baseline", "challenger", 0.95)
    crossing = Crossing(9_327, 9_173, 9_476, "challenger", 0.95, "smooth")
    assert said(crossings=(crossing,), decision=decision) == (
        "the student is faster above about 9,330 heads (95 % CI 9,170 to 9,480) at batch 32; "
        "between 9,100 and 11,100 neither leads by more than 3 %"
    )
    alone = replace(decision, above=9_480)
    assert "between" not in said(crossings=(crossing,), decision=alone)
    assert "between" not in said(crossings=(crossing,), decision=replace(decision, at_most=3.2))


def test_a_zone_in_which_the_leader_is_not_sure_is_told_beside_who_leads_throughout():
    decision = Decision(900, 1_100, 0.08, "challenger", "challenger", 0.95)
    assert said(status="below", crossings=(), decision=decision) == (
        "the student is faster throughout, from 1 to 100,000 heads, at batch 32; "
        "between 900 and 1,100 neither leads by more than 8 %"
    )


def test_notes_about_functions_have_their_names():
    note = "between N = 9 and 10 the challenger leads by at most 1 %, the baseline's time is 3 µs"
    found = replace(FOUND, notes=(note,))
    assert remarks(found, "fft", "my baseline") == (
        "between n = 9 and 10 fft leads by at most 1 %, my baseline's time is 3 µs",
    )
    assert remarks(found) == (note,)
    open_ = replace(FOUND, status="unresolved", crossings=(), notes=(note,))
    assert "n = 9 and 10 fft leads" in sentence(open_, "fft", "direct", 1, of_heads=False)
