"""Logs runs to MLflow: parameters, latencies, crossovers, and the report with its records as artifacts.

It does nothing unless MLFLOW_TRACKING_URI says where to log, and needs the extra `crossover-harness[mlflow]`. For a
folder of files, `file:///…`, MLflow from 3.17 on wants MLFLOW_ALLOW_FILE_STORE=true as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

harness_tracks_when = "MLFLOW_TRACKING_URI"

_LONGEST_VALUE = 500  # characters of a parameter, which every MLflow store takes


@harness.hookimpl
def harness_run_started(run: harness.RunStarted) -> None:
    """Begins an MLflow run in the experiment of the suite's name, with the suite's settings as parameters."""
    mlflow = _mlflow()
    mlflow.set_experiment(run.suite)
    mlflow.start_run(run_name=Path(run.folder).name)
    parameters = dict(_flat(run.parameters)) | {f"version.{name}": version for name, version in run.versions.items()}
    mlflow.log_params({_key(name): str(value)[:_LONGEST_VALUE] for name, value in parameters.items()})
    mlflow.set_tags({"harness.folder": run.folder, "harness.quick": str(run.quick).lower()})


@harness.hookimpl
def harness_measured(measured: harness.Measured) -> None:
    """Logs the median latency of a visit, launch by launch."""
    if measured.outcome != "measured" or not measured.seconds:
        return
    median = sorted(measured.seconds)[len(measured.seconds) // 2]
    name = _key(f"visits/{measured.contender}/B{measured.batch_size}/N{measured.heads}/seconds")
    _mlflow().log_metric(name, median, step=measured.launch)


@harness.hookimpl
def harness_run_finished(run: harness.RunFinished) -> None:
    """Logs final latencies and crossovers, attaches reports and records, and ends the MLflow run."""
    mlflow = _mlflow()
    for name, value in run.figures.items():
        mlflow.log_metric(_key(f"latency/{name}/seconds"), value)
    for crossover in run.crossovers:
        where = f"crossover/{crossover.get('race')}/B{crossover.get('batch_size')}"
        for part in ("heads", "low", "high"):
            if isinstance(crossover.get(part), int | float):
                mlflow.log_metric(_key(f"{where}/{part}"), float(crossover[part]))
        mlflow.set_tag(_key(where), str(crossover.get("status", "")))
    for path in run.artifacts:
        if Path(path).is_file():
            mlflow.log_artifact(path)
    mlflow.end_run("FINISHED" if run.status == "complete" else "KILLED" if run.status == "interrupted" else "FAILED")


def _mlflow() -> Any:
    """MLflow, imported when there is something to log.

    Raises:
        OfferError: where it is not installed.
    """
    try:
        import mlflow
    except ImportError as error:
        raise harness.OfferError(
            "MLFLOW_TRACKING_URI is set, but MLflow is not installed",
            next_step="pip install 'crossover-harness[mlflow]'",
        ) from error
    return mlflow


def _flat(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted names."""
    for name, inner in value.items():
        below = f"{path}.{name}" if path else str(name)
        if isinstance(inner, dict):
            yield from _flat(inner, below)
        elif inner is not None:
            yield below, inner


def _key(name: str) -> str:
    """A name as MLflow takes it: other characters become underscores."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)
