"""What is kept of answers lies whole or not at all, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.plugin import inspection_cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path / "inquiries"


def test_a_write_that_fails_leaves_no_file(cache, monkeypatch):
    def full(self, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        inspection_cache.write("key", "text")
    assert list(cache.iterdir()) == []
    inspection_cache.write("key", "text")
    assert inspection_cache.read("key") == "text"


def test_what_a_killed_write_left_is_removed_when_it_is_old(cache):
    inspection_cache.write("key", "text")
    for name, age in (("tmpold", 2 * 86400), ("tmpnew", 0)):
        (cache / name).write_text("half")
        used = (cache / name).stat().st_mtime - age
        os.utime(cache / name, (used, used))
    inspection_cache.write("other", "text")
    assert {each.name for each in cache.iterdir()} == {"key.json", "other.json", "tmpnew"}
