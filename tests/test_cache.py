"""The cache folder: where a variable puts it, and what is said where it cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import cache
from harness.errors import ResourceError


def test_a_tilde_in_the_variable_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(cache.FOLDER_VARIABLE, "~/kept")
    assert cache.folder() == tmp_path / "kept"


def test_a_relative_folder_is_resolved_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.FOLDER_VARIABLE, "kept")
    assert cache.folder() == tmp_path / "kept"
    assert cache.folder().is_absolute()


@pytest.mark.parametrize("make", [cache.private, cache.make_folder])
def test_a_folder_that_cannot_be_made_is_a_sentence(make, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError) as caught:
        make(tmp_path / "file" / "cache")
    assert str(caught.value) == (
        f"{tmp_path / 'file' / 'cache'}: the cache folder cannot be made: Not a directory; "
        "set HARNESS_CACHE to a folder that you can write into"
    )


def test_no_folder_is_made_by_asking_for_its_name(monkeypatch, tmp_path):
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "kept"))
    assert isinstance(cache.folder(), Path)
    assert not (tmp_path / "kept").exists()
