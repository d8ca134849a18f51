"""A child process that answers requests over a pipe, dies with its parent, and whose every end is told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections import deque
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from harness.errors import ChildError
from harness.process.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEPT_LINES = 20
_LINE_LENGTH = 300
_REST_SECONDS = 10  # an answer that has begun to arrive must go on arriving


class ChildFailed(ChildError):  # noqa: N818 - an answer of a child: failed
    """A request that was not answered; `failure` says why, `alive` whether the child can be asked again."""

    def __init__(self, failure: Failure, *, alive: bool) -> None:
        super().__init__(failure.what)
        self.failure = failure
        self.alive = alive


class Child:
    """One child process. Start it from the main thread: on Linux it dies with the thread that started it.

    Args:
        module: what `python -m` runs; it calls `harness.process.server.serve`.
        settings: what the child is sent first, plain JSON data.
        environment: variables added to its environment.
    """

    def __init__(
        self, module: str, settings: Mapping[str, Any], *, environment: Mapping[str, str] | None = None
    ) -> None:
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _REST_SECONDS, 0))
        self._connection = Connection(ours.detach())
        command = [sys.executable, *_flags(), "-P", "-m", module, str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children in order
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        theirs.close()
        self._printed: deque[str] = deque(maxlen=_KEPT_LINES)
        self._drain = threading.Thread(target=self._keep_output, daemon=True)
        self._drain.start()
        self._send({"settings": dict(settings), "parent": os.getpid()})

    @property
    def process_id(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], *, stage: str, deadline: float) -> dict[str, Any]:
        """Sends a request and sleeps until it is answered.

        Args:
            request: plain JSON data; `do` names the operation.
            stage: what a failure is said to have happened in.
            deadline: seconds after which the child is killed.

        Raises:
            ChildFailed: where the child refused, died, hung, or sent an invalid response.
        """
        self.send(request, stage=stage)
        return self.receive(stage=stage, deadline=deadline)

    def send(self, request: Mapping[str, Any], *, stage: str) -> None:
        """Sends a request whose answer is received later; raises as `ask`."""
        try:
            self._send(request)
        except OSError:
            raise self._ended(stage) from None

    def receive(self, *, stage: str, deadline: float, within: float | None = None) -> dict[str, Any]:
        """The answer to a request that was sent; as `ask`. `within` are the seconds that are left of the deadline."""
        try:
            if not self._connection.poll(deadline if within is None else within):
                self.kill()
                raise self._failed(stage, "deadline", f"no answer within {deadline:g} s")
            answer = json.loads(self._connection.recv_bytes())
        except BlockingIOError:
            raise self.rubbish(stage, "the answer broke off") from None
        except (EOFError, OSError):
            raise self._ended(stage) from None
        except (ValueError, MemoryError):
            raise self.rubbish(stage, "the answer could not be read") from None
        error, value = (answer.get("error"), answer.get("value")) if isinstance(answer, dict) else (None, None)
        if isinstance(error, dict) and isinstance(error.get("what"), str):
            failure = Failure(
                stage=str(error.get("stage") or stage),
                kind=str(error.get("kind", "error")),
                what=error["what"],
                output=self.printed(),
            )
            raise ChildFailed(failure, alive=True)
        if not isinstance(value, dict):
            raise self.rubbish(stage, "the answer has neither a value nor an error")
        return value

    def rubbish(self, stage: str, what: str) -> ChildFailed:
        """The failure of a child whose answer means nothing; it cannot be asked again, and is ended."""
        self.kill()
        return self._failed(stage, "protocol", what)

    def printed(self) -> tuple[str, ...]:
        """The last lines that it printed."""
        return tuple(self._printed)

    def kill(self) -> None:
        """Ends the child and whatever it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self, patience: float = 0.5) -> None:
        """Asks the child to end, waits that many seconds, then kills it."""
        with contextlib.suppress(OSError, ValueError):
            self._connection.close()  # its end of file is the request to leave
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self.kill()
        self._drain.join(1.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        self._connection.send_bytes(json.dumps(message).encode())

    def _keep_output(self) -> None:
        """Empties the child's output so that it never blocks, and keeps the last lines of it."""
        stream = self._process.stdout
        if stream is None:
            return
        with contextlib.suppress(ValueError, OSError):
            while line := stream.readline(65536):
                text = line.decode(errors="replace").rstrip()
                if text:
                    self._printed.append(text[:_LINE_LENGTH])

    def _failed(self, stage: str, kind: str, what: str, name: str | None = None) -> ChildFailed:
        return ChildFailed(Failure(stage=stage, kind=kind, what=what, signal=name, output=self.printed()), alive=False)

    def _ended(self, stage: str) -> ChildFailed:
        """How the child ended, in words."""
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._failed(stage, "protocol", "it closed its pipe and went on running")
        self._drain.join(1.0)
        if code >= 0:
            return self._failed(stage, "exit", f"the process left with exit code {code}")
        name = signal.Signals(-code).name
        hint = ", as the kernel does when memory runs out" if name == "SIGKILL" else ""
        return self._failed(stage, "signal", f"the process was ended by {name}{hint}", name)


def _flags() -> list[str]:
    """The flags of this interpreter that change what Python does; children are to be measured under the same."""
    optimised = [f"-{'O' * sys.flags.optimize}"] if sys.flags.optimize else []
    return [*optimised, *(("-X", "dev") if sys.flags.dev_mode else ())]


def environment(threads: int) -> dict[str, str]:
    """What a measured process needs in its environment before any library is imported."""
    names: Sequence[str] = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {
        **dict.fromkeys(names, str(threads)),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
    }
