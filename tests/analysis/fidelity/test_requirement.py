"""Crossovers that count only where the challenger is also right, for every way in which a search can end."""

from __future__ import annotations

import pytest

from harness.analysis.fidelity.requirement import constrain
from harness.process.failure import Failure
from harness.records.measurement import Fidelity
from harness.search.result import Crossing, Location
from harness.search.spans import WinningSpan, winning_spans
from harness.suite.schema import Requires

LOW, HIGH = 18, 65536


def crossing(heads, direction="challenger"):
    return Crossing(heads, heads - heads // 20, heads + heads // 20, direction, 0.95, "smooth")


def located(status, *crossings, notes=(), bracket=None):
    return Location(status, crossings, 400, (), notes, LOW, HIGH, bracket)


CROSSING = located("crossing", crossing(6412))
LOST = located("crossing", crossing(6412, "baseline"))
SEVERAL = located("several", crossing(230), crossing(257, "baseline"), crossing(290))
LOST_LATE = located("several", crossing(230), crossing(4096, "baseline"))
OPEN = located(
    "unresolved", crossing(230), Crossing(3000, 2000, 4000, "baseline", 0.9, "smooth"), notes=("the budget is spent",),
    bracket=(2000, 4000),
)  # fmt: skip


def scored(by_size, seed=0):
    return [
        Fidelity(contender="student", heads=heads, temperature=0.1, seed=seed, scores={"top1_agreement": value})
        for heads, value in by_size.items()
    ]


@pytest.mark.parametrize(
    ("location", "spans"),
    [
        (CROSSING, [WinningSpan(6412, HIGH, holds=True)]),
        (LOST, [WinningSpan(LOW, 6411, holds=False)]),
        (SEVERAL, [WinningSpan(230, 256, holds=False), WinningSpan(290, HIGH, holds=True)]),
        (LOST_LATE, [WinningSpan(230, 4095, holds=False)]),
        (located("below"), [WinningSpan(LOW, HIGH, holds=True)]),
        (located("above"), []),
        (located("tie"), []),
        (located("unresolved", notes=("the budget is spent",)), []),
        (OPEN, [WinningSpan(230, 2000, holds=False)]),
        (located("unresolved", crossing(6412), bracket=None), [WinningSpan(6412, HIGH, holds=True)]),
        (located("unresolved", crossing(6412), bracket=(6000, 9000)), [WinningSpan(9000, HIGH, holds=True)]),
    ],
)
def test_where_the_challenger_leads(location, spans):
    assert list(winning_spans(location)) == spans


def test_a_ladder_has_both_ends():
    assert WinningSpan(6412, 65536, holds=True).sample_points() == (6412, 25648, 65536)
    assert WinningSpan(16, 256, holds=True).sample_points() == (16, 64, 256)
    assert WinningSpan(300, 300, holds=False).sample_points() == (300,)


SPAN = "from N = 6,412 to 65,536, the end of the range"


@pytest.mark.parametrize(
    ("scores", "counts_from", "sentence"),
    [
        (
            {6412: 0.97, 16384: 0.98, HIGH: 0.98},
            6412,
            f"student is faster and equivalent {SPAN} (scored at N = 6,412, 16,384 and 65,536)",
        ),
        (
            {6412: 0.97, 16384: 0.98},
            6412,
            f"student is faster and equivalent {SPAN} (scored at N = 6,412 and 16,384, and nowhere above)",
        ),
        (
            {6412: 0.71, HIGH: 0.96},
            HIGH,
            (
                f"student is faster {SPAN}, but not equivalent there: top1_agreement 0.71 < 0.95; both hold from "
                "N = 65,536 on (scored at N = 6,412 and 65,536)"
            ),
        ),
        (
            {6412: 0.97, HIGH: 0.80},
            None,
            (
                f"student is faster {SPAN}, but not equivalent at N = 65,536: top1_agreement 0.80 < 0.95; "
                "no N satisfies both (scored at N = 6,412 and 65,536)"
            ),
        ),
        (
            {16384: 0.97, HIGH: 0.99},
            16384,
            f"student is faster {SPAN}, and equivalent from N = 16,384 on (scored at N = 16,384 and 65,536)",
        ),
        ({}, None, f"student is faster {SPAN}, but whether it is equivalent there was not measured"),
        ({18: 0.99}, None, f"student is faster {SPAN}, but whether it is equivalent there was not measured"),
    ],
)
def test_a_crossover_counts_where_the_student_is_also_right(scores, counts_from, sentence):
    found = constrain(Requires(top1_agreement=0.95), CROSSING, scored(scores), "student")
    assert (found.faster_from, found.counts_from) == (6412, counts_from)
    assert found.sentence == sentence


def test_of_several_leads_only_the_one_that_holds_counts():
    scores = {230: 0.99, 256: 0.99, 290: 0.90, 1160: 0.97, HIGH: 0.98}
    found = constrain(Requires(top1_agreement=0.95), SEVERAL, scored(scores), "student")
    assert (found.faster_from, found.counts_from) == (290, 1160)
    first, second, third = found.sentence.split("; ")
    assert first == (
        "student is faster from N = 230 to 256, where its lead ends again, equivalent there (scored at N = 230 and 256)"
    )
    assert second == (
        "student is faster from N = 290 to 65,536, the end of the range, but not equivalent there: "
        "top1_agreement 0.90 < 0.95"
    )
    assert third == "both hold from N = 1,160 on (scored at N = 290, 1,160 and 65,536)"


@pytest.mark.parametrize("location", [LOST, LOST_LATE])
def test_a_lead_that_is_lost_again_is_told_and_counts_for_nothing(location):
    start, end = winning_spans(location)[0].start, winning_spans(location)[0].end
    found = constrain(Requires(top1_agreement=0.95), location, scored({start: 0.99, end: 0.90}), "student")
    assert (found.faster_from, found.counts_from) == (None, None)
    assert found.sentence == (
        f"student is faster from N = {start:,} to {end:,}, where its lead ends again, not equivalent at N = {end:,}: "
        f"top1_agreement 0.90 < 0.95 (scored at N = {start:,} and {end:,}); "
        "no qualifying crossover: the lead ends inside the range"
    )


def test_what_an_unresolved_search_has_confirmed_is_judged_and_qualified():
    found = constrain(Requires(top1_agreement=0.95), OPEN, scored({230: 0.99, 2000: 0.99}), "student")
    assert found.counts_from is None
    assert found.sentence == (
        "student is faster from N = 230 to 2,000, as far as is known, equivalent there (scored at N = 230 and "
        "2,000); no qualifying crossover: the lead ends inside the range; "
        "the search itself is unresolved: the budget is spent"
    )


def test_an_unresolved_search_without_a_lead_says_that_nothing_was_scored():
    found = constrain(Requires(cosine=0.9), located("unresolved", notes=("too noisy",)), [], "student")
    assert found.sentence == "where student is faster is unresolved, so nothing was scored for it"


def test_a_challenger_that_leads_throughout_is_judged_from_the_low_end():
    found = constrain(Requires(top1_agreement=0.9), located("below"), scored({LOW: 0.95, HIGH: 0.99}), "student")
    assert (found.faster_from, found.counts_from) == (LOW, LOW)


@pytest.mark.parametrize("status", ["above", "tie"])
def test_there_is_nothing_to_constrain_without_a_lead(status):
    found = constrain(Requires(cosine=0.9), located(status), scored({LOW: 0.95}), "student")
    assert (found.faster_from, found.sentence) == (None, "")


def test_every_training_seed_must_be_right():
    both = [*scored({6412: 0.97}), *scored({6412: 0.90}, seed=1)]
    assert constrain(Requires(top1_agreement=0.95), CROSSING, both, "student").counts_from is None


def test_a_score_just_below_its_bound_is_not_rounded_to_it():
    found = constrain(Requires(top1_agreement=0.95), CROSSING, scored({6412: 0.9496}), "student")
    assert "top1_agreement 0.9496 < 0.95" in found.sentence


def test_a_training_that_failed_is_not_right():
    broken = Fidelity(
        contender="student",
        heads=6412,
        temperature=0.1,
        seed=0,
        scores={},
        failure=Failure(stage="train", what="loss is NaN"),
    )
    found = constrain(Requires(cosine=0.9), CROSSING, [broken], "student")
    assert "not equivalent there: it could not be scored: loss is NaN" in found.sentence


def test_many_places_at_which_it_was_scored_are_counted():
    places = dict.fromkeys((18, 72, 288, 1152, 65536), 0.9)
    found = constrain(Requires(top1_agreement=0.5), located("below"), scored(places), "student")
    assert "scored at 5 N from 18 to 65,536" in found.sentence
