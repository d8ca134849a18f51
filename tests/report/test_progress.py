"""What is said of a search while it goes on."""

from __future__ import annotations

import dataclasses

from harness.plan.sweep import SearchCase
from harness.report.progress import bracket
from harness.search.result import Location, Progress
from harness.search.wording import sentence

LEG = SearchCase(
    race="sorting", baseline="insertion", challenger="quick", batch_size=1, low=1, high=1_000_000, counts="n"
)  # fmt: skip


def test_nothing_is_said_of_the_lead_before_both_were_measured():
    """ "no change of the lead between 1 and 1,000,000" stood there while insertion sort was never called at a million."""
    said = bracket(LEG, Progress("bracket", 1, 1_000_000, None, 12))
    assert said == "sorting: looking for a crossover between 1 and 1,000,000 (12 samples)"


def test_the_batch_of_functions_is_not_worth_a_word():
    assert LEG.title == "sorting"
    assert dataclasses.replace(LEG, batch_size=8).title == "sorting at batch 8"
    assert dataclasses.replace(LEG, counts="heads").title == LEG.label == "sorting at batch 1"


def test_an_answer_speaks_of_the_range_in_which_both_were_measured():
    from harness.search.result import Failures

    failed = Failures(
        low=20_000, high=1_000_000, last_good=9000, next_good=None, contender="baseline", reason="too slow"
    )
    found = Location(
        status="below", crossings=(), low=1, high=1_000_000, samples=0, probes=(), notes=(), measured=(1, 9000),
        failures=(failed,),
    )  # fmt: skip
    said = sentence(found, "quick", "insertion", 1, of_heads=False)
    assert said == "quick is faster from n = 1 to 9,000; insertion fails at 20,000 and above"
