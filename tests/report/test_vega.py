"""The script of all charts is kept, and not taken from a folder that others can write."""

from __future__ import annotations

import pytest

from harness.report import vega


@pytest.fixture
def made(monkeypatch, tmp_path):
    """How often the script was put together."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    calls = []
    monkeypatch.setattr(vega, "_made", lambda: calls.append(1) or "the script")
    return calls


def test_it_is_made_once(made, tmp_path):
    assert [vega.bundle(), vega.bundle()] == ["the script"] * 2
    assert len(made) == 1
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


def test_a_script_that_others_may_have_put_there_is_not_used(made, tmp_path):
    vega.bundle()
    (script,) = (tmp_path / "cache").iterdir()
    script.write_text("theirs", encoding="utf-8")
    assert vega.bundle() == "theirs"
    (tmp_path / "cache").chmod(0o777)
    assert vega.bundle() == "the script"
    assert script.read_text(encoding="utf-8") == "theirs"
