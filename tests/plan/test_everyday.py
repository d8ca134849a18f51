"""The everyday suite: its workloads keep the rules, and it asks what its page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.plan.check import check_suite
from harness.plugin.manager import BUILT_IN, Catalog, available
from harness.suite import loading
from harness.testing import check_workload

SUITES = Path(__file__).parents[2] / "suites"
WORKLOADS = {each.name: each.offer for each in Catalog.load([SUITES / "everyday.py"], without=BUILT_IN).offers}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_keeps_the_rules(name):
    if not available(WORKLOADS[name]).here:
        pytest.skip(f"needs {', '.join(available(WORKLOADS[name]).missing)}")
    check_workload(WORKLOADS[name], sizes=(8, 60))


def test_it_races_eight_pairs_of_libraries_and_their_own_choice(answered_here):
    suite = check_suite(loading.load(SUITES / "everyday.yaml")).suite
    assert len({contender.workload for contender in suite.contenders.values()}) == 8
    assert len(suite.races) >= 8
    rivals = {race.baseline for race in suite.races if race.challenger == "convolve-auto"}
    assert rivals == {"convolve-direct", "convolve-fft"}  # does SciPy choose rightly?
    assert suite.search.budget_seconds <= 300  # of six minutes
    assert all(figure.source for figure in suite.documented.figures)
    assert {figure.race for figure in suite.documented.figures} <= {race.name for race in suite.races}


def test_what_needs_an_extra_says_so(answered_here):
    if available(WORKLOADS["expression"]).here:
        pytest.skip("numexpr is installed")
    with pytest.raises(SuiteError, match=r"the workload 'expression' needs numexpr.*pip install 'numexpr>=2.10'"):
        check_suite(loading.load(SUITES / "everyday-extra.yaml"))
