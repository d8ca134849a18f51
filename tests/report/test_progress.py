"""A run as it is shown while it goes: one view on a terminal, plain lines in a pipe, the table so far where it is cut off."""

from __future__ import annotations

import dataclasses
import io
import re

import pytest
from rich.console import Console

from harness.plan.sweep import SearchCase
from harness.report.forecast import Forecast
from harness.report.progress import LiveProgress, PlainProgress, bracket, progress
from harness.search import Location, Progress
from harness.search.result import Crossing, Failures
from harness.search.wording import sentence

PAIR = {"baseline": "simple", "challenger": "clever", "low": 2, "high": 1024}
ONE, TWO = SearchCase(race="eager", batch_size=1, **PAIR), SearchCase(race="eager", batch_size=32, **PAIR)
ANSWER = Location("crossing", (Crossing(278, 236, 324, "challenger", 0.95, "smooth"),), 400, (), (), 2, 1024)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Screen(io.StringIO):
    encoding = "utf-8"


def seen(listener):
    """The rows of the live view as it is now."""
    paper = Console(file=Screen(), width=listener._console.width, color_system=None)
    paper.print(listener._view())
    return [line.rstrip() for line in paper.file.getvalue().splitlines()]


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def live(clock):
    console = Console(file=Screen(), force_terminal=True, width=80, height=24, color_system=None)
    listener = LiveProgress(console, clock)
    yield listener
    listener.close()


def plain(clock, width=80):
    return PlainProgress(Console(file=Screen(), width=width, force_terminal=False, color_system=None), clock)


def told(listener):
    return listener._console.file.getvalue()


def test_the_view_says_which_launch_it_is_how_long_the_run_took_and_how_long_it_will_take(live, clock):
    live.outline([ONE, TWO], 8, 0.0)
    live.launch(0)
    clock.now += 60
    assert seen(live)[0] == "launch 0, exploring; 60 s done"
    live.launch(1)
    live.stage("launch 1 of 8: the table", total=40)
    clock.now += 15
    for _ in range(10):
        live.step("N = 18, batch 1")
    assert seen(live)[:2] == [
        "launch 1 of 8; 75 s done, at least 7.8 min left",  # 15 s for a quarter of the table of one of eight launches
        "#####............... 10 of 40  launch 1 of 8: the table: N = 18, batch 1",
    ]
    clock.now += 75  # 90 s for launch 1, its searches included
    live.launch(2)
    assert seen(live)[0] == "launch 2 of 8; 2.5 min done, about 10 min left"
    clock.now += 60
    assert seen(live)[0] == "launch 2 of 8; 3.5 min done, about 9.5 min left"


def test_intervals_are_provisional_and_narrow_until_the_answer_is_there(live):
    live.outline([ONE, TWO], 8, 0.0)
    live.launch(0)
    rows = [seen(live)[-2:]]
    live.search(ONE, Progress("bracket", 2, 1024, None, 20))
    rows.append(seen(live)[-2:])
    live.search(ONE, Progress("refine", 128, 512, 300, 60))
    rows.append(seen(live)[-2:])
    live.search(ONE, Progress("confirm", 190, 410, 290, 120, launch=3))
    rows.append(seen(live)[-2:])
    live.search(ONE, Progress("confirm", 230, 330, 280, 240, launch=6))
    rows.append(seen(live)[-2:])
    live.answered(ONE, ANSWER)
    rows.append(seen(live)[-2:])
    first = [re.split(r"  +", one.strip()) for one, _ in rows]
    assert [each[1:] for each in first] == [
        ["1", "waiting"],
        ["1", "in 2 to 1,024", "exploring"],
        ["1", "about 300 (128 to 512)", "exploring"],
        ["1", "about 290 (190 to 410)", "launch 3 of 8"],
        ["1", "about 280 (230 to 330)", "launch 6 of 8"],
        ["1", "278 (236 to 324)", "answered"],
    ]
    assert {re.split(r"  +", other.strip())[-1] for _, other in rows} == {"waiting"}


def test_a_pause_counts_down_in_place_and_says_why(live):
    live.outline([ONE], 8, 600.0)
    live.launch(1)
    for left in (42.0, 41.0, 40.0):
        live.pause(left, "before launch 1, so that launches are spread over time")
        assert seen(live)[1] == f"a pause, {left:.0f} s left before launch 1, so that launches are spread over time"
    live.stage("launch 1 of 8: the table", total=3)
    assert "pause" not in "".join(seen(live))


def test_the_view_is_drawn_for_news_only_and_not_for_every_sample(live, clock, monkeypatch):
    drawn = []
    monkeypatch.setattr(live._live, "refresh", lambda: drawn.append(clock.now))
    live.outline([ONE], 8, 0.0)
    drawn.clear()
    for sample in range(1000):
        clock.now += 0.001
        live.search(ONE, Progress("refine", 128, 512, 300, sample))
    assert len(drawn) == 4 - 1
    assert live._live.auto_refresh is False


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_view_fits_every_width_and_height(width, clock):
    console = Console(file=Screen(), force_terminal=True, width=width, height=12, color_system=None)
    listener = LiveProgress(console, clock)
    cases = [SearchCase(race=f"race-{place}", batch_size=1, **PAIR) for place in range(30)]
    listener.outline(cases, 8, 0.0)
    listener.launch(3)
    listener.stage("launch 3: confirming crossovers")
    listener.search(cases[20], Progress("confirm", 230, 330, 280, 240, launch=3))
    lines = seen(listener)
    assert len(lines) < 12
    assert max(map(len, lines)) <= width
    assert any(line.startswith("race-20 ") for line in lines)  # what changed last is shown
    assert lines[-1].startswith("… and 24 more")
    listener.close()


def test_a_run_that_is_cut_off_leaves_the_table_so_far(live, clock):
    for listener in (live, plain(clock)):
        listener.outline([ONE, TWO], 8, 0.0)
        listener.search(TWO, Progress("confirm", 190, 410, 290, 120, launch=3))
        listener.answered(ONE, ANSWER)
        listener.close()
        last = told(listener)[told(listener).rindex("N* when the run was interrupted") :].splitlines()
        assert [re.split(r"  +", each.strip())[-2:] for each in last if "eager" in each][1] == [
            "about 290 (190 to 410)", "launch 3 of 8",
        ]  # fmt: skip
        assert "answered" in "".join(last)


def test_a_run_that_has_all_its_answers_leaves_nothing_behind(clock):
    listener = plain(clock)
    listener.outline([ONE], 8, 0.0)
    listener.search(ONE, Progress("confirm", 190, 410, 290, 120, launch=3))
    listener.answered(ONE, ANSWER)
    listener.close()
    assert "cut off" not in told(listener)


def test_without_a_terminal_there_are_plain_lines(clock):
    listener = plain(clock)
    listener.outline([ONE], 2, 0.0)
    listener.launch(0)
    listener.stage("launch 0: exploring")
    listener.search(ONE, Progress("confirm", 190, 410, 290, 120))
    listener.launch(1)
    for left in (3.0, 2.0, 1.0):
        listener.pause(left, "before launch 1, so that launches are spread over time")
    listener.stage("launch 1 of 2: the table", total=2)
    clock.now += 50
    listener.launch(2)
    assert told(listener).splitlines() == [
        "… launch 0: exploring",
        "  provisional, to be confirmed by further launches: eager at batch 1: N* about 290, between 190 and 410 (120 samples)",
        "… a pause of 3 s before launch 1, so that launches are spread over time",
        "… launch 1 of 2: the table (2 steps)",
        "  launch 2 of 2: 50 s done, about 50 s left",
    ]


def test_a_terminal_gets_the_view_and_one_without_a_cursor_does_not(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    there = progress(Console(file=Screen(), force_terminal=True))
    there.close()
    assert isinstance(there, LiveProgress)
    monkeypatch.setenv("TERM", "dumb")
    for terminal in (True, False):
        assert type(progress(Console(file=Screen(), force_terminal=terminal))) is PlainProgress


def test_launches_that_were_recalled_do_not_tell_how_long_the_others_take(clock):
    forecast = Forecast(clock)
    forecast.outline(8, 0.0)
    for seconds in (0.1, 0.1, 60.0):  # two of a run that is resumed, and one that was measured
        forecast.launch(forecast.number + 1 if forecast.number else 1)
        clock.now += seconds
    forecast.launch(4)
    assert forecast.left == pytest.approx(5 * 60.0)


def test_pauses_count_before_the_first_launch_is_over(clock):
    forecast = Forecast(clock)
    forecast.outline(8, 600.0)
    forecast.launch(0)
    assert forecast.left == pytest.approx(600.0 - 75.0 + 75.0)
    assert str(forecast) == "0 s done, at least 10 min left"


def test_after_the_last_launch_nothing_is_promised(clock):
    forecast = Forecast(clock)
    forecast.outline(1, 0.0)
    forecast.launch(1)
    clock.now += 30
    forecast.launch(2)
    assert forecast.left is None


CASE = SearchCase(
    race="sorting", baseline="insertion", challenger="quick", batch_size=1, low=1, high=1_000_000, counts="n"
)  # fmt: skip


def test_nothing_is_said_of_the_lead_before_both_were_measured():
    """ "no change of the lead between 1 and 1,000,000" stood there while insertion sort was never called at a million."""
    said = bracket(CASE, Progress("bracket", 1, 1_000_000, None, 12))
    assert said == "sorting: looking for a crossover between 1 and 1,000,000 (12 samples)"


def test_the_batch_of_functions_is_not_worth_a_word():
    assert CASE.title == "sorting"
    assert dataclasses.replace(CASE, batch_size=8).title == "sorting at batch 8"
    assert dataclasses.replace(CASE, counts="heads").title == CASE.label == "sorting at batch 1"


def test_an_answer_speaks_of_the_range_in_which_both_were_measured():

    failed = Failures(
        low=20_000, high=1_000_000, last_good=9000, next_good=None, contender="baseline", reason="too slow"
    )
    found = Location(
        status="below", crossings=(), low=1, high=1_000_000, samples=0, probes=(), notes=(), measured=(1, 9000),
        failures=(failed,),
    )  # fmt: skip
    said = sentence(found, "quick", "insertion", 1, of_heads=False)
    assert said == "quick is faster from n = 1 to 9,000; insertion fails at 20,000 and above"
