"""Advice: the right contender, how sure that is, and when a question lies outside of what was measured."""

from __future__ import annotations

import pytest

from harness.analysis.advice import advise
from harness.analysis.summary import summarise
from harness.errors import UserError
from tests.synthetic import COSTS, Maker


@pytest.fixture(scope="module")
def scored(made):
    made = Maker().table().searches()
    made.score("student", 16384, 0.1, mean_cosine=0.97, top1_agreement=0.9)
    return summarise(made.evidence(), made.located)


@pytest.mark.parametrize(("heads", "best", "second"), [(18, "teacher", "loop"), (16384, "student", "student-eager")])
def test_the_fastest_at_a_measured_place(summary, heads, best, second):
    found = advise(summary, heads, 1)
    assert (found.best.contender, found.runner_up.contender) == (best, second)
    assert found.best.measured
    assert found.sentences[0].startswith(f"at N = {heads:,} and batch 1 use {best}: ")
    assert any("that is sure" in each for each in found.sentences)


@pytest.mark.parametrize("heads", [100, 500, 4000])
def test_between_measured_places_it_is_interpolated(summary, heads):
    found = advise(summary, heads, 32)
    for option in found.options:
        if not option.refused:
            assert option.call.value == pytest.approx(COSTS[option.contender](heads, 32), rel=0.12)
    assert "(between measured N)" in found.sentences[0] or found.best.measured


def test_outside_of_the_range_it_says_so(summary):
    found = advise(summary, 10**6, 1)
    assert found.outside == (
        "N = 1,000,000 lies outside of the measured range, 2 to 16,384: the figures are those of its end"
    )
    assert found.outside in found.sentences


def test_requirements_leave_out_who_is_wrong_and_never_the_teacher(scored):
    found = advise(scored, 16384, 1, require={"top1_agreement": 0.95})
    assert found.best.contender == "teacher"
    assert "left out: student (top1_agreement is 0.90 < 0.95)" in found.sentences
    assert "left out: student-eager (top1_agreement was not measured)" in found.sentences
    assert advise(scored, 16384, 1, require={"top1_agreement": 0.85}).best.contender == "student"


def test_memory_is_a_limit(summary):
    found = advise(summary, 18, 1, memory_bytes=2**20)
    assert found.best is None
    assert found.sentences[0] == "no contender of this run fits at N = 18 and batch 1"
    assert found.sentences[1] == "left out: teacher, loop, student, student-eager (needs 80.0 MiB of memory)"


def test_training_pays_for_itself_after_so_many_queries(scored):
    found = advise(scored, 16384, 32, queries_per_day=1e6)
    saved = (COSTS["student-eager"](16384, 32) - COSTS["student"](16384, 32)) / 32
    told = next(each for each in found.sentences if "has paid for itself" in each)
    assert told.startswith("training took 12.0 s and has paid for itself against student-eager after ")
    queries = float(told.partition("after ")[2].partition(" queries")[0].replace(",", ""))
    assert queries == pytest.approx(12.0 / saved, rel=0.1)
    assert told.endswith(" days")


def test_the_rules_of_thumb_stand_beside_it(summary):
    assert advise(summary, 18, 1).documented == (
        "documented rule of thumb, replaced by these measurements: the student from more than 400 heads on at batch 1",
        "documented rule of thumb, replaced by these measurements: the student from about 27 heads on at batch 32",
    )


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        (18, "batch 8 was not measured; teacher is the fastest at batch 1 and at batch 32 as well"),
        (
            3000,
            (
                "batch 8 was not measured; at batch 1 teacher is the fastest, at batch 32 student: "
                "run the suite with `--set batch_sizes=[8]` before you decide"
            ),
        ),
    ],
)
def test_between_measured_batch_sizes_a_call_is_a_straight_line(summary, heads, said):
    found = advise(summary, heads, 8)
    assert not found.best.measured
    assert "(between measured batch sizes, 1 and 32)" in found.sentences[0]
    assert said in found.sentences
    for option in (each for each in found.options if not each.refused):
        ends = [COSTS[option.contender](heads, batch) for batch in (1, 32)]
        assert option.call.value == pytest.approx(ends[0] + 7 / 31 * (ends[1] - ends[0]), rel=0.12)


def test_what_is_refused_on_one_side_of_a_batch_size_is_refused(scored):
    found = advise(scored, 16384, 8, require={"top1_agreement": 0.95})
    assert found.best.contender == "teacher"
    assert found.sentences.count("left out: student (top1_agreement is 0.90 < 0.95)") == 1


def test_a_batch_size_beyond_the_measured_ones_is_refused(summary):
    with pytest.raises(UserError) as caught:
        advise(summary, 18, 64)
    assert str(caught.value) == (
        "batch 64 lies outside of the batch sizes that the run has measured: 1, 32; "
        "run the suite with `--set batch_sizes=[64]`"
    )


def test_a_contender_that_ends_earlier_is_left_out_beyond():
    maker = Maker()
    for launch in range(1, 9):
        for heads in (18, 1024, 16384):
            names = ["teacher", "student"] + (["loop"] if heads <= 1024 else [])
            maker.visit(names, heads, 1, launch, 4)
    found = advise(summarise(maker.evidence()), 8000, 1)
    assert "left out: loop (measured from N = 18 to 1,024 only)" in found.sentences
    assert not any("where its range ends" in each for each in found.sentences)


def test_who_took_less_where_its_range_ends_is_named():
    maker = Maker()
    for launch in range(1, 9):
        for heads in (2, 18, 1024):
            maker.visit(["loop"] + (["teacher", "student"] if heads >= 18 else []), heads, 32, launch, 4)
    found = advise(summarise(maker.evidence()), 2, 32)
    assert found.best.contender == "loop"
    told = next(each for each in found.sentences if "where its range ends" in each)
    assert told.startswith("teacher takes ")
    assert told.endswith(" at N = 18, where its range ends: measure it at N = 2 too before you decide")


def test_a_student_is_advised_with_what_is_known_of_its_rightness(scored, summary):
    told = advise(scored, 16384, 1).sentences
    assert (
        "student imitates lda with mean cosine 0.970, top-1 agreement 0.900 at N = 16,384, on held-out queries" in told
    )
    assert any(each.startswith("the fastest form of lda itself, teacher, takes ") for each in told)
    told = advise(summary, 16384, 1).sentences
    assert "how well student imitates lda was not measured in this run" in told
    assert not any("imitates" in each for each in advise(summary, 18, 1).sentences)
