from __future__ import annotations

import os
import signal

from harness.process import signals


def test_a_handler_of_an_embedding_program_stays(monkeypatch):
    set_now = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *arguments: set_now.append(arguments))
    with signals.defer_signals() as held:
        pass
    assert set_now == []
    assert not held.received


def test_a_press_is_noted_and_the_handler_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with signals.defer_signals() as held:
        os.kill(os.getpid(), signal.SIGTERM)
    assert held.received
    assert signal.getsignal(signal.SIGTERM) is before
