"""The cache of what was exported and trained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from harness.errors import ResourceError
from harness.measure.artifacts import Artifacts

OCCUPY = "import sys; from pathlib import Path; from harness.measure.artifacts import Artifacts\n"
OCCUPY += "held = Artifacts(Path(sys.argv[1])); held.occupy(); print('held', flush=True); sys.stdin.read()"


def filled(kept, name, *, size=10):
    calls = []

    def fill(folder):
        calls.append(folder)
        (folder / "content").write_bytes(b"x" * size)
        return {"name": name}

    folder, about, known = kept.obtain({"name": name}, fill)
    assert (folder / "content").stat().st_size == size
    assert about["name"] == name
    assert known == (not calls)
    return folder, known


def test_a_folder_is_filled_once(tmp_path):
    kept = Artifacts(tmp_path)
    first, known = filled(kept, "a")
    assert not known
    assert filled(kept, "a") == (first, True)
    assert filled(Artifacts(tmp_path), "a") == (first, True)
    assert filled(kept, "b")[0] != first


def test_what_was_filled_half_is_filled_again(tmp_path):
    kept = Artifacts(tmp_path)
    folder, _ = filled(kept, "a")
    (folder / "complete.json").unlink()
    assert filled(kept, "a") == (folder, False)


def test_what_failed_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").write_text("x")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Artifacts(tmp_path).obtain("a", fail)
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_the_ones_used_longest_ago_are_removed(tmp_path):
    folders = []
    for number, name in enumerate("abc"):
        folder, _ = filled(Artifacts(tmp_path, bound_bytes=2500), name, size=1000)
        os.utime(folder, (number, number))
        folders.append(folder)
    assert [folder.exists() for folder in folders] == [False, True, True]


def test_trained_students_outlive_exports_that_were_used_later(tmp_path):
    def fill(folder, **about):
        (folder / "content").write_bytes(b"x" * 1000)
        return about

    student, _, _ = Artifacts(tmp_path, bound_bytes=2500).obtain("student", lambda to: fill(to, losses={"loss": [0.1]}))
    os.utime(student, (0, 0))
    exports = []
    for number in (1, 2):
        folder, _, _ = Artifacts(tmp_path, bound_bytes=2500).obtain(number, fill)
        os.utime(folder, (number, number))
        exports.append(folder)
    assert student.exists()
    assert [folder.exists() for folder in exports] == [False, True]


def test_it_is_not_cleared_under_a_process_that_relies_on_it(tmp_path):
    kept = Artifacts(tmp_path)
    folder, _ = filled(kept, "a")
    user = subprocess.Popen(
        [sys.executable, "-c", OCCUPY, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert user.stdout.readline() == b"held\n"
        with pytest.raises(ResourceError, match=f"process {user.pid} is using the cache"):
            kept.clear()
        assert folder.exists()
    finally:
        user.send_signal(signal.SIGKILL)
        user.communicate()
    assert kept.clear() >= 10
    assert not folder.exists()
