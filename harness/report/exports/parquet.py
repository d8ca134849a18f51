"""The timed samples of a run as one Parquet file, a row each, by PyArrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import RecordsError, ResourceError, UserError
from harness.system_errors import advice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.records.reader import Evidence

_COLUMNS = {
    "suite": "string", "run": "string", "started": "string", "commit": "string", "contender": "string",
    "heads": "int64", "batch_size": "int64", "purpose": "string", "leg": "string", "launch": "int64", "visit": "int64",
    "seconds": "float64", "sample": "int64",
}  # fmt: skip


def write(evidence: Evidence, path: Path) -> Path:
    """Writes the file: `seconds` per call of each sample, in their order, with what was sampled.

    Raises:
        UserError: where PyArrow is not installed.
        RecordsError: where the run has no sample.
        ResourceError: where the file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UserError("Parquet needs PyArrow", next_step="pip install 'crossover-harness[parquet]'") from error
    rows = list(_rows(evidence))
    if not rows:
        raise RecordsError("the run has no sample to export", where=str(evidence.folder))
    columns = zip(_COLUMNS.items(), zip(*rows, strict=True), strict=True)
    table = pa.table({name: pa.array(column, kind) for (name, kind), column in columns})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(table, path, compression="zstd")
    except OSError as error:
        what = f"the file cannot be written: {str(error).splitlines()[0]}"
        raise ResourceError(what, where=str(path), next_step=advice(error)) from error
    return path


def _rows(evidence: Evidence) -> Iterator[tuple[Any, ...]]:
    run = evidence.run
    about = (run.suite["name"], evidence.name, run.started, run.commit)
    for each in evidence.measurements:
        cell = (each.contender, each.heads, each.batch_size, each.purpose, each.leg, each.launch, each.visit)
        for sample, seconds in enumerate(each.sampled.seconds if each.sampled else ()):
            yield (*about, *cell, seconds, sample)
