"""A run as airspeed velocity keeps its own: machine.json, a file of results per commit, and benchmarks.json.

A contender is one benchmark over N and batch size, a race one over batch sizes; the samples' medians are asv's results,
and the intervals its 99 % ones only by name: asv has no other place for them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from harness import plain_file, plain_json
from harness.errors import RecordsError
from harness.printable import one_line
from harness.records.reader import LARGEST_BYTES
from harness.records.writer import write_atomically, writing
from harness.report.exports.quantities import quantities

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.analysis.statistics import Interval
    from harness.records.reader import Evidence
    from harness.report.exports.quantities import Quantity

RESULTS = ".asv/results"  # asv's own default
_ENVIRONMENT = "existing-crossover-harness"
_COLUMNS = (
    "result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b", "stats_q_25",
    "stats_q_75", "stats_number", "stats_repeat", "samples", "profile",
)  # fmt: skip
_RESULTS_VERSION, _MACHINE_VERSION, _BENCHMARKS_VERSION = 2, 1, 2  # of asv's three formats
_PARAMETERS = {"call": ("heads", "batch_size"), "crossover": ("batch_size", "crossing")}


def export(evidence: Evidence, results: Path) -> Path:
    """Writes the file of a run into asv's folder of results; benchmarks of other suites that lie there stay.

    Raises:
        RecordsError: where nothing was measured, or the commit is not known: asv keeps results by commit.
        ResourceError: where the folder cannot be written.
    """
    found = _benchmarks(evidence)
    commit = evidence.run.project.get("id") or (evidence.run.commit or "").partition("-")[0]
    if not commit:
        what = "asv keeps results by commit, and the suite of this run was in no repository"
        raise RecordsError(what, where=str(evidence.folder), next_step="run it in a checkout")
    machine = _machine(evidence)
    folder = results / str(machine["machine"])
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "machine.json", machine)
    path = folder / f"{_word(commit[:8])}-{_ENVIRONMENT}.json"
    before = _read(path).get("results", {}) if path.exists() else {}
    _write(path, _results(evidence, commit, machine, found, before))
    known = _read(results / "benchmarks.json") if (results / "benchmarks.json").exists() else {}
    made = {name: _described(name, entries) for name, entries in found.items()}
    _write(results / "benchmarks.json", {**known, **made, "version": _BENCHMARKS_VERSION})
    return path


def _benchmarks(evidence: Evidence) -> dict[str, list[Quantity]]:
    found: dict[str, list[Quantity]] = {}
    suite = _word(str(evidence.run.suite["name"]))
    for each in quantities(evidence):
        own = each.labels["contender"] if each.kind == "call" else f"crossover_{each.labels['race']}"
        found.setdefault(f"{suite}.{_word(own)}", []).append(each)
    return found


def _results(
    evidence: Evidence, commit: str, machine: Mapping[str, Any], found: Mapping[str, Sequence[Quantity]],
    before: Mapping[str, Any],
) -> dict[str, Any]:  # fmt: skip
    started = _milliseconds(evidence.run.started)
    python = str(evidence.run.machine.get("python", ""))
    return {
        "commit_hash": commit,
        "env_name": _ENVIRONMENT,
        "date": _milliseconds(evidence.run.project.get("time", evidence.run.started)),
        "params": {**{name: value for name, value in machine.items() if name != "version"}, "python": python},
        "python": python,
        "requirements": {},
        "env_vars": {},
        "result_columns": list(_COLUMNS),
        "results": {**before, **{name: _result(name, entries, started) for name, entries in found.items()}},
        "durations": {},
        "version": _RESULTS_VERSION,
    }


def _result(name: str, entries: Sequence[Quantity], started: int) -> list[Any]:
    values = _values(entries)
    return [
        [None if each is None else each.value for each in values],
        _parameters(entries),
        _version(name),
        started,
        None,
        [each.low if each is not None and each.known else None for each in values],
        [each.high if each is not None and each.known else None for each in values],
    ]


def _values(entries: Sequence[Quantity]) -> list[Interval | None]:
    """In the order in which asv counts through parameters, the last one fastest; None where nothing was measured."""
    names = _PARAMETERS[entries[0].kind]
    known = {tuple(each.labels[name] for name in names): each.value for each in entries}
    return [known.get(place) for place in itertools.product(*_parameters(entries))]


def _parameters(entries: Sequence[Quantity]) -> list[list[str]]:
    return [sorted({each.labels[name] for each in entries}, key=int) for name in _PARAMETERS[entries[0].kind]]


def _described(name: str, entries: Sequence[Quantity]) -> dict[str, Any]:
    return {
        "code": f"measured by `harness run`: {name}",
        "name": name,
        "param_names": list(_PARAMETERS[entries[0].kind]),
        "params": _parameters(entries),
        "timeout": 60.0,
        "type": "time" if entries[0].kind == "call" else "track",
        "unit": entries[0].unit,
        "version": _version(name),
    }


def _version(name: str) -> str:
    """Of a benchmark's code: asv drops results of another one."""
    return f"crossover-harness:{name}"


def _machine(evidence: Evidence) -> dict[str, Any]:
    machine = evidence.run.machine
    node = str(machine.get("node") or _host())
    return {
        "arch": str(machine.get("architecture", "")),
        "cpu": str(machine.get("processor", "")),
        "machine": _word(node),
        "num_cpu": str(machine.get("logical_cores", "")),
        "os": str(machine.get("system", "")),
        "ram": str((machine.get("memory_bytes") or 0) // 1024),
        "version": _MACHINE_VERSION,
    }


def _host() -> str:
    import platform

    return platform.node() or "machine"


def _milliseconds(time: str) -> int:
    try:
        return round(dt.datetime.fromisoformat(time).timestamp() * 1000)
    except (ValueError, OverflowError):
        what = f"asv keeps results by time, and {one_line(time, 40)!r} is not a time"
        raise RecordsError(what, next_step="restore run.json, or run the suite again") from None


def _word(text: str) -> str:
    """A part of a benchmark's name, or a folder's: letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:96] or "_"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = plain_json.parsed(plain_file.text(path, LARGEST_BYTES))
    except (OSError, ValueError) as error:
        raise RecordsError(f"invalid file of asv: {error}", where=str(path)) from error
    if not isinstance(found, dict):
        raise RecordsError("invalid file of asv: a JSON object is expected", where=str(path))
    return found


def _write(path: Path, document: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(document, indent=1, sort_keys=True) + "\n")
