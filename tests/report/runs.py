"""Forty made-up runs: committed baselines, shifted in time, N*, commit, version and machine, and marked so."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np

BASELINE = Path(__file__).parents[2] / "results" / "baseline"
STEP, FACTOR = 25, 0.7  # from this run on every N* is so many times what it was
NEWER = 12  # from this run on torch is another version
MOVED = 32  # from this run on the machine is another one


def write(folder: Path, count: int = 40, seed: int = 0) -> list[Path]:
    """A folder for each run; of every four, three are of `crossover` and one is of `speed`."""
    noise = np.random.default_rng(seed)
    kept = {suite: _files(BASELINE / suite) for suite in ("crossover", "speed")}
    written = []
    for place in range(count):
        suite = "speed" if place % 4 == 3 else "crossover"
        factor = (FACTOR if place >= STEP else 1.0) * float(np.exp(noise.normal(0, 0.01)))
        run, report, located, lines = (json.loads(json.dumps(each)) for each in kept[suite])
        started = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC) + dt.timedelta(days=7 * place)
        run |= {
            "started": started.isoformat(), "finished": (started + dt.timedelta(minutes=15)).isoformat(),
            "commit": f"{int(noise.integers(1 << 48)):012x}",
            "warnings": ["synthetic: a shifted copy of a committed baseline, for tests and screenshots"],
        }  # fmt: skip
        if place >= NEWER:
            run["versions"]["torch"] = "2.14.0+cpu"
        if place >= MOVED:
            run["machine"]["processor"] = "Another Processor"
        report |= {"started": run["started"], "warnings": run["warnings"]}
        for each in (*report["crossovers"], *(one["location"] for one in located["located"])):
            shift(each, factor)
        target = folder / f"{suite}-{started:%Y%m%d}"
        target.mkdir(parents=True)
        for name, value in (("run.json", run), ("report.json", report), ("crossovers.json", located)):
            (target / name).write_text(json.dumps(value), encoding="utf-8")
        (target / "measurements.jsonl").write_text("".join(lines), encoding="utf-8")
        written.append(target)
    return written


def _files(folder: Path) -> tuple[Any, ...]:
    """Of a baseline, without what takes room and is not shown."""
    run, report, located = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("run.json", "report.json", "crossovers.json")
    )
    run["machine"].pop("limits", None)
    report["limits"], report["races"] = [], []
    with (folder / "measurements.jsonl").open(encoding="utf-8") as file:
        lines = [next(file) for _ in range(5)]
    return run, report, located, lines


def shift(found: dict[str, Any], factor: float) -> None:
    """All N of an answer, and those of its probes and its decision."""
    for each in found.get("crossings", []):
        each |= {name: max(1, round(each[name] * factor)) for name in ("heads", "low", "high")}
    for each in found.get("probes", []):
        each["heads"] = max(1, round(each["heads"] * factor))
    if decision := found.get("decision"):
        decision |= {name: max(1, round(decision[name] * factor)) for name in ("below", "above")}
