"""A run as pytest-benchmark writes its own: for `pytest-benchmark compare` and whatever else reads that format.

Each benchmark carries the complete `stats`, since one without them makes readers drop the file in silence; the file
carries `machine_info` and `commit_info`, without which a comparison is an internal error of pytest-benchmark.
"""

from __future__ import annotations

import json
import platform
import re
import statistics
from bisect import bisect_left, bisect_right
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.errors import RecordsError, UserError
from harness.records import project
from harness.records.checkout import UNKNOWN
from harness.records.crossovers import load
from harness.records.machine import describe as here
from harness.records.machine import differences
from harness.records.samples import by_cell, seconds_by_launch, timed_records
from harness.records.writer import write_atomically, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.records.measurement import Measurement
    from harness.records.reader import Evidence
    from harness.records.samples import CellKey

_LONGEST_NAME = 100
FORMAT_VERSION = "5.1.0"  # of pytest-benchmark, whose fields these are


def export(evidence: Evidence, storage: Path, *, data: bool = False) -> Path:
    """Writes the file of a run into pytest-benchmark's storage layout, `<storage>/<platform>/<number>_<name>.json`.

    Raises:
        RecordsError: where the run has no measured cell.
        ResourceError: where the storage cannot be written.
    """
    document = convert(evidence, data=data)
    if not document["benchmarks"]:
        raise RecordsError("the run has no measured cell to export", where=str(evidence.folder))
    folder = storage / _platform(evidence.run.machine)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(each.name[:4]) for each in folder.glob("[0-9][0-9][0-9][0-9]_*.json")]
    path = folder / f"{max(numbers, default=0) + 1:04}_{evidence.name}.json"
    write_atomically(path, json.dumps(document, indent=4) + "\n")
    return path


def stored_at(storage: str) -> Path:
    """The folder of a storage as pytest-benchmark's `--benchmark-storage` takes it: a path, or a path after `file://`.

    Raises:
        UserError: where it is of another kind.
    """
    scheme, separator, place = storage.partition("://")
    if not separator:
        return Path(storage)
    if scheme != "file":
        raise UserError(f"--storage {storage!r} is not a folder", next_step="give a path, or file:// and a path")
    return Path(place)


def convert(evidence: Evidence, *, data: bool = False) -> dict[str, Any]:
    """A run as the object that pytest-benchmark would have written."""
    run = evidence.run
    return {
        "machine_info": _machine(run.machine),
        "commit_info": _commit(evidence),
        "benchmarks": [_benchmark(key, records, evidence, data=data) for key, records in _cells(evidence)],
        "datetime": run.started,
        "version": FORMAT_VERSION,
    }


def samples(records: Sequence[Measurement]) -> list[float]:
    """The seconds per call of a cell's table, launch after launch."""
    tabled = timed_records([each for each in records if each.purpose == "table"])
    return [second for _, seconds in sorted(seconds_by_launch(tabled).items()) for second in seconds]


def identity(suite_path: str, contender: str, heads: int, batch_size: int) -> dict[str, Any]:
    """How a cell is called as a benchmark; the same from a run's folder and under pytest, so that they compare."""
    name = f"{contender}[N{heads}-B{batch_size}]"
    return {
        "group": f"N={heads} B={batch_size}",
        "name": name,
        "fullname": f"{suite_path}::{name}",
        "params": {"contender": contender, "heads": heads, "batch_size": batch_size},
        "param": f"{contender}-{heads}-{batch_size}",
    }


def suite_file(evidence: Evidence) -> str:
    """The suite's file as pytest names it: its path from the root of its project."""
    known = evidence.run.project.get("suite", "")
    if not known and (Path.cwd() / evidence.run.suite_path).is_file():  # a run of an earlier version, made here
        known = project.describe(Path(evidence.run.suite_path))["suite"]
    return known or PurePosixPath(evidence.run.suite_path).as_posix()


def extra_info(evidence: Evidence, cell: CellKey) -> dict[str, Any]:
    """What is known of a cell beside its times: launches, parity, and N* of each race of its contender at its batch size."""
    records = [each for each in evidence.measurements if each.cell == cell and each.purpose == "table"]
    errors = [each.parity.error for each in records if each.parity is not None]
    return {
        "launches": len({each.launch for each in records if each.sampled is not None and each.launch > 0}),
        "parity_error": max(errors) if errors else None,
        "crossovers": [
            answer(each)
            for each in load(evidence.located)
            if each.case.batch_size == cell[2] and cell[0] in (each.case.baseline, each.case.challenger)
        ],
    }


def answer(record: SearchRecord) -> dict[str, Any]:
    """A search as plain data: N*, its interval and who leads after it, of the first crossing where there are several."""
    case, location = record.case, record.location
    found: dict[str, Any] = {
        "race": case.race, "baseline": case.baseline, "challenger": case.challenger, "batch_size": case.batch_size,
        "status": location.status,
    }  # fmt: skip
    for number, each in enumerate(location.crossings):
        again = f"_{number + 1}" if number else ""
        facts = {"low": each.low, "high": each.high, "confidence": each.confidence, "leads_above": each.direction}
        found |= {f"crossover{again}": each.heads} | {
            f"crossover{again}_{name}": value for name, value in facts.items()
        }
    return found


def stats(seconds: Sequence[float]) -> dict[str, Any]:
    """Every field of pytest-benchmark's `stats`, by its definitions (quartiles by its methods 2 and 3)."""
    ordered = sorted(seconds)
    mean = statistics.mean(ordered)
    stddev = statistics.stdev(ordered) if len(ordered) > 1 else 0.0
    first, third = _quartiles(ordered)
    reach = 1.5 * (third - first)
    beyond = sum(not mean - stddev <= each <= mean + stddev for each in ordered)
    outside = sum(not first - reach <= each <= third + reach for each in ordered)
    total = sum(seconds)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": stddev,
        "rounds": len(ordered),
        "median": statistics.median(ordered),
        "iqr": third - first,
        "q1": first,
        "q3": third,
        "iqr_outliers": outside,
        "stddev_outliers": beyond,
        "outliers": f"{beyond};{outside}",
        "ld15iqr": ordered[bisect_left(ordered, first - reach)],
        "hd15iqr": ordered[bisect_right(ordered, third + reach) - 1],
        "ops": len(ordered) / total if total else 0,
        "total": total,
        "iterations": 1,
    }


def _cells(evidence: Evidence) -> Iterator[tuple[tuple[str, int, int], list[Measurement]]]:
    """Cells that have samples; a benchmark without any must not be written."""
    for key, records in by_cell(evidence.measurements).items():
        if samples(records):
            yield key, records


def _benchmark(
    key: tuple[str, int, int], records: Sequence[Measurement], evidence: Evidence, *, data: bool
) -> dict[str, Any]:
    seconds = samples(records)
    first = next(each.sampled for each in records if each.sampled is not None)
    return {
        **identity(suite_file(evidence), *key),
        "extra_info": {
            **extra_info(evidence, key), "suite": PurePosixPath(suite_file(evidence)).name,
            "inner_loops": first.inner_loops,
        },
        "options": {
            "disable_gc": False, "timer": "perf_counter", "min_rounds": 1, "max_time": 1.0, "min_time": 0.000005,
            "warmup": True,
        },
        "stats": stats(seconds) | ({"data": seconds} if data else {}),
    }  # fmt: skip


def _quartiles(ordered: Sequence[float]) -> tuple[float, float]:
    """First and third quartile: the medians of the halves, or for odd counts method 3 of Wikipedia's article."""
    count = len(ordered)
    if count == 1:
        return ordered[0], ordered[0]
    if count % 2 == 0:
        return statistics.median(ordered[: count // 2]), statistics.median(ordered[count // 2 :])
    quarter, rest = divmod(count, 4)
    if rest == 1:
        return (
            0.25 * ordered[quarter - 1] + 0.75 * ordered[quarter],
            0.75 * ordered[3 * quarter] + 0.25 * ordered[3 * quarter + 1],
        )
    return (
        0.75 * ordered[quarter] + 0.25 * ordered[quarter + 1],
        0.25 * ordered[3 * quarter + 1] + 0.75 * ordered[3 * quarter + 2],
    )


def _machine(machine: Mapping[str, Any]) -> dict[str, Any]:
    """What pytest-benchmark writes about this machine, where the run was made here; else the same as far as it is recorded."""
    system, _, release = str(machine.get("system", "")).partition(" ")
    python = str(machine.get("python", ""))
    implementation = str(machine.get("python_implementation", "CPython"))
    if (system, python, implementation) == (
        platform.system(), platform.python_version(), platform.python_implementation(),
    ) and not differences(machine, here()):  # fmt: skip
        import cpuinfo

        return {
            "node": platform.node(),
            "processor": platform.processor(),
            "machine": platform.machine(),
            "python_compiler": platform.python_compiler(),
            "python_implementation": implementation,
            "python_implementation_version": python,
            "python_version": python,
            "python_build": list(platform.python_build()),
            "release": platform.release(),
            "system": system,
            "cpu": cpuinfo.get_cpu_info() or {},
        }
    return {
        "node": str(machine.get("node", "")),
        "processor": str(machine.get("processor", "")),
        "machine": str(machine.get("architecture", "")),
        "python_compiler": "",
        "python_implementation": implementation,
        "python_implementation_version": python,
        "python_version": python,
        "python_build": ["", ""],
        "release": release,
        "system": system,
        "cpu": {"brand_raw": machine.get("processor"), "count": machine.get("logical_cores")},
    }


def _commit(evidence: Evidence) -> dict[str, Any]:
    """The commit of the suite's own project, as pytest-benchmark writes it."""
    commit, about = evidence.run.commit, evidence.run.project
    clean, _, state = (commit or "unversioned").partition("-")
    return {
        "id": about.get("id", clean),
        "time": about.get("time"),
        "author_time": about.get("author_time"),
        "dirty": None if commit and commit.endswith(UNKNOWN) else bool(commit and state),
        "project": about.get("name", "unknown"),
        "branch": about.get("branch", "(unknown)"),
    }


def _platform(machine: Mapping[str, Any]) -> str:
    """The folder name that pytest-benchmark gives to a machine."""
    system = str(machine.get("system", "Linux")).split(" ", maxsplit=1)[0]
    python = ".".join(str(machine.get("python", "3")).split(".")[:2])
    return _file_name(f"{system}-{machine.get('python_implementation', 'CPython')}-{python}-{_bits()}")


def _bits() -> str:
    return platform.architecture()[0]


def _file_name(text: str) -> str:
    """A text of a file as one name: run.json may have been written by anybody, and names no folders."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text).lstrip(".")[:_LONGEST_NAME] or "unknown"
