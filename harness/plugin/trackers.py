"""Tells trackers how a run goes, in a child process of the lowest priority: they disturb nothing and stop nothing."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from harness.plugin.inspection import FailureData, Listing, TrackerData

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.plugin.events import Measured, Notification, RunFinished, RunStarted

PATIENCE_SECONDS = 60.0
INTERRUPTED_SECONDS = 1.5  # whoever presses Ctrl-C does not wait for a tracker


class Trackers:
    """The trackers of one run. Nothing here raises for what a tracker does: see `failures`.

    Args:
        trackers: those to inform; no process is started where there are none.
        patience_seconds: how long the end of a run waits for slow trackers.
    """

    def __init__(self, trackers: tuple[TrackerData, ...] = (), *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._trackers = trackers
        self._patience = patience_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._held: list[Mapping[str, Any]] = []
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._threads: list[threading.Thread] = []
        self._failures: list[FailureData] = []

    @classmethod
    def of(cls, listing: Listing, environment: Mapping[str, str] | None = None, **arguments: Any) -> Trackers:
        """The trackers that a listing names and that have something to do."""
        known = os.environ if environment is None else environment
        wanted = tuple(each for each in listing.trackers if not each.when or known.get(each.when))
        return cls(wanted, **arguments)

    @property
    def failures(self) -> tuple[FailureData, ...]:
        """What trackers did wrong so far, each kind of mistake once."""
        return tuple(self._failures)

    def started(self, run: RunStarted) -> None:
        """Starts the process, and reports that the run begins."""
        if self._trackers:
            self._start()
            self._hold("harness_run_started", "run", run)
            self.deliver()

    def measured(self, measured: Measured) -> None:
        """Keeps a measurement until `deliver` or `finished`."""
        if self._child is not None:
            self._hold("harness_measured", "measured", measured)

    def deliver(self) -> None:
        """Hands on what was kept: to be called while nothing is timed."""
        for message in self._held:
            self._lines.put(json.dumps(message, default=str).encode() + b"\n")
        self._held.clear()

    def finished(self, run: RunFinished) -> None:
        """Reports that the run ended, and waits until the trackers have handled it, or their time is up."""
        if self._child is None:
            return
        self._hold("harness_run_finished", "run", run)
        self.deliver()
        self._lines.put(None)
        code: int | None = None
        patience = min(self._patience, INTERRUPTED_SECONDS) if run.status == "interrupted" else self._patience
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._child.wait(timeout=patience)
        self.close()
        if code is None:
            self._fail(f"did not take in the end of the run within {patience:g} s, and was ended")
        elif code != 0:
            told = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
            self._fail(f"{told}; later events were lost")

    def close(self) -> None:
        """Ends the process at once. May be called twice."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self._lines.put(None)
        for thread in self._threads:
            thread.join(timeout=1)

    def _start(self) -> None:
        identities = [each.plugin for each in self._trackers]
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.plugin.trackers_child", json.dumps(identities)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._threads = [
            threading.Thread(target=_write, args=(self._lines, self._child.stdin), daemon=True),
            threading.Thread(target=self._listen, args=(self._child.stdout,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _hold(self, hook: str, argument: str, data: Notification) -> None:
        self._held.append({"hook": hook, "argument": argument, "data": data.model_dump(mode="json")})

    def _listen(self, stream: IO[bytes]) -> None:
        for line in stream:
            with contextlib.suppress(ValueError):
                failure = FailureData.model_validate_json(line)
                if failure not in self._failures:
                    self._failures.append(failure)

    def _fail(self, what: str) -> None:
        label = ", ".join(each.label or each.plugin for each in self._trackers)
        self._failures.append(FailureData(plugin="", label=label, stage="notification", what=f"the tracker {what}"))


def _write(lines: queue.Queue[bytes | None], stream: IO[bytes]) -> None:
    """Writes from a thread of its own: a tracker that hangs fills its pipe, and must not hold up the run."""
    with contextlib.suppress(OSError, ValueError):
        while (line := lines.get()) is not None:
            stream.write(line)
            stream.flush()
    with contextlib.suppress(OSError, ValueError):
        stream.close()
