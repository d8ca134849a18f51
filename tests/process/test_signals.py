from __future__ import annotations

import os
import signal

from harness.process import signals


def test_a_handler_of_an_embedding_program_stays(monkeypatch):
    set_now = []
    monkeypatch.setattr(signal, "getsignal", lambda number: None)
    monkeypatch.setattr(signal, "signal", lambda *arguments: set_now.append(arguments))
    with signals.held() as held:
        pass
    assert set_now == []
    assert not held.pressed


def test_a_press_is_noted_and_the_handler_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with signals.held() as held:
        os.kill(os.getpid(), signal.SIGTERM)
    assert held.pressed
    assert signal.getsignal(signal.SIGTERM) is before
