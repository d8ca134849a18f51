"""The child process that calls the lifecycle hooks of trackers: `python -m harness.plugin.trackers_child`."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plugin.events import Measured, Notification, RunFinished, RunStarted
from harness.plugin.manager import Catalog
from harness.process.server import Operation, serve

if TYPE_CHECKING:
    from collections.abc import Mapping

_DATA: dict[str, type[Notification]] = {
    "harness_run_started": RunStarted,
    "harness_measured": Measured,
    "harness_run_finished": RunFinished,
}


class Tracking:
    """The operations of the process."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        os.nice(19)  # what is timed comes first
        identities = settings["identities"]
        files = [Path(each.removeprefix("file:")) for each in identities if each.startswith("file:")]
        self._catalog = Catalog.load(files, only=identities)
        self._failures = [*self._catalog.failures]

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        return {"notify": self.notify, "end": self.end}

    def notify(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Calls a hook of all trackers with its data, and says what went wrong."""
        data = _DATA[request["hook"]].model_validate(request["data"])
        failures = [*self._failures, *self._catalog.notify(request["hook"], **{request["argument"]: data})]
        self._failures = []
        return {"failures": [each.model_dump(mode="json") for each in failures]}

    def end(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - an operation
        """Lets libraries do what they do when a program ends: they may have kept things back until then."""
        for thread in threading.enumerate():
            if not thread.daemon and thread is not threading.current_thread():
                thread.join()
        atexit._run_exitfuncs()  # noqa: SLF001 - the process itself ends without them
        return {"failures": []}


if __name__ == "__main__":
    serve(lambda settings: Tracking(settings).operations())
