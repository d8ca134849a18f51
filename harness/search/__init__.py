"""Locate the N at which one contender overtakes another: numpy and scipy only, no clock, no file, no process."""

from __future__ import annotations

from harness.search.crossover import (
    MOST_SAMPLES,
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
    locate,
)
from harness.search.grid import locate_on_grid

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
