from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from harness.plan import check, workloads
from harness.plugin import inspection_child
from tests import vega_script, warm

_LOCK = str(Path(tempfile.gettempdir()) / f"harness-tests-{os.getpid()}.lock")


def pytest_configure():
    """Tests run in several processes, where threads that spin for work take the cores from each other."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ["HARNESS_ALLOW_PLUGINS"] = str(Path(__file__).parent)  # suites of tests lie in temporary folders
    os.environ["HARNESS_LOCK"] = _LOCK  # tests wait for no run of this machine, and hold up none
    if not os.environ.get("HARNESS_TESTS_COLD"):
        warm.install()
        vega_script.share()


def pytest_unconfigure():
    for each in (_LOCK, str(Path(_LOCK).with_suffix(".holder"))):
        Path(each).unlink(missing_ok=True)


def deaf(plugin, action, label=""):
    pass


@pytest.fixture
def cold(monkeypatch):
    """Children start as they do for a user, and import what they import themselves."""
    monkeypatch.setattr(warm.Forked, "warm", False)


@pytest.fixture
def answered_here(monkeypatch):
    """Lets this process answer for the child, so that a test does not pay for a start."""

    def inspect_plugins(plugin_files=(), questions=(), *, deadline_seconds=None, cached=True):
        asked = {"plugin_files": list(plugin_files), "questions": [each.model_dump() for each in questions]}
        return inspection_child.answer(asked, deaf)

    monkeypatch.setattr(check, "inspect_plugins", inspect_plugins)
    monkeypatch.setattr(workloads, "inspect_plugins", inspect_plugins)
