"""A child process that answers requests over a pipe, dies with its parent, and whose every end is told."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.errors import ChildError
from harness.process import descendants, exit_status, messages
from harness.process.failure import PROCESS, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_KEPT_LINES = 20
_LINE_LENGTH = 300
_TRACEBACK_LINES, _TRACEBACK_LENGTH = 500, 2000
_REST_SECONDS = 10.0  # an answer that has begun to arrive must go on arriving
_WHOLE_SECONDS = 60.0  # and must have arrived then
_CHUNK = 2**16
_END_SECONDS = 5.0
_MARK_SECONDS = 1.0


class ChildFailed(ChildError):  # noqa: N818 - an answer of a child: failed
    """A request that was not answered; `failure` says why, `alive` whether the child can be asked again."""

    def __init__(self, failure: Failure, *, alive: bool) -> None:
        super().__init__(failure.what)
        self.failure = failure
        self.alive = alive


class Child:
    """One child process. Start it from the main thread: on Linux it dies with the thread that started it.

    Whatever it starts ends with it, and no call here waits without a limit.
    """

    def __init__(
        self, module: str, settings: Mapping[str, Any], *, environment: Mapping[str, str] | None = None
    ) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._mark = descendants.new_mark()
        self._output, printing = os.pipe()
        self._closing, self._closed = os.pipe()  # what is written to the second ends the thread that listens
        command = [sys.executable, *_flags(), "-P", "-m", module, str(theirs.fileno())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=printing,
            stderr=subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children in order
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {}), **descendants.marked(self._mark)},
        )
        theirs.close()
        os.close(printing)
        self._life = os.pidfd_open(self._process.pid) if sys.platform == "linux" else -1  # readable once it has ended
        self._ended_all = False
        self._printed: deque[str] = deque(maxlen=_KEPT_LINES)
        self._contender = ""  # whose output is kept: a builder serves several, and one must not be blamed for another's
        self._separator, self._ending = secrets.token_hex(16), secrets.token_hex(16)
        self._complete = threading.Event()  # what was printed before a refusal has arrived
        self._drain = threading.Thread(target=self._keep_output, daemon=True)
        self._drain.start()
        with contextlib.suppress(OSError):  # it ended at once: whoever asks it is told how
            self._send(
                {
                    "settings": dict(settings),
                    "parent": os.getpid(),
                    "ending": self._ending,
                    "separator": self._separator,
                }
            )

    @property
    def process_id(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def ask(
        self,
        request: Mapping[str, Any],
        *,
        stage: str,
        deadline: float,
        hear: Callable[[Mapping[str, str]], None] | None = None,
        renewed: bool = True,
    ) -> dict[str, Any]:
        """Sends a request and sleeps until it is answered.

        Args:
            request: plain JSON data; `do` names the operation.
            stage: what a failure is said to have happened in.
            deadline: seconds after which the child is killed.
            hear: called with each notice of what the child is about to do; without it a notice means nothing.
            renewed: the deadline begins anew with each notice.

        Raises:
            ChildFailed: where the child refused, died, hung, or sent an invalid response.
        """
        self.send(request, stage=stage)
        ends = time.monotonic() + deadline
        while True:
            reply = self._reply(stage, deadline, deadline if renewed else max(0.0, ends - time.monotonic()))
            if reply.notice is None or hear is None:
                return self._value(reply, stage)
            hear({name: exit_status.writable(text) for name, text in reply.notice.items()})

    def send(self, request: Mapping[str, Any], *, stage: str) -> None:
        """Sends a request whose answer is received later; raises as `ask`."""
        contender = str((request.get("specification") or {}).get("contender", ""))
        self._complete.clear()
        if contender and self._contender not in ("", contender):
            request = {**request, "mark": self._separator}
        self._contender = contender or self._contender
        try:
            self._send(request)
        except OSError:
            raise self._end_failure(stage) from None

    def receive(self, *, stage: str, deadline: float, within: float | None = None) -> dict[str, Any]:
        """The answer to a request that was sent; as `ask`. `within` are the seconds that are left of the deadline."""
        return self._value(self._reply(stage, deadline, deadline if within is None else within), stage)

    def _reply(self, stage: str, deadline: float, within: float) -> messages.Reply:
        """The next message; as `ask`."""
        try:
            # what it left behind may hold its end of the pipe, so that it is not enough to wait for the pipe's end
            ready = wait([self._socket, *([self._life] if self._life >= 0 else [])], within)
            if not ready:
                self.kill()
                raise self._failed(stage, "deadline", f"no answer within {deadline:g} s")
            if not wait([self._socket], 0):
                raise self._end_failure(stage)
            return messages.reply(self._receive())
        except TimeoutError:
            raise self.protocol_error(stage, "the response was cut short") from None
        except (EOFError, OSError):
            raise self._end_failure(stage) from None
        except messages.InvalidAnswer as error:
            raise self.protocol_error(stage, str(error)) from None

    def _value(self, reply: messages.Reply, stage: str) -> dict[str, Any]:
        """What a reply ends a request with."""
        if reply.error is not None:
            refusal = reply.error
            self._complete.wait(_MARK_SECONDS)
            failure = Failure(
                stage=exit_status.writable(refusal.stage or stage, _LINE_LENGTH),
                kind=refusal.kind,
                what=exit_status.writable(refusal.what),
                output=self.printed(),
                traceback=tuple(
                    exit_status.writable(each, _TRACEBACK_LENGTH) for each in refusal.traceback[:_TRACEBACK_LINES]
                ),
            )
            raise ChildFailed(failure, alive=True)
        if reply.value is None:
            raise self.protocol_error(stage, "the answer has neither a value nor an error")
        return reply.value

    def protocol_error(self, stage: str, what: str) -> ChildFailed:
        """The failure of a child whose answer means nothing; it cannot be asked again, and is ended."""
        self.kill()
        return self._failed(stage, "protocol", exit_status.writable(what))

    def printed(self) -> tuple[str, ...]:
        """The last lines that it printed, for the contender that it was asked about last."""
        return tuple(self._printed)

    def kill(self) -> None:
        """Ends the child and whatever it started, at once."""
        if not self._ended_all:
            self._ended_all = True
            descendants.end(self._process, self._mark)

    def close(self, patience: float = 0.5) -> None:
        """Asks the child to end, waits that many seconds, then kills it with whatever it started. May be repeated."""
        self._socket.close()  # its end of file is the request to leave
        if not self._ended_all:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
        self.kill()
        if self._closed < 0:
            return
        self._drain.join(1.0)  # what it printed last
        os.close(self._closed)
        self._closed = -1
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        self._drain.join(_END_SECONDS)
        if not self._drain.is_alive():
            os.close(self._output)
            os.close(self._closing)

    def _send(self, message: Mapping[str, Any]) -> None:
        self._socket.settimeout(_WHOLE_SECONDS)  # a child that hangs before it reads must not hold up its parent
        self._socket.sendall(messages.framed(message))

    def _receive(self) -> bytes:
        """The bytes of an answer.

        Raises:
            EOFError, OSError: where the child has closed its end.
            TimeoutError: where the answer does not go on.
            InvalidAnswer: where it is larger than any answer.
        """
        ends = time.monotonic() + _WHOLE_SECONDS
        return messages.unframed(lambda size: self._exactly(size, ends))

    def _exactly(self, size: int, ends: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._socket.settimeout(max(1e-3, min(_REST_SECONDS, ends - time.monotonic())))
            part = self._socket.recv(min(_CHUNK, size - len(data)))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _keep_output(self) -> None:
        """Empties the child's output so that it never blocks, and keeps the last lines of it.

        It ends when all who hold the other end have closed it, or `close` says so: a process that has got away might
        hold it for ever.
        """
        rest = b""
        while True:
            ready = wait([self._output, self._closing])
            part = os.read(self._output, _CHUNK) if self._output in ready else b""
            *lines, rest = (rest + part).split(b"\n") if part else [rest, b""]
            for line in [*lines, *([rest] if len(rest) >= _CHUNK else [])]:
                if line.endswith(self._separator.encode()):
                    self._printed.clear()
                    continue
                said = line.removesuffix(self._ending.encode())
                text = exit_status.writable(said.decode(errors="replace").rstrip(), _LINE_LENGTH)
                if text:
                    self._printed.append(text)
                if said != line:
                    self._complete.set()
            rest = rest if len(rest) < _CHUNK else b""
            if not part:
                return

    def _failed(self, stage: str, kind: str, what: str, name: str | None = None) -> ChildFailed:
        return ChildFailed(Failure(stage=stage, kind=kind, what=what, signal=name, output=self.printed()), alive=False)

    def _end_failure(self, stage: str) -> ChildFailed:
        """How the child ended, in words."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._failed(stage, "protocol", "it closed its pipe but did not exit")
        self.kill()  # what it has left behind
        self._drain.join(1.0)
        name = exit_status.signal_name(-code) if code < 0 else None
        hint = ", as the kernel does when memory runs out" if name == "SIGKILL" else ""
        return self._failed(stage, "signal" if name else "exit", f"{PROCESS}{exit_status.ended(code)}{hint}", name)


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
        # by default it is a folder below /tmp with a name that anybody can foresee, and what lies there is run
        "TORCHINDUCTOR_CACHE_DIR": str(cache_folder().absolute() / "inductor"),
    }
