"""An executor for the machine that the command is typed on: `harness run SUITE --on local`."""

from __future__ import annotations

import platform
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import harness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Local(harness.Executor):
    """This machine, as one of a fleet: the suite runs in a process of its own."""

    name = "local"

    def machines(self) -> Sequence[harness.Machine]:
        """This one."""
        return [harness.Machine(name=platform.node() or "local", about="this machine")]

    def run(self, machine: harness.Machine, request: harness.Request) -> harness.Handle:
        """Starts a thread that waits for the suite's process."""
        del machine
        return _Here(request)


class _Here(harness.Handle):
    """A request that a thread of this process works on."""

    def __init__(self, request: harness.Request) -> None:
        self._request = request
        self._texts: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._answer: Future[str] = Future()
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        try:
            self._answer.set_result(harness.perform_request(self._request.text, self._texts.put))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._answer.set_exception(error)
        self._texts.put(None)

    def lines(self) -> Iterator[str]:
        """What has been recorded."""
        while (text := self._texts.get()) is not None:
            yield text

    def result(self) -> str:
        """The answer."""
        return self._answer.result()

    def cancel(self) -> None:
        """Ends the suite."""
        harness.cancel_request(self._request.key)


@harness.hookimpl
def harness_executors() -> Sequence[harness.Executor]:
    """This machine."""
    return [Local()]
