"""Advice in sentences, for options that are written down: what is used, how sure it is, what else there is."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.analysis.advice.advice import Option, Question
from harness.analysis.advice.correctness import Correctness
from harness.analysis.advice.evidence import PairEvidence
from harness.analysis.advice.wording import measuring, sentences
from harness.analysis.statistics import Interval
from harness.suite.schema import HeadsList, HeadsRange

EXACT = Correctness(kind="exact", error=1e-6)
SCORED = Correctness(kind="scored", scores={"mean_cosine": 0.97, "skill": 0.9}, scored_at=1000, seeds=1)
UNSCORED = Correctness(kind="unscored")
ASKED = Question(heads=1000, batch=4, queries_per_day=None, require={}, memory_bytes=None)
SIGNIFICANT = {4: PairEvidence(faster="one", why="8 of 8 launches")}


def option(name, seconds, right=EXACT, **more):
    usual = {"between": "", "memory_bytes": None, "model_bytes": None, "training_seconds": None}
    call = Interval(seconds, 0.9 * seconds, 1.1 * seconds, 8)
    return Option(contender=name, call=call, right=right, **usual | more)


def summary(trained=(), unchecked=(), heads=None, **more):
    names = ("loop", "fast", "student", "other")
    contenders = {
        name: SimpleNamespace(teacher="lda", trainer="distillation" if name in trained else None) for name in names
    }
    span = heads or HeadsRange.model_validate({"from": 4, "to": 2000})
    suite = SimpleNamespace(contenders=contenders, heads=span, batch_sizes=(1, 4))
    self_check = SimpleNamespace(passed=True, sentence="the self-check failed")
    facts = {"suite": suite, "unchecked": unchecked, "self_check": self_check, "quick": False}
    return SimpleNamespace(**facts | {"run": SimpleNamespace(suite_path="mine.yaml")} | more)


def told(*options, asked=ASKED, about=None, sides=None, evidence=SIGNIFICANT, outside=""):
    return list(sentences(about or summary(), asked, options, sides or {4: options}, evidence, outside))


def test_the_best_with_its_cost_its_right_and_its_runner_up():
    assert told(option("fast", 2e-6), option("loop", 5e-6)) == [
        "at N = 1,000 and batch 4 use fast: 2.00 µs (95 %: 1.80 µs to 2.20 µs) per call, 500 ns per query (measured)",
        "fast computes lda itself, to within 1e-06 of the largest value",
        "the runner-up, loop, takes 5.00 µs (95 %: 4.50 µs to 5.50 µs) per call, 2.50 times as long",
        "that is significant: 8 of 8 launches",
    ]


@pytest.mark.parametrize(("slower", "factor"), [(9.99, "9.99 times"), (10.0, "10 times"), (1234.4, "1,234 times")])
def test_a_large_factor_needs_no_decimals(slower, factor):
    assert f"per call, {factor} as long" in told(option("fast", 1.0), option("loop", slower))[2]


@pytest.mark.parametrize(
    ("evidence", "sentence"),
    [
        (PairEvidence(faster="other", why="why"), "the evidence says otherwise: why"),
        (PairEvidence(faster="", why="why"), "the difference is not significant: why"),
        (PairEvidence(faster="", why="why", measured=False), "the significance is unknown: why"),
    ],
)
def test_how_sure_it_is(evidence, sentence):
    assert told(option("fast", 1.0), option("loop", 2.0), evidence={4: evidence})[-1] == sentence


def test_one_launch_gives_no_interval():
    lone = Option(
        contender="fast", call=Interval(2e-6), between="", memory_bytes=None, model_bytes=None, training_seconds=None,
        right=EXACT,
    )  # fmt: skip
    assert "use fast: 2.00 µs (no interval) per call" in told(lone)[0]


def test_nobody_fits():
    assert told() == ["no contender of this run fits at N = 1,000 and batch 4"]
    refused = [option("fast", 1.0, refused="too large"), option("loop", 2.0, refused="too large")]
    assert told(*refused) == [
        "no contender of this run fits at N = 1,000 and batch 4", "left out: fast, loop (too large)",
    ]  # fmt: skip
    only = told(option("student", 1e-3, UNSCORED))
    assert only[0] == "no contender of this run that is exact or was scored fits at N = 1,000 and batch 4"
    assert only[1].startswith(
        "student takes 1.00 ms (95 %: 900 µs to 1.10 ms) per call, but its accuracy is unknown: score it"
    )


def test_a_faster_one_whose_accuracy_is_unknown_is_worth_a_look():
    best, other, third = option("fast", 6.0), option("student", 2.0, UNSCORED), option("other", 3.0, UNSCORED)
    (line,) = [each for each in told(best, other, third) if "accuracy is unknown" in each]
    assert "per call, 3.00 times as fast, but its accuracy" in line
    assert line.endswith("; the same goes for other")
    slower = told(best, option("student", 6.0, UNSCORED))
    assert not any("accuracy is unknown" in each for each in slower)


def test_outside_of_what_was_measured_no_figure_is_given():
    lines = told(option("fast", 2e-6), option("loop", 4e-6), outside="N = 9,000 lies beyond 2,000", asked=asked(9000))
    assert lines[:3] == [
        "N = 9,000 lies beyond 2,000, so no figure is given for it",
        "to measure it: `harness run mine.yaml --set heads.to=9000`",
        "at the nearest measured N fast is the fastest: 2.00 µs (95 %: 1.80 µs to 2.20 µs) per call, 500 ns per query",
    ]
    assert lines[-1] == "which of them is faster at N = 9,000 is unknown"
    assert told(outside="far away")[-1] == "far away"


def asked(heads=1000, batch=4, **more):
    return Question(heads=heads, batch=batch, **{"queries_per_day": None, "require": {}, "memory_bytes": None} | more)


@pytest.mark.parametrize(
    ("span", "heads", "batch", "command"),
    [
        ({"from": 4, "to": 2000}, 2, 4, "harness run mine.yaml --set heads.from=2"),
        ({"from": 4, "to": 2000}, 3000, 8, "harness run mine.yaml --set heads.to=3000 --set batch_sizes=[8]"),
        ({"from": 4, "to": 2000}, 4, 1, "harness run mine.yaml"),
        ({"from": 4, "to": 2000}, 2000, 2, "harness run mine.yaml --set batch_sizes=[2]"),
        ({"values": [8, 16]}, 16, 1, "harness run mine.yaml"),
        ({"values": [8, 16]}, 12, 1, "harness run mine.yaml --set heads.values=[12]"),
    ],
)
def test_the_command_that_measures_it(span, heads, batch, command):
    kind = HeadsList if "values" in span else HeadsRange
    assert measuring(summary(heads=kind.model_validate(span)), heads, batch) == command


def test_a_student_is_told_with_its_scores_and_where_they_were_taken():
    student = option("student", 1.0, SCORED)
    assert told(student)[1] == (
        "student imitates lda with mean cosine 0.970, skill 0.900 at N = 1,000, on held-out queries"
    )
    far = told(student, asked=asked(2000))
    assert far[1].endswith("on held-out queries; at N = 2,000 it was not scored")


def test_no_better_than_a_constant_is_said_where_something_is_required():
    poor = Correctness(kind="scored", scores={"mean_cosine": 0.97, "skill": -0.1}, scored_at=1000, seeds=1)
    assert "no better than a constant" not in told(option("student", 1.0, poor))[1]
    required = told(option("student", 1.0, poor), asked=asked(require={"cosine": 0.9}))
    assert required[1].endswith("; by mean cosine it is no better than a constant (skill -0.10)")


def test_beside_a_student_the_exact_form_is_named():
    student, exact, middle = option("student", 1.0, SCORED), option("fast", 3.0), option("other", 2.0, SCORED)
    assert "the runner-up is the fastest form of lda itself" in told(student, exact)
    line = "the fastest form of lda itself, fast, takes 3.00 s (95 %: 2.70 s to 3.30 s) per call, 3.00 times as long"
    assert line in told(student, middle, exact)
    assert not any("itself, fast" in each for each in told(exact, middle))


def test_between_two_batch_sizes_both_are_told():
    low, high = (option("fast", 1.0), option("loop", 2.0)), (option("loop", 1.0), option("fast", 2.0))
    evidence = {
        2: PairEvidence(faster="one", why="a"),
        8: PairEvidence(faster="other", why="b"),
        16: PairEvidence(faster="", why="c"),
    }
    lines = told(*low, sides={2: low, 8: high}, evidence=evidence)
    assert (
        "batch 4 was not measured; at batch 2 fast is the fastest, at batch 8 loop: "
        "run the suite with `--set batch_sizes=[4]` before you decide"
    ) in lines
    assert lines[-3:] == [
        "at batch 2 fast is significantly faster: a", "at batch 8 loop is significantly faster: b",
        "at batch 16 the difference is not significant: c",
    ]  # fmt: skip
    same = told(*low, sides={2: low, 8: low}, evidence=evidence)
    assert "batch 4 was not measured; fast is the fastest at batch 2 and at batch 8 as well" in same


def test_who_was_faster_where_its_range_ends_is_to_be_measured():
    rivals = [
        option("loop", 2.0),
        option("other", 0.5, ends_at=500, refused="its range"),
        option("student", 1.0, ends_at=9),
    ]
    (line,) = [each for each in told(option("fast", 1.0), *rivals) if "where its range ends" in each]
    assert line == (
        "other takes 500 ms (95 %: 450 ms to 550 ms) at N = 500, where its range ends: "
        "measure it at N = 1,000 too before you decide"
    )


def test_training_pays_for_itself_after_so_many_queries():
    """60 s of training; 3 s against 1 s a call of 4 queries saves half a second a query: 120 queries."""
    trained, exact = option("student", 1.0, SCORED, training_seconds=60.0), option("fast", 3.0)
    about = summary(trained=["student"])
    line = "training took 60.0 s and has paid for itself against fast after 120 queries"
    assert told(trained, exact, about=about)[-1] == line
    for day, words in ((60.0, "2.0 days"), (240.0, "12.0 hours"), (2880.0, "1.0 hours"), (5760.0, "30.0 minutes"),
                       (120.0, "1.0 days"), (1e6, "less than a minute")):  # fmt: skip
        assert told(trained, exact, about=about, asked=asked(queries_per_day=day))[-1] == f"{line}, in {words}"
    alone = told(trained, about=about)
    assert alone[-1] == "training took 60.0 s; without training no other contender is accurate"
    assert not any("paid for itself" in each for each in told(trained, option("fast", 1.0), about=about))


def test_memory_is_of_a_whole_process():
    first, second = option("fast", 1.0, memory_bytes=2**20), option("loop", 2.0, memory_bytes=2**21)
    assert told(first, second)[-1] == "memory of the whole process: fast 1.00 MiB, loop 2.00 MiB"
    peak = option("loop", 2.0, memory_bytes=2**21, memory_is_peak=True)
    assert told(first, peak)[-1].endswith("loop 2.00 MiB (the peak of a worker, which may have held other models too)")


def test_what_is_unchecked_or_in_doubt_or_quick_says_so():
    lines = told(
        option("fast", 1.0, between="between B = 1 and 8", doubt="it drifts"), option("loop", 2.0),
        about=summary(unchecked=("fast", "loop"), quick=True, self_check=SimpleNamespace(passed=False, sentence="it failed")),
    )  # fmt: skip
    assert "use fast (unchecked): " in lines[0]
    assert lines[0].endswith("(between B = 1 and 8; it drifts)")
    assert lines[2].startswith("the runner-up, loop (unchecked), takes")
    assert lines[-2:] == ["it failed", "this was a quick run: measure without --quick before you decide"]
