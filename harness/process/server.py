"""The child's side of the pipe: one request in, one answer out, until the parent goes away."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias

from harness.causes import cause, traceback_lines
from harness.errors import ArtifactChanged, HarnessError, ParityError
from harness.process import descendants, limits, messages
from harness.process.failure import CHANGED

Operation: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
_PR_SET_PDEATHSIG = 1
_parting = {"separator": "", "plugin": ""}  # the line that parts what plugins print, and the plugin that prints now
_OUT_OF_MEMORY = (  # as PyTorch's two allocators, C++ and ONNX Runtime's arenas on CPU and GPU say it
    "can't allocate memory", "out of memory", "bad allocation", "Failed to allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)  # fmt: skip


def serve(make: Callable[[Mapping[str, Any]], Mapping[str, Operation]]) -> None:
    """Answers requests with the operations that `make(settings)` gives, until the pipe closes.

    The pipe's descriptor is the first argument of the command line. What operations print goes to the parent apart.
    """
    os.set_inheritable(int(sys.argv[1]), False)
    connection = Connection(int(sys.argv[1]))
    hello = json.loads(connection.recv_bytes())
    _die_with_parent(hello["parent"])
    descendants.adopt()
    settings = hello["settings"]
    _parting["separator"] = hello.get("separator", "")
    limits.apply(settings)
    operations: Mapping[str, Operation] | None = None
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # the parent is done with us; a library's exit handlers have nothing to add
        if mark := request.pop("mark", ""):  # what was printed so far was another contender's
            flush()
            os.write(1, f"{mark}\n".encode())
        try:
            if operations is None:
                operations = make(settings)
            answer = json.dumps({"value": operations[request["do"]](request)})  # an answer that is no JSON is an error
        except BaseException as error:  # noqa: BLE001 - SystemExit and MemoryError of a plugin are answers too
            answer = json.dumps({"error": _failure_of(error)})
            if ending := hello.get("ending", ""):  # all that was printed until it failed comes before this line
                flush()
                os.write(1, f"{ending}\n".encode())
        connection.send_bytes(answer.encode())


def announce(notice: Mapping[str, str]) -> None:
    """Announces to the parent what this child is about to do with which plugin, so that a hang or a crash can be blamed.

    What another plugin has printed ends here.
    """
    if notice.get("plugin") != _parting["plugin"] and _parting["separator"]:
        flush()
        os.write(1, f"{_parting['separator']}\n".encode())
    _parting["plugin"] = notice.get("plugin", "")
    data = messages.framed({"notice": dict(notice)})
    while data:
        data = data[os.write(int(sys.argv[1]), data) :]


def flush() -> None:
    """Writes what Python and C libraries have printed and still hold back."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).fflush(None)


def pin(cores: Sequence[int]) -> None:
    """Keeps this process and the threads that its libraries have started on these cores, where the platform can."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        return
    tasks = Path("/proc/self/task")
    for thread in [int(each.name) for each in tasks.iterdir()] if tasks.is_dir() else [0]:
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(thread, set(cores))


def _failure_of(error: BaseException) -> dict[str, Any]:
    """An exception as data: its sentence, its kind, and for a stranger's exception the line it came from and its traceback."""
    if isinstance(error, ParityError):
        return {"what": str(error), "kind": "parity", "stage": "parity"}
    if isinstance(error, HarnessError):
        kind = CHANGED if isinstance(error, ArtifactChanged) else "error"
        return {"what": str(error), "kind": kind, "traceback": traceback_lines(error)}
    if isinstance(error, MemoryError):
        gc.collect()
        return {"what": f"memory ran out: {cause(error).removeprefix('MemoryError: ')}"[:1000], "kind": "memory"}
    what = cause(error)
    kind = "memory" if any(each in what for each in _OUT_OF_MEMORY) else "error"
    return {"what": what[:1000], "kind": kind, "traceback": traceback_lines(error)}


def _die_with_parent(parent: int) -> None:
    """Asks the kernel to end this process with the parent, and leaves if it is already gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
