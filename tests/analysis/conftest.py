"""One synthetic run for all tests of analysis."""

from __future__ import annotations

import pytest

from harness.analysis.summary import summarise
from tests.synthetic import Maker


@pytest.fixture(scope="session")
def made():
    return Maker().table().self_check().searches()


@pytest.fixture(scope="session")
def summary(made):
    return summarise(made.evidence(), made.located)
