"""One synthetic run for all tests of reports: making and summarising it is what takes time."""

from __future__ import annotations

import pytest

from harness.analysis.summary import summarise
from harness.records.crossovers import dump
from harness.records.writer import LOCATED, Store
from harness.report import data
from harness.report.verification import STORED
from tests.synthetic import Maker


@pytest.fixture(scope="session")
def made():
    maker = Maker().table().self_check().searches().fail("student-eager", 16384, 32)
    for seed in range(3):
        maker.score(
            "student", 18, 1.0, seed, mean_cosine=0.9896 + seed * 1e-4, min_cosine=0.97, std_cosine=0.004, skill=-1.1,
            constant_cosine=0.995, top1_agreement=0.7, norm_error=12.6,
        )  # fmt: skip
    return maker


@pytest.fixture(scope="session")
def summary(made):
    return summarise(made.evidence(), made.located)


@pytest.fixture
def folder(tmp_path, made, summary):
    """The same run as a folder, with its stored report."""
    return write(made, tmp_path / "synthetic", summary)


def write(maker, folder, summary=None):
    """A made-up run as a folder."""
    evidence = maker.evidence(folder)
    with Store.create(folder, evidence.run) as store:
        store.append(*evidence.measurements)
        if evidence.fidelities:
            store.append(*evidence.fidelities)
        store.write(LOCATED, dump(maker.located))
        store.write(STORED, data.to_json(summary or summarise(evidence, maker.located)))
    return folder
