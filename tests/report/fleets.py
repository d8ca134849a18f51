"""Made-up machines: copies of a committed baseline, each with a processor and with crossovers of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.report.runs import BASELINE, shift

if TYPE_CHECKING:
    from pathlib import Path

TAU = 0.4  # standard deviation of log N* between the machines
MIXED = "documented", 1  # the race and batch size in which the last machine has no crossover


def write(folder: Path, count: int = 9, seed: int = 0, *, limits: bool = False, above: bool = True) -> list[Path]:
    """A run for each machine; on the last one the baseline is faster throughout in one race, if `above`."""
    draw = np.random.default_rng(seed)
    run, located = (json.loads((BASELINE / "crossover" / name).read_text()) for name in ("run.json", "crossovers.json"))
    with (BASELINE / "crossover" / "measurements.jsonl").open(encoding="utf-8") as file:
        lines = [next(file) for _ in range(2)]
    if not limits:
        run["machine"].pop("limits")
    written = []
    for place in range(count):
        one, found = json.loads(json.dumps(run)), json.loads(json.dumps(located))
        factor = float(np.exp(draw.normal(0, TAU)))
        one["machine"] |= {"processor": f"Processor {place}", "caches": {"L2": 2**20, "L3": 2**25 * (1 + place % 3)}}
        one["versions"]["torch"] = "2.13.0+cpu" if place % 2 else "2.14.0+cpu"
        one["started"] = f"2026-02-{place + 1:02}T08:00:00+00:00"
        for each in found["located"]:
            shift(each["location"], factor)
            if above and place == count - 1 and (each["leg"]["race"], each["leg"]["batch_size"]) == MIXED:
                each["location"] |= {"status": "above", "crossings": [], "decision": None}
        target = folder / f"machine-{place}"
        target.mkdir(parents=True)
        put(target, one, found, lines)
        written.append(target)
    return written


def put(target: Path, run: dict[str, Any], located: dict[str, Any], lines: list[str]) -> None:
    """The files of a run."""
    (target / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (target / "crossovers.json").write_text(json.dumps(located), encoding="utf-8")
    (target / "measurements.jsonl").write_text("".join(lines), encoding="utf-8")


def changed(folder: Path, change: Any) -> Path:
    """run.json changed in place."""
    run = json.loads((folder / "run.json").read_text())
    change(run)
    (folder / "run.json").write_text(json.dumps(run))
    return folder
