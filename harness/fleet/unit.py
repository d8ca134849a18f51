"""One suite on this machine, as a machine of a fleet runs it: a `harness run` of its own, whose records go home as they come."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness import cache
from harness.errors import HarnessError
from harness.fleet import environment, shipping, weights
from harness.fleet.messages import GROWING, WHOLE, Chunk, Extent, Facts, MachineRequest, Name, Reply, Student
from harness.fleet.watching import Watch
from harness.records.measurement import Fidelity
from harness.records.writer import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_CANCEL = "cancel"
_SCORES = "scores.jsonl"  # that were made before the run, here or on another machine
_OUTPUT = "output.txt"
_KEPT_LINES = 20
_CHUNK = 2**18  # bytes
_ENDING_SECONDS = 60.0  # that a run whose worker was killed may take to end


def perform_request(request: str, emit: Callable[[str], None]) -> str:
    """Does on this machine what a `harness.Request` asks, and returns the answer, for `Handle.result`.

    The suite runs in a process of its own, exactly as `harness run` does, into a folder on this machine's disk; it ends with
    the calling thread. Whether it is a new run or one that goes on is seen by the folder.

    Args:
        request: `Request.text`.
        emit: is called with each text that `Handle.lines` should give; from the calling thread.
    """
    asked = MachineRequest.model_validate_json(request)
    place = shipping.place() / "runs" / asked.key
    cache.private(cache.folder(), shipping.place(), place.parent, place)
    try:
        do = {"inspect": _inspect, "train": _train, "score": _score, "keep": _keep, "run": _run, "collect": _collect}
        return do[asked.do](asked, place, emit).model_dump_json()
    except HarnessError as error:
        return Reply(problem=str(error), folder=str(place / "run")).model_dump_json()


def cancel_request(key: str) -> None:
    """Ends the run of this key on this machine as Ctrl-C would: what it has recorded stays, and it can be continued."""
    place = shipping.place() / "runs" / key
    if key.isalnum() and place.is_dir():
        (place / _CANCEL).touch()


def _inspect(asked: MachineRequest, place: Path, emit: Callable[[str], None]) -> Reply:
    """Takes files in, and says whether the suite can be run here."""
    del emit
    shipping.store(asked.contents)
    if lacking := shipping.missing(asked.files.values()):
        return Reply(lacking=lacking)
    shipping.laid_out(asked.files, place / "suite")
    question = {**_suite(asked, place), "elsewhere": asked.elsewhere}
    seen, removed = environment.scrubbed()
    command = [sys.executable, "-P", "-m", "harness.fleet.facts", json.dumps(question)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place, env=seen)
    lines = (done.stdout + done.stderr).splitlines()
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return Reply(problem="the suite could not be looked at", output=tuple(lines[-_KEPT_LINES:]))
    if "problem" in answer:
        return Reply(problem=answer["problem"])
    scored = _scored(place / "run")
    left = {
        name: tuple(each for each in map(Student.model_validate, answer[name]) if each not in scored)
        for name in ("students", "unscored")
    }
    return Reply(
        facts=Facts.model_validate(answer["facts"]), removed=removed, environment=environment.recorded(seen),
        students=left["students"], unscored=left["unscored"],
    )  # fmt: skip


def _suite(asked: MachineRequest, place: Path) -> dict[str, Any]:
    """The suite as a process of its own is told of it."""
    path, quick = place / "suite" / asked.suite, "--quick" in asked.flags
    return {"suite": str(path), "settings": asked.settings, "only": asked.only, "quick": quick}


def _scored(run: Path) -> list[Student]:
    """The students of which a run has the scores already."""
    with contextlib.suppress(OSError, ValueError):
        known = map(json.loads, (run / "fidelity.jsonl").read_text(encoding="utf-8").splitlines())
        return [Student(contender=each["contender"], heads=each["heads"], seed=each["seed"]) for each in known]
    return []


def _train(asked: MachineRequest, place: Path, emit: Callable[[str], None]) -> Reply:
    """Trains students, and sends their weights."""
    del emit
    made, reply = _made(asked, place)
    sent = [weights.packed(Student.model_validate(each["student"]), Path(each["place"])) for each in made]
    return reply.model_copy(update={"weights": tuple(filter(None, sent))})


def _score(asked: MachineRequest, place: Path, emit: Callable[[str], None]) -> Reply:
    """Scores students, keeps the scores for the run here, and sends them."""
    del emit
    made, reply = _made(asked, place)
    scores = tuple(map(Fidelity.model_validate, made))
    _keep_scores(scores, place)
    return reply.model_copy(update={"scores": scores})


def _made(asked: MachineRequest, place: Path) -> tuple[list[Any], Reply]:
    """What came of the students that are asked for, in a process of its own, and the answer without it."""
    question = {**_suite(asked, place), "do": asked.do, "students": [each.model_dump() for each in asked.students]}
    (place / _CANCEL).unlink(missing_ok=True)
    code, printed = _run_child(["harness.fleet.students", str(os.getpid()), json.dumps(question)], place, place)
    try:
        made = json.loads(printed[-1])
    except (ValueError, IndexError):
        problem = f"students were not {'trained' if asked.do == 'train' else 'scored'}"
        return [], Reply(problem=problem, code=code, output=tuple(printed[-_KEPT_LINES:]))
    return made, Reply(code=code, output=tuple(printed[-_KEPT_LINES:-1]))


def _keep(asked: MachineRequest, place: Path, emit: Callable[[str], None]) -> Reply:
    """Takes in what another machine has trained and scored."""
    del emit
    for each in asked.weights:
        weights.keep(each)
    _keep_scores(asked.scores, place)
    return Reply()


def _keep_scores(scores: Sequence[Fidelity], place: Path) -> None:
    """Adds scores to those that the run finds."""
    if scores:
        path = place / _SCORES
        known = path.read_text(encoding="utf-8") if path.exists() else ""
        write_atomically(path, known + "".join(each.model_dump_json() + "\n" for each in scores))


def _run(asked: MachineRequest, place: Path, emit: Callable[[str], None]) -> Reply:
    """Runs the suite, or goes on with it, and sends what is appended."""
    run = place / "run"
    run.mkdir(exist_ok=True)
    (place / _CANCEL).unlink(missing_ok=True)
    _wait_until_free(run)
    tail = _Tail(run, asked.have, emit)
    begun = (run / "run.json").exists()
    tail.send()
    flags = [each for each in asked.flags if begun or each == "--quick"]
    arguments = ["run", str(place / "suite" / asked.suite), "--resume" if begun else "--output", str(run), *flags]
    arguments += [word for each in asked.only for word in ("--only", each)]
    arguments += [word for each in asked.settings for word in ("--set", each)]
    arguments += ["--scores", str(place / _SCORES)] if (place / _SCORES).exists() else []
    command = ["harness.cli.unit", str(os.getpid()), *arguments]
    code, printed = _run_child(command, place, run, tail.send)
    seen, removed = environment.scrubbed()
    return Reply(
        code=code, output=tuple(printed[-_KEPT_LINES:]), files=_extents(run), folder=str(run),
        environment=environment.recorded(seen), removed=removed,
    )  # fmt: skip


def _run_child(
    module: list[str], place: Path, watched: Path, look: Callable[[], None] = lambda: None
) -> tuple[int, list[str]]:
    """The exit code of a module in a process of its own, which ends when the request is cancelled, and the lines it printed."""
    with (place / _OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", *module],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=place,
            env=environment.scrubbed()[0], start_new_session=True,
        )  # fmt: skip
    try:
        with Watch(process, place, watched) as watch:
            while process.poll() is None:
                look()
                if (place / _CANCEL).exists():
                    (place / _CANCEL).unlink(missing_ok=True)
                    process.terminate()
                watch.wait()
    except BaseException:
        process.terminate()
        raise
    look()
    printed = (place / _OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()
    return process.returncode, printed


def _collect(asked: MachineRequest, place: Path, emit: Callable[[str], None]) -> Reply:
    """Sends what has not arrived."""
    _Tail(place / "run", asked.have, emit).send()
    return Reply(files=_extents(place / "run"), folder=str(place / "run"))


def _wait_until_free(run: Path) -> None:
    """Waits until no process writes into a run's folder: what a killed worker has left is ending."""
    try:
        with FileLock(run / ".lock").acquire(timeout=_ENDING_SECONDS):
            pass
    except Timeout:
        raise HarnessError(
            f"another run is still writing there after {_ENDING_SECONDS:.0f} s",
            where=str(run),
            next_step="end it first",
        ) from None


def _extents(run: Path) -> dict[Name, Extent]:
    return {name: extent for name in (*GROWING, *WHOLE) if (extent := extent_of(run / name)) is not None}


def extent_of(path: Path, size: int | None = None) -> Extent | None:
    """The size and digest of a file up to its last whole line, or of its first bytes; None where it is not there."""
    try:
        with path.open("rb") as file:
            data = file.read() if size is None else file.read(size)
    except OSError:
        return None
    if size is None and path.suffix == ".jsonl":
        data = data[: data.rfind(b"\n") + 1]
    return Extent(size=len(data), sha256=hashlib.sha256(data).hexdigest())


class _Tail:
    """Sends what a run's folder has and its reader lacks.

    Raises:
        HarnessError: where the reader has records that this folder does not have.
    """

    def __init__(self, run: Path, have: dict[Name, Extent], emit: Callable[[str], None]) -> None:
        self._run, self._emit = run, emit
        self._sent: dict[Name, int] = {}
        self._whole: dict[Name, Any] = {}
        for name in GROWING:
            known = have.get(name)
            if known is not None and known.size:
                if extent_of(run / name, known.size) != known:
                    raise HarnessError(
                        f"this machine no longer has the {known.size:,} bytes of {name} that were received from it",
                        where=str(run),
                        next_step="start a new run, or move the received folder away to fetch what the machine has now",
                    )
                self._sent[name] = known.size

    def send(self) -> None:
        """Sends what was appended since the last time, in whole lines, run.json first."""
        for name in WHOLE:
            path = self._run / name
            with contextlib.suppress(OSError):
                state = path.stat()
                if self._whole.get(name) != (state.st_mtime_ns, state.st_ino):
                    self._emit(Chunk(file=name, text=path.read_text(encoding="utf-8"), whole=True).model_dump_json())
                    self._whole[name] = (state.st_mtime_ns, state.st_ino)
        for name in GROWING:
            with contextlib.suppress(FileNotFoundError), (self._run / name).open("rb") as file:
                file.seek(self._sent.get(name, 0))
                while data := _whole_lines(file.read(_CHUNK), file):
                    chunk = Chunk(file=name, offset=self._sent.get(name, 0), text=data.decode())
                    self._emit(chunk.model_dump_json())
                    self._sent[name] = chunk.offset + len(data)
                    file.seek(self._sent[name])


def _whole_lines(data: bytes, file: Any) -> bytes:
    """The bytes up to the last line feed; more is read where one line is longer than that."""
    while (end := data.rfind(b"\n") + 1) == 0 and (more := file.read(_CHUNK)):
        data += more
    return data[:end]
