"""Python processes that start warm: forked off one that has imported the libraries, in place of importing them anew.

Starting Python with torch takes a second and a half of the processor's time, and the tests start hundreds of children.
A `Forked` is a `subprocess.Popen` whose process comes from a server: the server, one for each process of pytest, imports
what children import and nothing that they do, and forks at each request a *sibling* of itself, so that the parent of the
new process is the one that asked, as it would be of any other. Nothing of a run is the server's: arguments, environment,
folder, descriptors and seeds are those that were asked for. Where the kernel or the command does not allow for it (another
interpreter, other flags, variables that libraries read when they are imported), the process starts as every process does.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import inspect
import io
import itertools
import json
import os
import platform
import random
import runpy
import signal
import socket
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import psutil

from harness.plugin.built_in import BUILT_IN
from harness.process import descendants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
IMPORTED = (  # what children import, in vain for some; none of them starts a thread or reads a seed
    "numpy", "scipy.stats", "scipy.optimize", "scipy.special", "torch", "torch.export._trace",
    "torch.onnx._internal.exporter._core", "onnx", "onnxscript", "pydantic", "yaml", "psutil", "cloudpickle", "threadpoolctl",
    "filelock", "pluggy", "platformdirs", "safetensors.numpy",
    "typer", "rich.console", "rich.progress", "rich.table", "tabulate", "jinja2", "altair", "harness.testing",
    "harness.measure.worker", "harness.measure.builder", "harness.measure.scoring_child", "harness.measure.saving",
    "harness.plugin.inspection_child", "harness.plugin.trackers_child", "harness.functions.trial_child", "harness.run.session",
    "harness.commands.suites", "harness.commands.race", "harness.fleet.unit", "harness.report.progress", "tests.vega_script",
    *BUILT_IN,
)  # fmt: skip
SETTINGS = ("PYTHON", "MALLOC_", "GLIBC_", "LD_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "CUDA_", "TORCH", "ORT_")
NESTED = ("harness", "harness.cli.unit", "harness.fleet.facts", "harness.fleet.students")  # modules that start children
FREE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TORCHINDUCTOR_CACHE_DIR", "PYTHONHASHSEED",
        "PYTHONUNBUFFERED", "OMP_WAIT_POLICY", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_",
        "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK")  # fmt: skip  # scikit-learn sets the last two when a test imports it
_CLONE = {"x86_64": 56, "aarch64": 220}  # the number of the system call
_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_GET_TID_ADDRESS = 1, 15, 40
_NAME = "warm-server"
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": -3, "MALLOC_TRIM_THRESHOLD_": -1}  # numbers of mallopt
_LARGE_PAGES = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")  # which change how fast a heap is, and nothing else
_MOST = 2**20  # bytes of a request
_ROOM = 1000  # bytes of the mark of a process
_BEGAN = dict(os.environ)


# ------------------------------------------------------------------------------------------------------- the server


def _sibling() -> int:
    """Forks this process; the new one has the same parent as this one. 0 in the new one."""
    libc, python = ctypes.PyDLL(None, use_errno=True), ctypes.pythonapi
    address = ctypes.c_void_p()
    if libc.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel does not say where the id of a thread is kept")
    flags = _CLONE_PARENT | _CLONE_CHILD_CLEARTID | _CLONE_CHILD_SETTID | signal.SIGCHLD
    last = (address, None) if platform.machine() == "x86_64" else (None, address)
    python.PyOS_BeforeFork()
    process = int(libc.syscall(_CLONE[platform.machine()], ctypes.c_ulong(flags), None, None, *last))
    if process == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    if process < 0:
        raise OSError(ctypes.get_errno(), "cannot fork")
    return process


def _served(line: socket.socket) -> dict[str, Any]:
    """Answers requests; returns in each new process, with what it was asked to be."""
    while True:
        data, descriptors, _, _ = socket.recv_fds(line, _MOST, 253)
        if not data:
            os._exit(0)
        asked = json.loads(data)
        process = _sibling()
        if process == 0:
            line.close()
            asked["descriptors"] = dict(zip(asked["descriptors"], descriptors, strict=True))
            return asked
        for each in descriptors:
            os.close(each)
        line.sendall(f"{process}\n".encode())


def _become(asked: Mapping[str, Any]) -> None:
    """Takes over what belongs to the process that was asked for."""
    if asked["session"]:
        os.setsid()
    wanted = {int(number): descriptor for number, descriptor in asked["descriptors"].items()}
    above = max(64, *wanted) + 1
    moved = {number: fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, above) for number, each in wanted.items()}
    for each in wanted.values():
        os.close(each)
    for number, each in moved.items():
        os.dup2(each, number, inheritable=True)
        os.close(each)
    _called("python")
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    _BEGAN.clear()  # the children of this process are as warm as it is, where they are given what it was given
    _BEGAN.update(asked["env"])
    _mark(asked["env"])
    through = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(open(0, "rb", closefd=False))  # noqa: SIM115
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = io.TextIOWrapper(
            open(number, "wb", buffering=0 if through else -1, closefd=False),  # noqa: SIM115
            errors="backslashreplace" if number == 2 else None, line_buffering=number == 2, write_through=through,
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    random.seed()
    for name in _ALLOCATOR.keys() & os.environ.keys():
        ctypes.CDLL(None).mallopt(_ALLOCATOR[name], int(os.environ[name]))
    threads = int(os.environ.get("OMP_NUM_THREADS", "0"))
    if threads > 1 and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    importlib.invalidate_caches()


def _mark(environment: Mapping[str, str]) -> None:
    """Writes the mark of this process to where others look for it: into the environment that its server began with."""
    first, last = map(int, Path("/proc/self/stat").read_text().rpartition(")")[2].split()[47:49])
    name = f"{descendants.MARK}=".encode()
    place = first + ctypes.string_at(first, last - first).index(name) + len(name)
    ctypes.memmove(place, environment.get(descendants.MARK, "").encode().ljust(_ROOM)[:_ROOM], _ROOM)


def _run(asked: Mapping[str, Any]) -> None:
    """Runs what was asked for as `python -m`, `python -c` and `python FILE` do."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    kind, what = asked["run"]
    sys.argv = [what if kind == "script" else kind, *asked["arguments"]]
    if not asked["safe_path"]:
        sys.path.insert(0, "" if kind == "-c" else asked["cwd"] if kind == "-m" else str(Path(what).absolute().parent))
    if kind == "-m":
        if not hasattr(sys.modules.get(what), "__path__"):
            sys.modules.pop(what, None)  # it is run, and not imported
        runpy._run_module_as_main(what)  # type: ignore[attr-defined]
    elif kind == "script":
        runpy.run_path(what, run_name="__main__")
    else:
        code = sys.modules["__main__"].__dict__
        code["__builtins__"] = __builtins__
        exec(compile(what, "<string>", "exec"), code)


def _leave(asked: Mapping[str, Any]) -> NoReturn:
    """Becomes the process that was asked for, and ends as it would, but for the seconds that taking torch apart takes."""
    code: object = 0
    try:
        _become(asked)
        if asked["run"][0] != "-m" or asked["run"][1] in NESTED:
            _nested()
        _run(asked)
    except SystemExit as left:
        code = left.code
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:  # noqa: BLE001 - whatever it is ends a process
        shown = error.__traceback__
        while shown is not None and shown.tb_frame.f_code.co_filename in (__file__, runpy.__file__):
            shown = shown.tb_next
        sys.excepthook(type(error), error.with_traceback(shown), shown)
        code = 1
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGINT)
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(int(code or 0))


def _follow(parent: int) -> None:
    """Ends with the process that asks."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _called(name: str) -> None:
    """Names this process."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def _nested() -> None:
    """Gives this process, which has done nothing yet, a server of its own: a fork of it, and as warm."""
    ours, theirs = socket.socketpair()
    parent = os.getpid()
    if os.fork():
        theirs.close()
        Forked.server = Server(ours)
        install()
        return
    ours.close()
    os.setsid()
    _called(_NAME)
    _follow(parent)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # what reads the output of this process does not wait for its server
        os.dup2(nowhere, number)
    os.close(nowhere)
    _leave(_served(theirs))


def main() -> None:
    """The process of the server, and later each that is forked off."""
    line = socket.socket(fileno=int(sys.argv[1]))
    _follow(int(sys.argv[2]))
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.modules["tests.vega_script"].share()
    sys.modules["harness.plugin.discovery"].declared()
    sys.modules["harness.measure.fingerprint"].plugin_digest("harness_plugins.lda")
    threads = len(list(Path("/proc/self/task").iterdir()))
    line.sendall(f"{threads}\n".encode())
    gc.collect()
    gc.freeze()  # what is shared is not copied because it is looked at
    _leave(_served(line))


# ---------------------------------------------------------------------------------------------- the side that asks


class Server:
    """The server as those see it who ask.

    Args:
        line: to it.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line, self._turn = line, threading.Lock()
        self._owner = os.getpid()

    @classmethod
    def started(cls) -> Server | None:
        """A new one; none where it cannot fork."""
        if sys.platform != "linux" or platform.machine() not in _CLONE:
            return None
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-P",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tests.warm; tests.warm.main()",
            str(theirs.fileno()),
            str(os.getpid()),
        ]
        process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**_BEGAN, **dict.fromkeys(FREE[:3], "1"), descendants.MARK: " " * _ROOM,
                 "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "0"},
        )  # fmt: skip
        theirs.close()
        atexit.register(process.wait, 10)
        atexit.register(ours.close)
        return cls(ours) if ours.recv(64) == b"1\n" else None

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The id of a new process."""
        with self._turn:
            socket.send_fds(self._line, [json.dumps(request).encode()], list(descriptors))
            return int(self._line.recv(64))

    def ours(self) -> bool:
        """Whether it is this process that may ask: a fork of it may not."""
        return self._owner == os.getpid()


def _read(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that libraries read when they are imported."""
    found = {name: text for name, text in environment.items() if name.startswith(SETTINGS) and name not in FREE}
    return {name: text for name, text in found.items() if (name, text) != _LARGE_PAGES}


def _wanted(arguments: Sequence[object], env: Mapping[str, str] | None) -> dict[str, Any] | None:
    """What a command runs, where a warm process can run it."""
    if isinstance(arguments, str) or os.fspath(arguments[0]) != sys.executable:
        return None
    words = [os.fspath(each) for each in arguments[1:]]
    flags = list(itertools.takewhile(("-P", "-u").__contains__, words))
    words = words[len(flags) :]
    if words and words[0].endswith(".py"):
        words = ["script", *words]
    if (
        len(words) < 2
        or words[0] not in ("-m", "-c", "script")
        or (words[0] == "-m" and not words[1].startswith("harness"))
    ):
        return None
    environment = {**(os.environ if env is None else env), **({"PYTHONUNBUFFERED": "1"} if "-u" in flags else {})}
    changed = _read(environment) != _read(_BEGAN)
    if changed or sys.flags.optimize or sys.flags.dev_mode:
        return None
    return {"run": words[:2], "arguments": words[2:], "safe_path": "-P" in flags, "env": environment}


class Forked(subprocess.Popen):  # type: ignore[type-arg]
    """A process that is started warm where that is possible; the first of them starts the server."""

    server: Server | None = None
    warm = True

    def _execute_child(self, *arguments: Any, **named: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        given = inspect.signature(start).bind(*arguments, **named).arguments
        wanted = _wanted(given["args"], given["env"])
        unusual = given["shell"] or given["preexec_fn"] or given["executable"] not in (None, sys.executable)
        server = _server() if wanted is not None and not unusual and Forked.warm else None
        if server is None:
            start(*arguments, **named)
            return
        pipes = {0: given["p2cread"], 1: given["c2pwrite"], 2: given["errwrite"]}
        descriptors = {number: pipe if pipe >= 0 else number for number, pipe in pipes.items()}
        descriptors |= {each: each for each in given["pass_fds"]}
        request = {
            **wanted, "cwd": os.fspath(given["cwd"] or Path.cwd()), "session": bool(given["start_new_session"]),
            "descriptors": list(descriptors),
        }  # fmt: skip
        self.pid = server.fork(request, list(descriptors.values()))
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(given[each] for each in ends))  # type: ignore[attr-defined]


_POPEN = subprocess.Popen


def _server() -> Server | None:
    """That of this process; a fork of it has none, and no other thread than the first, with which it ends, starts one."""
    if Forked.server is None and threading.current_thread() is not threading.main_thread():
        return None
    if Forked.server is None and (started := Server.started()) is None:
        Forked.warm = False
    elif Forked.server is None:
        Forked.server = started
    return Forked.server if Forked.server is not None and Forked.server.ours() else None


def opened(*arguments: Any, **named: Any) -> subprocess.Popen[Any]:
    """A process as `subprocess.Popen` starts it, warm where that is possible; a test that replaces `Popen` is obeyed."""
    return Forked(*arguments, **named) if subprocess.Popen is _POPEN else subprocess.Popen(*arguments, **named)


def ran(
    arguments: Sequence[object],
    *,
    timeout: float | None = None,
    capture_output: bool = True,
    text: bool = True,
    check: bool = False,
    **named: Any,
) -> subprocess.CompletedProcess[Any]:
    """What `subprocess.run` gives, of a process that starts warm where that is possible."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} if capture_output else {}
    with Forked([str(each) for each in arguments], text=text, **pipes, **named) as process:
        try:
            out, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(process.args, process.returncode, out, errors)
    if check:
        done.check_returncode()
    return done


def family(process: int) -> set[int]:
    """The processes that a process has started, and those that they have; its server is none of them."""
    found = set()
    for each in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {each.pid} if each.name() != _NAME else set()
    return found


def processes() -> types.SimpleNamespace:
    """What a module needs of `subprocess`, with processes that start warm where that is possible."""
    named = {name: getattr(subprocess, name) for name in ("DEVNULL", "PIPE", "STDOUT", "TimeoutExpired")}
    return types.SimpleNamespace(**named, Popen=opened, run=ran)


def install() -> None:
    """Lets the children of the harness start warm from now on."""
    from harness.commands import saving
    from harness.fleet import unit
    from harness.process import child

    child.subprocess = saving.subprocess = unit.subprocess = processes()  # type: ignore[assignment]
