"""Published thresholds of functions: compared, and named as their races are."""

from __future__ import annotations

import dataclasses

from harness.analysis.claims.figures import compare
from harness.plan.sweep import sweep
from harness.records.crossovers import SearchRecord
from harness.search.result import Crossing, Location
from harness.suite.schema import Suite

SUITE = Suite.model_validate({
    "name": "convolution",
    "heads": {"from": 8, "to": 4000},
    "contenders": {"direct": {"function": "mine:direct"}, "fft": {"function": "mine:fft"}},
    "races": [{"name": "convolution", "baseline": "direct", "challenger": "fft"}],
    "documented": {
        "source": "the libraries",
        "figures": [{"race": "convolution", "batch_size": 1, "crossover": 500, "source": "SciPy: n > ~500"}],
    },
})  # fmt: skip
(CASE,) = sweep(SUITE).cases


def result(low, high):
    crossing = Crossing((low + high) // 2, low, high, "challenger", 0.95, "smooth")
    found = Location(status="crossing", crossings=(crossing,), low=8, high=4000, samples=0, probes=(), notes=())
    (told,) = compare(SUITE, {}, [SearchRecord(case=CASE, location=found)])
    return told


def test_a_published_threshold_is_compared_and_explained():
    assert result(480, 520).verdict == "reproduced"
    far = result(230, 250)
    assert far.verdict == "not reproduced"
    assert far.sentence == (
        "convolution: crossover documented as about 500: not reproduced: measured 240 (95 %: 230 to 250); "
        "500 lies above the interval"
    )


def test_it_is_found_by_the_name_of_its_race():
    assert result(480, 520).subject == CASE.title == "convolution"
    assert dataclasses.replace(CASE, counts="heads").title == "convolution at batch 1"


def test_a_figure_names_its_own_source():
    assert SUITE.documented.figures[0].source == "SciPy: n > ~500"
