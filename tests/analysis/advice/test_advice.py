"""Advice: the right contender, how sure that is, and when a question lies outside of what was measured."""

from __future__ import annotations

import math
import re

import pytest

from harness.analysis.advice.advice import advise
from harness.analysis.summary import summarise
from harness.errors import UserError
from harness.plan.sweep import SearchCase
from harness.process.failure import Failure
from harness.records.crossovers import SearchRecord
from harness.records.measurement import Parity
from harness.search.result import Location
from tests.synthetic import COSTS, SUITE, Maker


@pytest.fixture(scope="module")
def scored(made):
    made = Maker().table().searches()
    made.score("student", 16384, 0.1, mean_cosine=0.97, top1_agreement=0.9)
    return summarise(made.evidence(), made.located)


@pytest.mark.parametrize(("heads", "best", "second"), [(18, "teacher", "loop"), (16384, "student", "teacher")])
def test_the_fastest_at_a_measured_place(scored, heads, best, second):
    found = advise(scored, heads, 1)
    assert (found.best.contender, found.runner_up.contender) == (best, second)
    assert found.best.measured
    assert found.sentences[0].startswith(f"at N = {heads:,} and batch 1 use {best}: ")
    assert any("that is significant" in each for each in found.sentences)


@pytest.mark.parametrize("heads", [100, 500, 4000])
def test_between_measured_places_it_is_interpolated(summary, heads):
    found = advise(summary, heads, 32)
    for option in found.options:
        if not option.refused:
            true = COSTS[option.contender](heads, 32)
            assert option.call.value == pytest.approx(true, rel=0.15)
            assert option.call.low <= 1.03 * true
            assert option.call.high >= 0.97 * true
    assert "(between measured N, " in found.sentences[0]


def test_outside_of_the_range_it_says_so(summary):
    found = advise(summary, 10**6, 1)
    assert found.outside == "N = 1,000,000 was not measured: the run covers N = 2 to 16,384"
    assert found.sentences[0] == f"{found.outside}, so no figure is given for it"
    assert found.sentences[1].startswith(
        f"to measure it: `harness run {summary.run.suite_path} --set heads.values=[1000000]`"
    )
    assert found.sentences[2].startswith("at the nearest measured N ")
    assert not any("use " in sentence.split(":")[0] for sentence in found.sentences[:3])


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
    assert found.sentences[1] == "left out: teacher, loop, student, student-eager (needs up to 80.0 MiB of memory)"


def test_training_pays_for_itself_after_so_many_queries(scored):
    found = advise(scored, 16384, 32, queries_per_day=1e6)
    saved = (COSTS["teacher"](16384, 32) - COSTS["student"](16384, 32)) / 32  # student-eager is not known to be right
    told = next(each for each in found.sentences if "has paid for itself" in each)
    assert told.startswith("training took 12.0 s and has paid for itself against teacher after ")
    queries = float(told.partition("after ")[2].partition(" queries")[0].replace(",", ""))
    assert queries == pytest.approx(12.0 / saved, rel=0.1)
    assert re.search(r", in \d+\.\d minutes$", told)
    told = advise(scored, 16384, 32, queries_per_day=1e3).sentences
    assert any(re.search(r" queries, in \d+\.\d days$", each) for each in told)


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
def test_between_measured_batch_sizes_a_call_is_a_straight_line(scored, heads, said):
    found = advise(scored, heads, 8)
    assert not found.best.measured
    assert "(between measured batch sizes, 1 and 32" in found.sentences[0]
    assert said in found.sentences
    for option in (each for each in found.options if not each.refused):
        ends = [COSTS[option.contender](heads, batch) for batch in (1, 32)]
        assert option.call.value == pytest.approx(ends[0] + 7 / 31 * (ends[1] - ends[0]), rel=0.15)


def test_what_is_refused_on_one_side_of_a_batch_size_is_refused(scored):
    found = advise(scored, 16384, 8, require={"top1_agreement": 0.95})
    assert found.best.contender == "teacher"
    assert found.sentences.count("left out: student (top1_agreement is 0.90 < 0.95)") == 1


def test_a_batch_size_beyond_the_measured_ones_is_refused(summary):
    with pytest.raises(UserError) as caught:
        advise(summary, 18, 64)
    assert str(caught.value) == (
        "batch 64 is outside the measured batch sizes: 1, 32; "
        f"measure it: `harness run {summary.run.suite_path} --set batch_sizes=[64]`"
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
    assert "the runner-up is the fastest form of lda itself" in told
    told = advise(summary, 16384, 1).sentences
    assert "teacher computes lda itself, to within 1e-06 of the largest value" in told
    assert not any("imitates" in each for each in told)


def test_who_is_faster_but_was_not_scored_is_told_second_with_what_to_do(summary):
    found = advise(summary, 16384, 1)
    assert found.best.contender == "teacher"
    told = next(each for each in found.sentences if "its accuracy is unknown" in each)
    assert told.startswith("student takes ")
    assert "score it before you use it (`scored: true` in the suite, or a `trainer` where it has to learn)" in told
    assert told.endswith("; the same goes for student-eager")


def test_where_nobody_is_known_to_be_right_nobody_is_advised(made):
    suite = {**SUITE, "contenders": {"student": SUITE["contenders"]["student"]}, "races": [], "relative_to": {}}
    found = advise(summarise(Maker(suite | {"documented": None}).table(3, 2).evidence()), 1024, 1)
    assert found.best is None
    assert found.sentences[0].startswith("no contender of this run that is exact or was scored fits at N = 1,024")
    assert found.sentences[1].startswith("student takes ")


@pytest.mark.parametrize(
    "scores", [{"mean_cosine": 0.995, "skill": -0.00004}, {"mean_cosine": 0.99, "constant_cosine": 0.995}]
)
def test_scores_no_better_than_those_of_a_constant_are_no_advice(scores):
    maker = Maker().table(3, 2)
    maker.score("student", 16384, **scores)
    found = advise(summarise(maker.evidence()), 16384, 1)
    assert found.best.contender == "teacher"
    assert any(
        each.startswith("left out: student (by its scores no better than a constant") for each in found.sentences
    )


def test_a_teacher_is_right_by_definition_in_exact_runtimes_only():
    maker = Maker().table(3, 2)
    rough = Parity(error=0.02, tolerance=0.2)
    for place, each in enumerate(maker.measurements):
        if each.contender == "teacher":
            maker.measurements[place] = each.model_copy(update={"parity": rough})
    found = advise(summarise(maker.evidence()), 18, 1)
    assert found.best.contender == "loop"
    assert any(each.startswith("teacher takes ") and "its accuracy is unknown" in each for each in found.sentences)
    found = advise(summarise(maker.evidence()), 18, 1, require={"top1_agreement": 0.9})
    assert any(
        each.startswith("left out: teacher") and "top1_agreement was not measured" in each for each in found.sentences
    )


def test_training_never_pays_for_itself_against_nobody():
    contenders = {name: SUITE["contenders"][name] for name in ("student", "student-eager")}
    maker = Maker({**SUITE, "contenders": contenders, "races": [], "relative_to": {}, "documented": None}).table(3, 2)
    maker.score("student", 1024, mean_cosine=0.9)
    told = advise(summarise(maker.evidence()), 1024, 1).sentences
    assert "training took 12.0 s; without training no other contender is accurate" in told


@pytest.mark.parametrize(
    ("require", "said"),
    [
        ({"top1": 0.9}, "unknown score 'top1'; did you mean 'top1_agreement'?"),
        ({"top1_agrement": 0.9}, "unknown score 'top1_agrement'; did you mean 'top1_agreement'?"),
        ({"beauty": 0.9}, "unknown score 'beauty'; choose from cosine, top1_agreement, recall_at_10, skill"),
        ({"top1_agreement": 2.0}, "top1_agreement cannot be required to be 2: must be at most 1.0, got 2.0"),
        ({"cosine": math.nan}, "cosine cannot be required to be nan"),
        ({"norm_error": -1.0}, "norm_error cannot be required to be -1"),
    ],
)
def test_requirements_that_make_no_sense_are_refused(summary, require, said):
    with pytest.raises(UserError, match=re.escape(said)):
        advise(summary, 18, 1, require=require)


@pytest.mark.parametrize(("norm_error", "best"), [(0.05, "student"), (0.2, "teacher")])
def test_an_error_of_the_norm_is_bounded_from_above(norm_error, best):
    maker = Maker().table(3, 2)
    maker.score("student", 16384, mean_cosine=0.97, norm_error=norm_error)
    found = advise(summarise(maker.evidence()), 16384, 1, require={"norm_error": 0.1})
    assert found.best.contender == best
    assert ("left out: student (norm_error is 0.20 > 0.1)" in found.sentences) == (best == "teacher")


def test_every_seed_must_reach_what_is_required_as_in_a_race():
    maker = Maker().table(3, 2)
    for seed, agreement in enumerate((0.99, 0.93, 0.99)):
        maker.score("student", 1024, 0.1, seed, mean_cosine=0.97, top1_agreement=agreement)
    found = advise(summarise(maker.evidence()), 16384, 1, require={"top1_agreement": 0.95})
    assert found.best.contender == "teacher"
    assert "left out: student (top1_agreement is 0.93 < 0.95 with the worst of 3 seeds at N = 1,024)" in found.sentences
    found = advise(summarise(maker.evidence()), 16384, 1, require={"top1_agreement": 0.9})
    assert found.best.contender == "student"
    told = next(each for each in found.sentences if "imitates" in each)
    assert "top-1 agreement 0.970 (0.930 with the worst of 3 seeds) at N = 1,024" in told
    assert told.endswith("; at N = 16,384 it was not scored")


def test_a_training_that_failed_with_one_seed_is_no_advice():
    maker = Maker().table(3, 2)
    maker.score("student", 16384, 0.1, 0, mean_cosine=0.97)
    maker.score("student", 16384, 0.1, 1, mean_cosine=0.97)
    maker.fidelities[-1] = maker.fidelities[-1].model_copy(
        update={"scores": {}, "intervals": {}, "failure": Failure(stage="train", what="it diverged")}
    )
    found = advise(summarise(maker.evidence()), 16384, 1)
    assert found.best.contender == "teacher"
    assert "left out: student (training failed at N = 16,384: it diverged)" in found.sentences


def test_a_lead_is_sure_only_where_it_is_larger_than_the_bias_that_was_seen():
    def sure(bias):
        found = advise(summarise(Maker().table(3, 2).self_check(bias=bias).evidence()), 18, 1)
        return any("that is significant" in each for each in found.sentences)

    assert sure(1.0)
    assert sure(1.3)  # the lead there is 2.4 times
    assert not sure(20.0)


def test_memory_is_that_of_the_cell_alone_where_it_is_known():
    maker = Maker().table(3, 2)
    for place, each in enumerate(maker.measurements):
        alone = {"base_rss_bytes": 30 * 2**20, "added_rss_bytes": each.heads * 1024}
        maker.measurements[place] = each.model_copy(update=alone)
    found = advise(summarise(maker.evidence()), 9000, 1, memory_bytes=64 * 2**20)
    assert "memory of the whole process: teacher 46.0 MiB, loop 46.0 MiB" in found.sentences
    assert advise(summarise(maker.evidence()), 9000, 1, memory_bytes=40 * 2**20).best is None


def test_contenders_that_end_earlier_are_left_out_beyond_the_whole_range_too():
    maker = Maker()
    for launch in range(1, 4):
        for heads in (18, 1024, 16384):
            maker.visit(["teacher"] + (["loop"] if heads <= 1024 else []), heads, 1, launch, 2)
    found = advise(summarise(maker.evidence()), 10**6, 1)
    assert found.best.contender == "teacher"
    assert "left out: loop (measured from N = 18 to 1,024 only)" in found.sentences


@pytest.mark.parametrize(("batch", "best"), [(1, "teacher"), (8, "teacher"), (32, "teacher")])
def test_a_race_between_the_first_two_decides_against_interpolation(batch, best):
    maker = Maker().table(3, 2)
    maker.score("student", 16384, mean_cosine=0.97)
    assert advise(summarise(maker.evidence(), []), 9000, batch).best.contender == "student"
    answers = [
        SearchRecord(
            case=SearchCase(race="best", baseline="teacher", challenger="student", batch_size=each, low=18, high=16384),
            location=Location("above", (), 400, (), (), 18, 16384),
        )
        for each in (1, 32)
    ]
    found = advise(summarise(maker.evidence(), answers), 9000, batch)
    assert (found.best.contender, found.runner_up.contender) == (best, "student")
    why = "in their race the lead does not change from N = 18 to 16,384"
    assert sum(why in each for each in found.sentences) == (2 if batch == 8 else 1)


def test_a_contender_is_not_advised_where_it_failed_or_beyond():
    made = Maker().table()
    made.measurements = [each for each in made.measurements if each.batch_size == 1 and each.contender != "student"]
    made.fail("teacher", 16384, 1, "no memory", "load")
    found = summarise(made.evidence(), [])
    beyond = advise(found, 20_000, 1)
    refused = {each.contender: each.refused for each in beyond.options}
    assert refused["teacher"].startswith("fails at N = 16,384: load: no memory")
    assert (beyond.best.contender, advise(found, 1024, 1).best.contender) == ("loop", "teacher")
    assert "fails" not in "".join(each.refused for each in advise(found, 1024, 1).options)


@pytest.mark.parametrize(("heads", "batch"), [(0, 1), (1, 0), (0, 0)])
def test_a_place_that_is_none_is_refused(summary, heads, batch):
    with pytest.raises(UserError, match=f"N = {heads} and batch {batch} must both be positive"):
        advise(summary, heads, batch)
