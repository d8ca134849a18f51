"""The commands of the page: the same question again, in another folder."""

from __future__ import annotations

import dataclasses
import shlex

import pytest

from harness.report.reproduce import commands


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("harness run a.yaml", "harness run a.yaml --output results/synthetic-again"),
        (
            "harness run a.yaml --output 'my run' --set seed=3",
            "harness run a.yaml --set seed=3 --output 'my run-again'",
        ),
        ("harness run a.yaml --resume out/ --force --verbose", "harness run a.yaml --output out-again"),
        ("harness run a.yaml --output=out", "harness run a.yaml --output out-again"),
        ("harness run a.yaml --output out --scores b.jsonl", "harness run a.yaml --output out-again"),
        ("harness locate 'my.py:f' b:g", "harness locate my.py:f b:g --output results/synthetic-again"),
        (
            "harness -q tests/test_x.py",
            "harness run suites/synthetic.yaml --output results/synthetic-again",
        ),  # of pytest
        ("", "harness run suites/synthetic.yaml --output results/synthetic-again"),
    ],
)
def test_the_question_stays_and_the_folder_is_another(summary, said, again):
    run = summary.run.model_copy(update={"command": said})
    checkout, measured, compared, verified = commands(dataclasses.replace(summary, run=run))
    assert (checkout, measured) == ("git checkout 0123456789ab", again)
    new = shlex.split(again)[-1]
    old = new.removesuffix("-again")
    assert [each.rstrip("/") for each in shlex.split(compared)] == ["harness", "compare", old, new]
    assert [each.rstrip("/") for each in shlex.split(verified)] == ["harness", "verify", old]
