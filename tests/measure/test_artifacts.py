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


def test_a_damaged_file_is_noticed_and_made_again(tmp_path):
    kept = Artifacts(tmp_path)
    folder, _ = filled(kept, "a")
    (folder / "content").write_bytes(b"y" * 10)
    assert filled(kept, "a") == (folder, False)
    assert (folder / "content").read_bytes() == b"x" * 10
    (folder / "content").unlink()
    assert filled(Artifacts(tmp_path), "a") == (folder, False)
    assert filled(kept, "a") == (folder, True)


@pytest.mark.parametrize("content", ["[]", "5", "null", "{", "[" * 100_000, "\udcff"])
def test_a_damaged_list_of_what_is_there_is_no_entry(tmp_path, content):
    kept = Artifacts(tmp_path, bound_bytes=100)
    folder, _ = filled(kept, "a")
    (folder / "complete.json").write_text(content, errors="surrogateescape")
    assert list(kept.entries()) == []
    filled(Artifacts(tmp_path, bound_bytes=5), "b")
    assert filled(kept, "a") == (folder, False)


def test_whoever_is_later_takes_what_the_other_has_filled_meanwhile(tmp_path):
    theirs = []

    def fill(folder):
        other, _, _ = Artifacts(tmp_path).obtain("a", lambda place: (place / "who").write_text("first") and {})
        theirs.append((other, other.stat().st_ino))
        (folder / "who").write_text("second")
        return {}

    folder, _, known = Artifacts(tmp_path).obtain("a", fill)
    assert (folder, folder.stat().st_ino) == theirs[0]  # its workers may be loading it
    assert (folder / "who").read_text() == "first"
    assert known


def test_drafts_of_killed_processes_are_swept_and_those_of_living_ones_counted(tmp_path):
    kept = Artifacts(tmp_path, bound_bytes=2500)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = tmp_path / "artifacts" / f".draft-{int(gone.stdout)}-abc"
    living = tmp_path / "artifacts" / f".draft-{os.getpid()}-abc"
    for each in (dead, living):
        each.mkdir(parents=True)
        (each / "content").write_bytes(b"x" * 2000)
    other, _ = filled(Artifacts(tmp_path, bound_bytes=10**9), "other", size=1000)
    os.utime(other, (0, 0))
    filled(kept, "a")
    assert [each.exists() for each in (dead, living, other)] == [False, True, False]


def test_what_a_run_still_needs_is_not_trimmed(tmp_path):
    mine = Artifacts(tmp_path, bound_bytes=10**9)
    mine.occupy()
    needed, _ = filled(mine, "needed", size=1000)
    os.utime(needed, (0, 0))
    filled(Artifacts(tmp_path, bound_bytes=100), "later", size=1000)
    assert needed.exists()
    mine._lock.release()
    filled(Artifacts(tmp_path, bound_bytes=100), "last", size=1000)
    assert not needed.exists()


def test_a_cache_that_others_can_write_is_refused(tmp_path):
    Artifacts(tmp_path / "own").occupy()
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "own" / "artifacts").stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(ResourceError, match="others may write into the cache folder, and what lies there is run"):
        Artifacts(shared).occupy()


def test_a_cache_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(ResourceError, match="the cache folder belongs to another user, whose files would be run"):
        Artifacts(tmp_path).occupy()


def test_what_compilers_keep_lies_inside_and_is_as_private(tmp_path):
    Artifacts(tmp_path / "own").occupy()
    assert (tmp_path / "own" / "inductor").stat().st_mode & 0o777 == 0o700
    (tmp_path / "own" / "inductor").chmod(0o777)
    with pytest.raises(ResourceError, match="inductor: others may write"):
        Artifacts(tmp_path / "own").occupy()
