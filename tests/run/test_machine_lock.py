"""Runs on one machine take turns, and several processes share one run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.fleet.claim import claim_machine
from harness.run.machine_lock import LOCK_VARIABLE, machine_lock
from harness.run.shared_run import shared_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lock(tmp_path, monkeypatch):
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "lock"))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("lock")
def test_the_second_run_waits_and_says_for_whom():
    heard, events = [], []
    waiting = threading.Event()

    def second():
        with machine_lock("second", lambda text: (heard.append(text), waiting.set())) as held:
            events.append(("second", held))

    with machine_lock("pytest of tiny.yaml", heard.append) as held:
        assert held
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(30)
        events.append(("first", held))
    other.join(30)
    assert events == [("first", True), ("second", True)]
    assert heard[0].startswith("waiting: pytest of tiny.yaml (process ")
    assert heard[0].endswith(") is measuring on this machine")
    assert heard[1].startswith("waited ")


@pytest.mark.usefixtures("lock")
def test_a_run_that_does_not_wait_says_so_and_goes_on():
    heard = []
    with machine_lock("first", heard.append), machine_lock("second", heard.append, wait=False) as held:
        assert not held
    (said,) = heard
    assert said.endswith(" is also measuring on this machine: both will be slower and less certain")
    with machine_lock("third", heard.append) as held:  # the lock of the first was given back
        assert held
    assert len(heard) == 1


def test_a_lock_that_cannot_be_used_is_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "no" / "such" / "lock"))
    (tmp_path / "no").write_text("")
    heard = []
    with machine_lock("first", heard.append) as held:
        assert not held
    assert heard[0].startswith("runs on this machine do not wait for each other: ")


def test_the_signature_is_never_written_through_a_link(tmp_path, monkeypatch):
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "lock"))
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock.holder").symlink_to(tmp_path / "precious")
    with machine_lock("first", lambda text: None) as held:
        assert held
    assert (tmp_path / "precious").read_text() == "kept"


def test_nor_is_that_of_a_machine_that_is_lent(tmp_path, monkeypatch):
    monkeypatch.setenv(LOCK_VARIABLE, str(tmp_path / "lock"))
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock.worker-id").symlink_to(tmp_path / "precious")
    claim_machine().release()
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.usefixtures("lock")
def test_a_shared_run_is_made_once(tmp_path):
    made = []

    def measure() -> Path:
        made.append(tmp_path / "run")
        return made[-1]

    assert [shared_run("key", measure), shared_run("key", measure)] == [tmp_path / "run"] * 2
    assert len(made) == 1
    shared_run("another", measure)
    assert len(made) == 2


@pytest.mark.usefixtures("lock")
def test_a_shared_run_that_was_refused_is_refused_in_every_process():
    tried = []

    def measure() -> Path:
        tried.append(1)
        raise HarnessError("no room", next_step="make some")

    for _ in range(2):
        with pytest.raises(HarnessError, match="no room; make some"):
            shared_run("key", measure)
    assert len(tried) == 1
