"""Whether this machine deserves trust: verdicts from made-up races, and a real contender against itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from harness.analysis.first_pairs import FirstPairs
from harness.analysis.self_check import Point
from harness.analysis.statistics import mean_over_launches
from harness.commands.doctor import ClockFacts, Diagnosis, diagnose, first_pair_warning, judge_machine
from harness.measure.recovery import LADDER
from harness.report.progress import PlainProgress
from tests.synthetic import Maker

QUIET = ClockFacts(step_seconds=4e-8, source="tsc")


def point(low, high):
    """A race whose launches give this interval at 95 %."""
    spread = np.array([-1.2, -0.7, -0.2, 0.2, 0.7, 1.2])
    half = scipy.stats.t.ppf(0.975, 5) * spread.std(ddof=1) / math.sqrt(6)
    logs = math.log(low * high) / 2 + spread * math.log(high / low) / 2 / half
    found = mean_over_launches(logs)
    assert (found.low, found.high) == pytest.approx((low, high))
    return Point("itself", 256, 32, found, tuple((each,) for each in logs))


def diagnosis(*points, **more):
    return Diagnosis(points=points, facts={}, warnings=(), failures=more.pop("failures", ()), **more)


SEEN = "races of a contender against itself"
WIDENED = "intervals are widened by it, and smaller leads are left undecided; stop other load and run again"
MORE = "use more launches (measurement.launches)"
SAME, APART = point(0.98, 1.02), point(1.02, 1.06)


@pytest.mark.parametrize(
    ("found", "trusted", "sentence"),
    [
        (
            diagnosis(*[SAME] * 38, *[APART] * 2), True,
            f"A/A test passed: differences in 2 of 40 {SEEN}; smallest detectable difference right now: 2.0%",
        ),
        (
            diagnosis(*[SAME] * 33, *[APART] * 7), False,
            f"A/A test found a bias of 4.0% (differences in 7 of 40 {SEEN}): {WIDENED}",
        ),
        (
            diagnosis(*[point(0.8, 1.3)] * 10), False,
            f"A/A test inconclusive: with 6 launches, differences below 27% could not be seen; {MORE}",
        ),
        (
            diagnosis(*[SAME] * 10, faults=("openblas runs 4 threads, 1 requested",)), False,
            "timings on this machine are unreliable now: openblas runs 4 threads, 1 requested",
        ),
        (
            diagnosis(SAME, failures=("it broke",)), False,
            "A/A test failed to run: it broke",
        ),
        (diagnosis(), False, "A/A test not run: how large a difference this machine shows between equals is unknown"),
    ],
)  # fmt: skip
def test_the_verdict_in_one_line(found, trusted, sentence):
    assert found.trustworthy is trusted
    assert found.sentence == sentence
    assert found.render().endswith(sentence)


def judged(machine=None, ticking=QUIET, stolen=0.0, threads=1, read_back=1):
    record = Maker().visit(["teacher"], 18, 1, 1, 2)[0].model_copy(update={"threads": {"openblas": read_back}})
    known = {"processor": "A Processor", "usable_cores": 2, "load_average": 0.5, "governor": "performance"}
    return judge_machine({**known, **(machine or {})}, [record], threads, ticking, stolen)


def test_a_quiet_machine_is_not_complained_of():
    facts, warnings, faults = judged()
    assert (warnings, faults) == ([], [])
    assert facts["threads, as read back"] == "openblas 1"
    assert facts["clock step"] == "40.0 ns"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"machine": {"governor": "powersave"}}, "the governor is powersave: `cpupower"),
        ({"machine": {"load_average": 3.0}}, "something else keeps this machine busy"),
        ({"stolen": 0.07}, "7% of the time was stolen by other virtual machines"),
        ({"ticking": ClockFacts(step_seconds=1e-6, source="hpet")}, "the clock source is hpet, slow to read"),
    ],
)
def test_what_widens_intervals_is_complained_of_with_a_remedy(more, words):
    _, warnings, faults = judged(**more)
    assert len(warnings) == 1
    assert warnings[0].startswith(words)
    assert faults == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"read_back": 4}, "openblas runs 4 threads, 1 requested"),
        ({"ticking": ClockFacts(step_seconds=1e-3)}, "the clock moves in steps of 1.00 ms"),
    ],
)
def test_what_makes_figures_wrong_is_a_fault(more, words):
    _, _, faults = judged(**more)
    assert faults == [words]


def test_a_real_function_against_itself():
    from rich.console import Console

    quiet = PlainProgress(Console(quiet=True))
    found = diagnose(quiet, heads=(4, 8), batch_sizes=(2,), launches=2, repetitions=2)
    assert found.failures == []
    assert [(each.heads, each.batch_size) for each in found.points] == [(4, 2), (8, 2)] * 2
    assert all(0.2 < each.ratio.value < 5 and each.ratio.launches == 2 for each in found.points)
    assert "threads, as read back" in found.render()
    assert found.recovery.keys() == {(4, 2), (8, 2)}
    assert set(found.recovery.values()) <= set(LADDER)


def test_how_long_contenders_take_to_be_back_at_speed_is_shown():
    rendered = diagnosis(SAME, recovery={(256, 32): 0.016}).render()
    assert "back at speed after" in rendered
    assert "16.0 ms" in rendered
    assert "not measured" in diagnosis(SAME).render()


def test_a_visit_that_does_not_begin_as_it_goes_on_is_warned_of():
    found = FirstPairs(name="itself against itself", visits=60, median=math.log(1.05), mean=0.05, error=0.01)
    assert first_pair_warning(found) == (
        "the first pair of a visit differs from the rest by +5.0% (median of 60 visits): contenders are not back at "
        "speed when sampling begins; stop other load and run again"
    )
