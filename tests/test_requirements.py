"""From a suite to its sentences: students that are fast, and what is said about those that are not right."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from harness.analysis.summary import summarise
from harness.records.evidence import read

SUITE = {
    "name": "right",
    "source": {"use": "playbook", "options": {"temperature": 1.0}},
    "heads": {"values": [18]},
    "batch_sizes": [1],
    "contenders": {
        "loop": {"projector": "lda-loop", "runtime": "python"},
        "constant": {"projector": "constant", "runtime": "eager", "scored": True},
    },
    "races": [
        {
            "name": "trivial",
            "baseline": "loop",
            "challenger": "constant",
            "heads": {"from": 8, "to": 32},
            "requires": {"skill": 0.5},
        }
    ],
    "measurement": {"launches": 2, "table": False, "min_sample_seconds": 0.0003, "self_check": False},
    "search": {"precision": 0.5, "regret": False},
}


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    folder = tmp_path_factory.mktemp("right")
    (folder / "right.yaml").write_text(yaml.safe_dump(SUITE))
    command = [sys.executable, "-m", "harness", "run", str(folder / "right.yaml"), "--output", str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return summarise(read(folder / "out"))


def test_at_a_temperature_of_one_a_constant_reaches_what_was_documented_as_success(summary):
    row = next(each for each in summary.fidelity if (each.contender, each.heads) == ("constant", 18))
    assert row.scores["mean_cosine"] > 0.95
    (about,) = [each for each in summary.remarks if each.startswith("at N = 18 and T = 1, ")]
    assert f"a constant (the mean teacher output) reaches a mean cosine of {row.scores['mean_cosine']:.4f}" in about
    assert about.endswith("a high cosine says nothing there")


def test_a_challenger_that_leads_and_is_wrong_has_no_crossover_that_counts(summary):
    (leg,) = summary.legs
    assert leg.located.location.status == "below"  # a constant is faster than a loop from 8 heads on
    assert leg.constrained.faster_from == 8
    assert leg.constrained.counts_from is None
    assert leg.constrained.sentence.startswith("constant is faster from N = 8, but not equivalent there: skill")
