"""One hostile input in a process of its own: what it may cost, and what it must not do."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_SECONDS = 5
WALL_SECONDS = 60.0  # a busy machine is no hang: what counts is processor time
MEMORY_BYTES = 2**30
LONGEST_SENTENCE = 20_000
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u202a-\u202e\u2066-\u2069]")
_STARTING = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "pickle.find_class",
    "ctypes.dlopen",
)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A kind of input: how one is written, and what reads it."""

    name: str
    write: Callable[[Random, Path], None]
    use: Callable[[Path, Random], None]  # prints what a user would see; raises HarnessError for what it refuses


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How one input ended."""

    kind: str  # accepted, sentence, bug, executed, outside, printed, hang, memory, crash
    what: str
    place: str = ""  # file:line of a bug
    cpu_seconds: float = 0.0
    peak_bytes: int = 0  # beyond what the process held at its start

    @property
    def harmless(self) -> bool:
        """It was taken, or refused with a sentence."""
        return self.kind in ("accepted", "sentence")


class _Forbidden(BaseException):
    """The input made the harness do what no input may."""


def judge(target: Target, seed: str) -> Verdict:
    """Writes the input that a seed stands for, has it read by a child with limits, and says how that ended."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "given"  # what lies beside it must not be read
        folder.mkdir()
        reading, writing = os.pipe()
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _inside(target, seed, folder, writing)
        os.close(writing)
        said = _heard(reading, began + WALL_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    cpu = used.ru_utime + used.ru_stime
    if not said:
        late = (
            os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
        ) or time.monotonic() - began >= WALL_SECONDS
        return Verdict(kind="hang" if late else "crash", what=f"status {status}", cpu_seconds=cpu)
    found = json.loads(said)
    peak = max(0, used.ru_maxrss * 1024 - found.pop("base"))
    verdict = Verdict(**found, cpu_seconds=cpu, peak_bytes=peak)
    if verdict.harmless and (peak > MEMORY_BYTES or "MemoryError" in verdict.what):
        return Verdict(kind="memory", what=verdict.what, cpu_seconds=cpu, peak_bytes=peak)
    return verdict


def _heard(pipe: int, ends: float) -> bytes:
    said = b""
    with os.fdopen(pipe, "rb", buffering=0) as stream:
        while select.select([stream], [], [], max(0.0, ends - time.monotonic()))[0]:
            part = stream.read(65536)
            if not part:
                return said
            said += part
    return b""


def _inside(target: Target, seed: str, folder: Path, pipe: int) -> None:
    """The child: never returns."""
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    kind, what, place = "crash", "", ""
    printed = io.StringIO()
    try:
        os.chdir(folder)
        warnings.simplefilter("ignore")
        random = Random(seed)
        target.write(random, folder)
        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + 2 * MEMORY_BYTES, resource.RLIM_INFINITY))
        spent = int(sum(os.times()[:2]))
        resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, spent + CPU_SECONDS + 1))
        _guarded(folder)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                target.use(folder, random)
                kind = "accepted"
            except HarnessError as error:
                kind, what = "sentence", str(error)
                print(f"error: {error}")
        shown = printed.getvalue()
        if bad := _CONTROL.search(shown):
            kind, what = "printed", f"{shown[max(0, bad.start() - 60) : bad.end() + 20]!r}"
        elif kind == "sentence" and (len(what) > LONGEST_SENTENCE or not what.strip()):
            kind, what = "printed", f"a sentence of {len(what)} characters: {what[:80]!r}"
    except _Forbidden as error:
        kind, what = str(error).split("|", 1)
        place = _place(error)
    except BaseException as error:  # noqa: BLE001 - whatever comes is the finding
        kind, what, place = "bug", f"{type(error).__name__}: {str(error)[:300]!r}", _place(error)
        if os.environ.get("FUZZ_TRACEBACK"):
            traceback.print_exc(file=sys.__stderr__)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        answer = {"kind": kind, "what": what[:2000], "place": place, "base": base}
        os.write(pipe, json.dumps(answer).encode()[:60000])
        os._exit(0)


def _place(error: BaseException) -> str:
    """The last line of the harness or its plugins that a traceback goes through, and the last line of all."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if "/harness" in each.filename and "/tests/" not in each.filename]
    return " < ".join(f"{Path(each.filename).name}:{each.lineno}" for each in [*frames[-1:], *own[-1:]])


_OWN_FILE = ["file", "-b", os.path.realpath(sys.executable)]  # `platform` asks so for the word size of this Python


def _guarded(folder: Path) -> None:
    """Ends the child at the first thing that no file may cause: a process, a pickle, a write beyond its folder."""
    allowed = (str(folder), "/dev/null")

    def watch(event: str, given: tuple[Any, ...]) -> None:
        if event in _STARTING and given[1:2] != (_OWN_FILE,):
            raise _Forbidden(f"executed|{event} {str(given)[:200]}")
        if event == "open" and isinstance(given[0], str | bytes):
            path = os.path.realpath(os.fsdecode(given[0]))
            changes = isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if (changes and not path.startswith(allowed)) or path.endswith(".secret"):
                raise _Forbidden(f"outside|{path[:200]}")

    sys.addaudithook(watch)
