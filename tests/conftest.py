from __future__ import annotations

import pytest

from harness import answering
from harness.suite import checking


class Deaf:
    def doing(self, plugin, action, label=""):
        pass


@pytest.fixture
def answered_here(monkeypatch):
    """Lets this process answer for the child, so that a test does not pay for a start."""

    def inquire(plugin_files=(), questions=(), *, deadline_seconds=None, cached=True):
        asked = {"plugin_files": list(plugin_files), "questions": [each.model_dump() for each in questions]}
        return answering.answer(asked, Deaf())

    monkeypatch.setattr(checking, "inquire", inquire)
