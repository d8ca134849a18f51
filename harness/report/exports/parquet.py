"""The timed samples of a run as one Parquet file, a row each, by DuckDB."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import RecordsError, ResourceError, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.records.reader import Evidence

_COLUMNS = {
    "suite": "VARCHAR", "run": "VARCHAR", "started": "VARCHAR", "commit": "VARCHAR", "contender": "VARCHAR",
    "heads": "BIGINT", "batch_size": "BIGINT", "purpose": "VARCHAR", "leg": "VARCHAR", "launch": "BIGINT",
    "visit": "BIGINT", "samples": "DOUBLE[]",
}  # fmt: skip


def write(evidence: Evidence, path: Path) -> Path:
    """Writes the file: `seconds` per call of each sample, in their order, with what was sampled.

    Raises:
        UserError: where DuckDB is not installed.
        RecordsError: where the run has no sample.
        ResourceError: where the file cannot be written.
    """
    try:
        import duckdb
    except ImportError as error:
        raise UserError("Parquet needs DuckDB", next_step="pip install 'crossover-harness[parquet]'") from error
    rows = list(_rows(evidence))
    if not rows:
        raise RecordsError("the run has no sample to export", where=str(evidence.folder))
    with tempfile.TemporaryDirectory(prefix="harness-parquet-") as folder:
        lines = Path(folder) / "samples.jsonl"
        lines.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        asked = (  # names are quoted, and nothing else of the run is in the statement
            "COPY (SELECT * EXCLUDE (samples), unnest(samples) AS seconds, "  # noqa: S608 - as above
            "generate_subscripts(samples, 1) - 1 AS sample FROM "
            f"read_json({_quoted(str(lines))}, format = 'newline_delimited', columns = {_COLUMNS!r})) "
            f"TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)"
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect() as connection:
                connection.execute(asked)
        except (OSError, duckdb.Error) as error:
            raise ResourceError(f"the file cannot be written: {str(error).splitlines()[0]}", where=str(path)) from error
    return path


def _rows(evidence: Evidence) -> Iterator[dict[str, Any]]:
    run = evidence.run
    about = {"suite": run.suite["name"], "run": evidence.name, "started": run.started, "commit": run.commit}
    for each in evidence.measurements:
        if each.sampled is not None and each.sampled.seconds:
            yield {
                **about, "contender": each.contender, "heads": each.heads, "batch_size": each.batch_size,
                "purpose": each.purpose, "leg": each.leg, "launch": each.launch, "visit": each.visit,
                "samples": list(each.sampled.seconds),
            }  # fmt: skip


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
