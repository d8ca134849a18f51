"""The child process that calls the lifecycle hooks of trackers: `python -m harness.plugin.trackers_child IDENTITIES`.

It reads JSON lines, a hook with its data each, from its standard input until that ends, and writes a JSON line for each
failure to what was its standard output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harness.plugin.events import Measured, Notification, RunFinished, RunStarted
from harness.plugin.inspection import FailureData
from harness.plugin.inspection_child import die_with_parent
from harness.plugin.manager import Catalog

_DATA: dict[str, type[Notification]] = {
    "harness_run_started": RunStarted,
    "harness_measured": Measured,
    "harness_run_finished": RunFinished,
}


def main() -> None:
    """Calls hooks until there are no more events."""
    die_with_parent()
    os.nice(19)  # what is timed comes first
    reserved, lines = os.dup(1), os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # what trackers print must not be taken for a failure
    identities = json.loads(sys.argv[1])
    files = [Path(each.removeprefix("file:")) for each in identities if each.startswith("file:")]
    catalog = Catalog.load(files, only=identities)
    for failure in catalog.failures:
        _tell(reserved, FailureData(**vars(failure)))
    for line in lines:
        message = json.loads(line)
        data = _DATA[message["hook"]].model_validate(message["data"])
        for failure in catalog.notify(message["hook"], **{message["argument"]: data}):
            _tell(reserved, FailureData(**vars(failure)))


def _tell(descriptor: int, failure: FailureData) -> None:
    os.write(descriptor, failure.model_dump_json().encode() + b"\n")


if __name__ == "__main__":
    main()
