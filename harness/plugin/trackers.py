"""Tells trackers how a run goes, in a child process of the lowest priority: they disturb nothing and stop nothing."""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from harness.plugin.failure import PluginFailure
from harness.plugin.inspection import Listing, TrackerData, ended
from harness.process import messages
from harness.process.child import Child, ChildFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.plugin.events import Measured, Notification, RunFinished, RunStarted

CHILD = "harness.plugin.trackers_child"
PATIENCE_SECONDS = 60.0
_HOOK_SECONDS = 3600.0  # that one hook may take while the run goes on
INTERRUPTED_SECONDS = 1.5  # whoever presses Ctrl-C does not wait for a tracker


class _Notified(BaseModel):
    failures: tuple[PluginFailure, ...]


class Trackers:
    """The trackers of one run. Nothing here raises for what a tracker does: see `failures`."""

    def __init__(self, trackers: tuple[TrackerData, ...] = (), *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._trackers = trackers
        self._patience = patience_seconds
        self._child: Child | None = None
        self._held: list[Mapping[str, Any]] = []
        self._messages: queue.Queue[Mapping[str, Any] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._hand_on, daemon=True)
        self._lost: str | None = None  # how the process ended before it was told to
        self._failures: list[PluginFailure] = []

    @classmethod
    def of(cls, listing: Listing, environment: Mapping[str, str] | None = None, **arguments: Any) -> Trackers:
        """The trackers that a listing names and that have something to do."""
        known = os.environ if environment is None else environment
        wanted = tuple(each for each in listing.trackers if not each.when or known.get(each.when))
        return cls(wanted, **arguments)

    @property
    def failures(self) -> tuple[PluginFailure, ...]:
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
            self._messages.put({"do": "notify", **message})
        self._held.clear()

    def finished(self, run: RunFinished) -> None:
        """Reports that the run ended, and waits until the trackers have handled it, or their time is up."""
        if self._child is None:
            return
        self._hold("harness_run_finished", "run", run)
        self.deliver()
        self._messages.put({"do": "end"})
        self._messages.put(None)
        patience = min(self._patience, INTERRUPTED_SECONDS) if run.status == "interrupted" else self._patience
        self._thread.join(patience)
        late, lost = self._thread.is_alive(), self._lost
        self.close()
        if late:
            self._fail(f"timed out after {patience:g} s at the end of the run, and was killed")
        elif lost is not None:
            self._fail(f"{lost}; later events were lost")

    def close(self) -> None:
        """Ends the process at once. May be called twice."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()  # whoever waits for its answer hears of its end
        self._messages.put(None)
        self._thread.join(timeout=1)
        child.close(patience=0.0)

    def _start(self) -> None:
        self._child = Child(CHILD, {"identities": [each.plugin for each in self._trackers]})
        self._thread.start()

    def _hand_on(self) -> None:
        """Tells the child, one after the other, from a thread of its own: one that hangs must not hold up the run."""
        child = self._child
        while child is not None and (message := self._messages.get()) is not None:
            try:
                answer = child.ask(message, stage="notification", deadline=_HOOK_SECONDS)
                failures = messages.checked(answer, _Notified).failures
            except ChildFailed as failed:
                if failed.alive:  # no tracker could be loaded, say: what is asked next may be answered
                    self._fail(f"failed: {failed.failure.what}")
                    continue
                self._lost = ended(failed.failure, _HOOK_SECONDS)
                return
            except messages.InvalidAnswer as error:
                self._lost = f"sent an invalid response ({error})"
                child.kill()
                return
            self._failures += [each for each in failures if each not in self._failures]

    def _hold(self, hook: str, argument: str, data: Notification) -> None:
        self._held.append({"hook": hook, "argument": argument, "data": data.model_dump(mode="json")})

    def _fail(self, what: str) -> None:
        label = ", ".join(each.label or each.plugin for each in self._trackers)
        failure = PluginFailure(plugin="", label=label, stage="notification", what=f"the tracker {what}")
        if failure not in self._failures:
            self._failures.append(failure)
