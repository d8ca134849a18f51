"""What `harness check` prints of a suite: what would run, what is left out and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from harness.plan.check import check_suite
from harness.plan.sweep import Cell, Skipped
from harness.report import plan
from harness.suite import loading

SUITE = {
    "name": "small",
    "source": {"use": "playbook"},
    "heads": {"values": [18, 72]},
    "batch_sizes": [1, 4],
    "contenders": {name: {"projector": "lda", "runtime": "python"} for name in ("one", "two")},
}


@pytest.fixture
def checked(answered_here):
    return check_suite(loading.load(None, text=yaml.safe_dump(SUITE)))


def without(checked, cells, **more):
    skipped = tuple(Skipped(cell=Cell(contender="one", heads=n, batch_size=b), reason="too large") for n, b in cells)
    return plan.render(replace(checked, sweep=replace(checked.sweep, skipped=skipped), **more))


def test_a_suite_is_told_by_its_contenders_and_their_n(checked):
    text = plan.render(checked)
    assert text.startswith("small: 8 cells at batch 1, 4, 8 launches")
    assert "skipped" not in text
    assert [line.split() for line in text.splitlines() if line.startswith("one")] == [
        ["one", "lda", "python", "18,", "72"]
    ]


@pytest.mark.parametrize(
    ("cells", "where"),
    [
        ([(18, 1)], "N = 18 at batch 1"),
        ([(18, 1), (18, 4), (7200, 1), (7200, 4)], "N = 18, 7,200 at batch 1, 4"),
        ([(18, 1), (72, 1), (72, 4)], "N = 18, 72 at batch 1; N = 72 at batch 4"),
    ],
)
def test_cells_that_are_skipped_for_one_reason_share_a_line(checked, cells, where):
    assert f"skipped:\n  one ({where}): too large" in without(checked, cells)


def test_contenders_without_their_device_are_noted_once(checked):
    text = without(checked, [(18, 1)], absent={"one": "no such device"}, notes=("skipped: one (no such device)",))
    assert text.count("skipped") == 1
