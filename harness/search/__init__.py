"""Locate the N at which one contender overtakes another: numpy and scipy only, no clock, no file, no process."""

from __future__ import annotations

from harness.search.crossover import MOST_SAMPLES, locate
from harness.search.grid import locate_on_grid
from harness.search.result import (
    BudgetSpent,
    Crossing,
    Decision,
    Failures,
    Location,
    Measure,
    Pair,
    Probe,
    Progress,
    Unmeasurable,
)  # fmt: skip

__all__ = [
    "MOST_SAMPLES",
    "BudgetSpent",
    "Crossing",
    "Decision",
    "Failures",
    "Location",
    "Measure",
    "Pair",
    "Probe",
    "Progress",
    "Unmeasurable",
    "locate",
    "locate_on_grid",
]
