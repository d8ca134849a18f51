from __future__ import annotations

import importlib.util
import os

import pytest

import harness
from harness.plugin.inspection import Listing, TrackerData
from harness.plugin.manager import Catalog
from harness.plugin.trackers import Trackers

PLUGIN = "harness_plugins.mlflow"
STARTED = harness.RunStarted(
    suite="smoke",
    folder="/results/smoke-1",
    parameters={"seed": 3, "search": {"method": "grid"}},
    versions={"torch": "2"},
)
MEASURED = harness.Measured(contender="lda", heads=18, batch_size=1, launch=2, seconds=(0.3, 0.1, 0.2))
FAILED = harness.Measured(contender="lda", heads=18, batch_size=1, outcome="failed")


def finished(*artifacts: str) -> harness.RunFinished:
    located = {"race": "fair", "batch_size": 32, "status": "located", "heads": 6400.0, "low": 6100.0, "high": 6700.0}
    figures = {"lda/B1/N18": 0.2}
    return harness.RunFinished(
        suite="smoke", folder="/results/smoke-1", crossovers=(located,), figures=figures, artifacts=artifacts
    )


def test_it_has_nothing_to_do_until_a_uri_is_set():
    (tracker,) = Catalog.load(only=[PLUGIN]).trackers()
    assert (tracker.plugin, tracker.when) == (PLUGIN, "MLFLOW_TRACKING_URI")


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is not None, reason="MLflow is installed")
def test_without_mlflow_it_names_the_extra():
    (failure,) = Catalog.load(only=[PLUGIN]).notify("harness_run_started", run=STARTED)
    assert "MLflow is not installed; pip install 'crossover-harness[mlflow]'" in failure.what


@pytest.mark.skipif(importlib.util.find_spec("mlflow") is None, reason="the extra [mlflow] is not installed")
def test_a_run_is_logged_with_its_parameters_latencies_crossovers_and_report(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # from 3.17 on the file store has to be asked for
    report = tmp_path / "report.md"
    report.write_text("# Report")
    trackers = Trackers.of(Listing(trackers=(TrackerData(plugin=PLUGIN, when="MLFLOW_TRACKING_URI"),)), os.environ)
    trackers.started(STARTED)
    trackers.measured(MEASURED)
    trackers.measured(FAILED)
    trackers.finished(finished(str(report), str(tmp_path / "gone.html")))
    assert trackers.failures == ()
    client = mlflow.MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("smoke")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "smoke-1"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "3", "search.method": "grid", "version.torch": "2"}
    assert run.data.metrics["visits/lda/B1/N18/seconds"] == 0.2
    assert run.data.metrics["latency/lda/B1/N18/seconds"] == 0.2
    assert run.data.metrics["crossover/fair/B32/heads"] == 6400.0
    assert run.data.tags["crossover/fair/B32"] == "located"
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["report.md"]
