"""A search repeated from records: the same answer from the same seconds, and another way is told."""

from __future__ import annotations

import dataclasses

import pytest

from harness.plan.sweep import SearchCase
from harness.process.failure import Failure
from harness.records.replay import DivergedError, Recording, replay, unmeasurable
from harness.records.samples import pairs
from harness.search.result import Unmeasurable
from tests.synthetic import Maker


def test_the_recorded_answer_is_found_again(made):
    evidence = made.evidence()
    for each in made.located:
        assert replay(evidence, each.case, each.asked) == each.location


def test_a_search_that_was_cut_off_is_unresolved_and_not_an_error(made):
    case = made.located[0].case
    mine = [each for each in made.measurements if each.leg == case.label]
    cut = Maker()
    cut.measurements = mine[: len(mine) // 4]
    assert replay(cut.evidence(), case, made.located[0].asked).status == "unresolved"


def test_pairs_are_matched_by_round(made):
    one, other = made.visit(["teacher", "student"], 18, 1, 1, 5)
    lame = other.model_copy(
        update={"sampled": other.sampled.model_copy(update={"seconds": other.sampled.seconds[:2], "rounds": (1, 3)})}
    )
    found = pairs(one, lame)
    assert [pair.baseline for pair in found] == [one.sampled.seconds[1], one.sampled.seconds[3]]
    assert [pair.challenger for pair in found] == list(other.sampled.seconds[:2])
    assert {pair.order for pair in found} <= {"baseline first", "challenger first"}


def test_another_question_than_the_recorded_one_is_told(made):
    case = made.located[0].case
    recording = Recording(made.measurements, case)
    with pytest.raises(
        DivergedError, match=r"the search now asks for N = 99,999 in launch 7, and the records have N = "
    ):
        recording.take(99_999, 4, 7)


def test_half_a_visit_is_as_if_it_had_not_been():
    maker = Maker()
    case = Maker().table(launches=1).searches().located[0].case
    maker.visit([case.baseline, case.challenger], 50, 1, 0, 4, "search", case.label)
    maker.measurements.append(maker.visit([case.baseline, case.challenger], 60, 1, 0, 4, "search", case.label)[0])
    maker.measurements = [*maker.measurements[:2], maker.measurements[-1]]
    recording = Recording(maker.measurements, case)
    assert len(recording.take(50, 4, 0)) == 4
    assert recording.take(60, 4, 0) is None


def test_a_visit_that_failed_then_is_unmeasurable_now():
    maker = Maker()
    case = Maker().table(launches=1).searches().located[0].case
    one, other = maker.visit([case.baseline, case.challenger], 50, 1, 0, 4, "search", case.label)
    failure = Failure(stage="sample", what="it crashed")
    maker.measurements = [
        one.model_copy(update={"outcome": "skipped", "sampled": None, "reason": "its rival failed"}),
        other.model_copy(update={"outcome": "failed", "sampled": None, "failure": failure}),
    ]
    with pytest.raises(Unmeasurable, match="student-eager: it crashed"):
        Recording(maker.measurements, case).take(50, 4, 0)


@pytest.mark.parametrize(
    ("failing", "who", "reason"),
    [
        (("teacher",), "baseline", "teacher: it broke"),
        (("student",), "challenger", "student: it broke"),
        (("teacher", "student"), "", "teacher: it broke"),  # both: it is not one of them alone
    ],
)
def test_who_failed_is_told_where_it_is_one_of_the_two(failing, who, reason):
    case = SearchCase(race="r", baseline="teacher", challenger="student", batch_size=1, low=2, high=99)
    broken = {"outcome": "failed", "sampled": None, "failure": Failure(stage="load", what="it broke", kind="memory")}
    visit = [
        each.model_copy(update=broken) if each.contender in failing else each
        for each in Maker().visit(["teacher", "student"], 18, 1, 1, 2)
    ]
    found = unmeasurable(visit, case)
    assert (found.heads, found.reason, found.contender) == (18, reason, who)
    assert found.settles_larger == visit[0 if "teacher" in failing else 1].failure.settles_larger


def test_a_visit_that_was_skipped_has_its_reason_and_one_that_was_measured_none():
    case = SearchCase(race="r", baseline="teacher", challenger="student", batch_size=1, low=2, high=99)
    visit = Maker().visit(["teacher", "student"], 18, 1, 1, 2)
    assert unmeasurable(visit, case) is None
    skipped = visit[1].model_copy(update={"outcome": "skipped", "sampled": None, "reason": "no device"})
    assert unmeasurable([visit[0], skipped], case).reason == "no device"
    assert unmeasurable([visit[0], skipped.model_copy(update={"reason": None})], case).reason == "skipped"


def test_a_search_that_was_asked_what_makes_no_sense_is_another_one(made):
    each = made.located[0]
    with pytest.raises(DivergedError, match=r"precision is -0\.3: give a positive share"):
        replay(made.evidence(), each.case, dataclasses.replace(each.asked, precision=-0.3))
