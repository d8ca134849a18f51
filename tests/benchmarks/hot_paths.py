"""What the harness itself does most while nothing is on the clock: searching, summing up, reading, calibrating.

    pytest tests/benchmarks/hot_paths.py --benchmark-only

Its name keeps it out of a plain `pytest`: times are told and compared here, and asserted nowhere.
"""

from __future__ import annotations

import pytest

from harness.analysis.summary import summarise
from harness.measure import calibration
from harness.measure.clock import monotonic
from harness.records.reader import read
from harness.records.writer import Store
from harness.report import markdown
from harness.search import locate
from tests.simulation import curves
from tests.simulation.fake_machine import FakeMachine
from tests.synthetic import Maker


@pytest.fixture(scope="module")
def made():
    return Maker().table().self_check().searches()


@pytest.mark.parametrize("known", [True, False], ids=["steps known", "steps unknown"])
def test_locate(benchmark, known):
    rivals = curves.STEEP

    def search():
        machine = FakeMachine(rivals.baseline, rivals.challenger, seed=0)
        return locate(machine.measure, rivals.low, rivals.high, steps=rivals.steps if known else (), seed=0)

    assert benchmark(search).status == "crossing"


def test_summarise(benchmark, made):
    evidence = made.evidence()
    assert benchmark(summarise, evidence, made.located).searches


def test_render_markdown(benchmark, made):
    summary = summarise(made.evidence(), made.located)
    assert benchmark(markdown.render, summary)


def test_read_records(benchmark, made, tmp_path):
    evidence = made.evidence()
    with Store.create(tmp_path / "run", evidence.run) as store:
        store.append(*evidence.measurements)
    assert len(benchmark(read, tmp_path / "run").measurements) == len(evidence.measurements)


def test_append_a_record(benchmark, made, tmp_path):
    """With its flush to the disk, which is most of it."""
    evidence = made.evidence()
    with Store.create(tmp_path / "run", evidence.run) as store:
        benchmark(store.append, evidence.measurements[0])


def test_sample_a_call_that_costs_nothing(benchmark):
    found = calibration.calibrate(id, calibration.Rotation([0]), monotonic, shortest=0.001, longest_warm_up=0.1)
    assert benchmark(calibration.sample, id, calibration.Rotation([0]), found, monotonic) > 0
