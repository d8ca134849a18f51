"""The commands of the page: the same question again, in another folder."""

from __future__ import annotations

import dataclasses

import pytest

from harness.report.reproduce import commands


@pytest.mark.parametrize(
    ("said", "again"),
    [
        ("harness run suites/a.yaml", "harness run suites/a.yaml"),
        ("harness run suites/a.yaml --output out --set seed=3 --verbose", "harness run suites/a.yaml --set seed=3"),
        ("harness run suites/a.yaml --resume out --force --output=out", "harness run suites/a.yaml"),
        ("harness locate 'my file.py:f' b:g --range 1:99", "harness locate 'my file.py:f' b:g --range 1:99"),
        (
            "harness -q tests/test_x.py",
            "harness run suites/synthetic.yaml",
        ),  # from Python, whose arguments are not ours
        ("", "harness run suites/synthetic.yaml"),
    ],
)
def test_the_question_stays_and_the_folder_is_another(summary, said, again):
    run = summary.run.model_copy(update={"command": said})
    found = commands(dataclasses.replace(summary, run=run, folder="results/my run"))
    assert found == (
        "git checkout 0123456789ab",
        f"{again} --output 'results/my run-again'",
        "harness compare 'results/my run' 'results/my run-again'",
        "harness verify 'results/my run'",
    )
