"""One synthetic run for all tests of records."""

from __future__ import annotations

import pytest

from tests.synthetic import Maker


@pytest.fixture(scope="session")
def made():
    return Maker().table().self_check().searches()
