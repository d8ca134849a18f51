"""A suite on several machines at once: what they have is compared, each runs it alone, and their records come home."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness import plain_file, plain_json
from harness.errors import ChildError, HarnessError, RecordsError, UserError
from harness.fleet import facts, shipping, spreading
from harness.fleet.copy import Copy, folder_name
from harness.fleet.messages import Facts, MachineRequest, Reply, read
from harness.plugin.execution import Request
from harness.printable import one_line
from harness.records.reader import read as read_records
from harness.records.writer import write_atomically, writing
from harness.report import writing as reports
from harness.units import counted
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.analysis.summary import Summary
    from harness.fleet.messages import Flag
    from harness.plugin.execution import Executor, Handle, Machine
    from harness.suite.loading import Loaded

FLEET = "fleet.json"
_KEY = re.compile("[0-9a-f]{32}")
_LARGEST_BYTES = 16 * plain_file.MIB
_INTERRUPTED = 130  # exit code of a run that was ended by a signal
_PATIENCE_SECONDS = 60.0  # that runs may take to end once they were asked to


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is to be run, beside the suite."""

    only: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    machines: tuple[str, ...] = ()  # all that there are if empty


@dataclass(frozen=True, kw_only=True)
class MachineOutcome:
    """How the run on one machine ended."""

    machine: str
    folder: Path  # here
    status: str  # complete, interrupted, failed, lost
    records: int = 0
    why: str = ""
    summary: Summary | None = None

    def __str__(self) -> str:
        why = f": {self.why}" if self.why else ""
        return f"{self.machine}: {self.status}, {counted(self.records, 'record')} in {self.folder}{why}"


def run(
    loaded: Loaded,
    executor: Executor,
    folder: Path,
    wanted: RunOptions,
    say: Callable[[str], None],
    *,
    resume: bool = False,
) -> tuple[MachineOutcome, ...]:
    """Runs a suite on machines, and brings the records of each into a folder of its own.

    Args:
        loaded: the suite.
        executor: reaches the machines.
        folder: new, or that of the run that goes on.
        wanted: machines, and what `harness run` is to be given there.
        say: hears how it goes.
        resume: go on with what the folder holds.

    Raises:
        UserError, RecordsError: where machines, suite or folder cannot be used; before anything is timed.
        HarnessError: where the machines cannot be reached.
    """
    if (folder / FLEET).exists() != resume:
        if resume:
            raise RecordsError(f"this is not a run of several machines: it has no {FLEET}", where=str(folder))
        raise RecordsError(
            "there is a run in this folder already", where=str(folder), next_step="continue it with --resume"
        )
    shipment = shipping.files_of(loaded)
    here = facts.of(loaded, shipment.elsewhere)
    known = _stored_run(folder / FLEET) if resume else {}
    key = str(known.get("key") or secrets.token_hex(16))
    chosen = _choose_machines(executor.machines(), wanted.machines or tuple(known.get("machines", {})))
    asked = MachineRequest(
        do="inspect", key=key, suite=next(iter(shipment.files)), files=shipment.digests(), elsewhere=shipment.elsewhere,
        only=wanted.only, settings=wanted.settings, flags=wanted.flags,
    )  # fmt: skip
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RecordsError("another run is writing into this folder", where=str(folder)) from None
    try:
        say(
            f"asking {counted(len(chosen), 'machine')} about {loaded.suite.name}: {', '.join(each.name for each in chosen)}"
        )
        replies = _inspect_machines(executor, chosen, asked, shipment)
        _refuse_differences(here, replies)
        about: dict[str, Any] = {
            "schema_version": 1, "key": key, "suite": str(loaded.path), "executor": executor.name,
            "machines": known.get("machines", {}) | {
                each.name: {"folder": folder_name(each.name), "claim": each.claim, "about": each.about,
                            **replies[each.name].model_dump(mode="json", include={"facts", "environment", "removed"})}
                for each in chosen
            },
            "students": known.get("students", []),  # who has trained what
            "scores": known.get("scores", []),  # who has scored what
        }  # fmt: skip
        _write(folder, about)
        for what, done in _prepare(executor, chosen, asked, replies, say).items():
            about[what] += [each for each in done if each not in about[what]]
        _write(folder, about)
        return _run_on_all(executor, chosen, asked, folder, say)
    finally:
        lock.release()


def _write(folder: Path, about: Mapping[str, Any]) -> None:
    write_atomically(folder / FLEET, json.dumps(about, indent=1) + "\n")


def _stored_run(path: Path) -> Mapping[str, Any]:
    """What a run of several machines has written of itself.

    Raises:
        RecordsError: where it has not written this.
    """
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        found = plain_json.parsed(plain_file.text(path, _LARGEST_BYTES))
        if isinstance(found["machines"], dict) and _KEY.fullmatch(found["key"]):
            return dict(found)
    what = "no run of several machines wrote it"
    raise RecordsError(what, where=str(path), next_step="restore it, or start a new run")


def _choose_machines(machines: Sequence[Machine], names: Sequence[str]) -> tuple[Machine, ...]:
    """The machines that are wanted, all different."""
    known = {each.name: each for each in machines}
    if not machines:
        raise UserError("there is no machine", next_step="start a worker on each: `harness fleet worker ADDRESS`")
    for name in names:
        if name not in known:
            hint = suggestion(name, sorted(map(one_line, known)))
            raise UserError(f"there is no machine {name!r} now", next_step=hint)
    chosen = tuple(known[name] for name in dict.fromkeys(names or known))
    problems = [f"{each.name}: {each.wrong}" for each in chosen if each.wrong]
    claims: dict[str, str] = {}
    folders: dict[str, str] = {}
    for each in chosen:
        other = claims.setdefault(each.claim or each.name, each.name)
        if other != each.name:
            problems.append(f"{other} and {each.name} are two workers on one machine, and would measure each other")
        other = folders.setdefault(folder_name(each.name).casefold(), each.name)
        if other != each.name:
            problems.append(f"the names {other!r} and {each.name!r} make the same folder; rename one of them")
    if problems:
        raise UserError("; ".join(problems))
    return chosen


def _send(executor: Executor, machine: Machine, asked: MachineRequest) -> Handle:
    timed = asked.do == "run"
    return executor.run(machine, Request(key=asked.key, text=asked.model_dump_json(), timed=timed))


@dataclass
class _Running:
    """The requests that are worked on, so that all of them can be ended."""

    handles: list[Handle] = field(default_factory=list)
    ended: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, start: Callable[[], Handle]) -> Handle:
        """Starts a request, unless all were ended."""
        with self.lock:
            if self.ended:
                raise HarnessError("it was interrupted before it began")
            self.handles.append(handle := start())
            return handle

    def answer(self, executor: Executor, machine: Machine, asked: MachineRequest) -> Reply:
        """What a machine answers to a request, once it has ended.

        Raises:
            HarnessError: where the machine or its answer is lost; it names the machine.
        """
        try:
            handle = self.begin(lambda: _send(executor, machine, asked))
            try:
                return read(Reply, handle.result(), machine.name)
            finally:
                with self.lock:
                    self.handles.remove(handle)
        except ChildError:
            raise
        except HarnessError as error:
            what = f"{machine.name}: {error.what}"
            raise HarnessError(what, where=error.where, next_step=error.next_step) from error

    def end(self) -> None:
        """Ends them all; called again, no longer waits for those that have not ended."""
        with self.lock:
            self.ended = True
            for each in self.handles:
                each.cancel()

    @contextlib.contextmanager
    def ended_by_interrupt(self) -> Iterator[None]:
        """Gives up at once what is being asked when Ctrl-C is pressed."""
        try:
            yield
        except KeyboardInterrupt:
            self.end()
            self.end()
            raise


def _inspect_machines(
    executor: Executor, machines: Sequence[Machine], asked: MachineRequest, shipment: shipping.Shipment
) -> dict[str, Reply]:
    """What each machine says to the suite, once it has all files of it."""
    running = _Running()

    def ask(machine: Machine) -> Reply:
        reply = running.answer(executor, machine, asked)
        if reply.lacking:
            sent = asked.model_copy(update={"contents": shipping.packed(shipment, reply.lacking)})
            reply = running.answer(executor, machine, sent)
        return reply

    with ThreadPoolExecutor(len(machines)) as pool, running.ended_by_interrupt():
        return dict(zip([each.name for each in machines], pool.map(ask, machines), strict=True))


def _refuse_differences(here: Facts, replies: Mapping[str, Reply]) -> None:
    """Refuses machines that would run something else.

    Raises:
        UserError: with every difference.
    """
    problems = []
    for name, reply in replies.items():
        if reply.facts is None:
            printed = f", having printed: {' / '.join(map(one_line, reply.output[-3:]))}" if reply.output else ""
            problems.append(f"{name}: {one_line(reply.problem, 2000) or 'it gave no answer'}{printed}")
        else:
            problems += [f"{name}: {each}" for each in facts.differences(here, reply.facts)]
    if problems:
        raise UserError(
            "the machines cannot run this suite as it is here:\n" + "\n".join(problems),
            next_step="nothing was run; make them equal, or leave machines out with --machine",
        )


def _prepare(
    executor: Executor,
    machines: Sequence[Machine],
    asked: MachineRequest,
    replies: Mapping[str, Reply],
    say: Callable[[str], None],
) -> dict[str, list[dict[str, Any]]]:
    """Has the students of the suite trained and scored, each by one of the machines, before anything is timed."""
    running, named = _Running(), {each.name: each for each in machines}

    def ask(name: str, what: Mapping[str, Any]) -> Reply:
        return running.answer(executor, named[name], asked.model_copy(update=dict(what)))

    with running.ended_by_interrupt():
        return spreading.spread(replies, ask, say)


def _run_on_all(
    executor: Executor, machines: Sequence[Machine], asked: MachineRequest, folder: Path, say: Callable[[str], None]
) -> tuple[MachineOutcome, ...]:
    """Runs the suite on all machines at once; Ctrl-C ends it on all of them, and their records are kept."""
    running = _Running()
    with ThreadPoolExecutor(len(machines)) as pool:
        futures = {
            pool.submit(_run_on_machine, executor, each, asked, folder / folder_name(each.name), running, say): each
            for each in machines
        }
        left = set(futures)
        try:
            while left:
                _, left = wait(left, return_when=FIRST_COMPLETED)
        except KeyboardInterrupt:
            say("ending the runs on all machines; what they have recorded is kept")
            running.end()
            if wait(left, _PATIENCE_SECONDS).not_done:
                running.end()
        return tuple(each.result() for each in futures)


def _run_on_machine(
    executor: Executor,
    machine: Machine,
    asked: MachineRequest,
    folder: Path,
    running: _Running,
    say: Callable[[str], None],
) -> MachineOutcome:
    """The run on one machine, from request to report; what goes wrong there is this machine's alone."""
    copy, code, why, lost = Copy(folder, machine.name), None, "", False
    try:
        request = asked.model_copy(update={"do": "run", "have": copy.have()})
        if machine.state != "idle":
            say(f"{machine.name}: {machine.state}; the suite waits until it has ended")
        handle = running.begin(lambda: _send(executor, machine, request))
        say(f"{machine.name}: asked to run the suite")
        reply = _follow(handle, copy, machine, say)
        if not copy.complete(reply.files) and not reply.problem:  # what was lost on its way
            rest = asked.model_copy(update={"do": "collect", "have": copy.have()})
            reply = _follow(_send(executor, machine, rest), copy, machine, say).model_copy(
                update={"code": reply.code, "output": reply.output, "problem": reply.problem}
            )
        code, why = reply.code, reply.problem
        if not why and not copy.complete(reply.files):
            why = "not all of its records have arrived; resume to fetch them"
        if not why and code not in (0, _INTERRUPTED):
            why = f"`harness run` left with exit code {code}: {' / '.join(map(one_line, reply.output[-3:]))}"
    except (ChildError, HarnessError) as error:
        lost, why = True, str(error)
    summary: Summary | None = None
    try:
        if (folder / "run.json").exists():
            read_records(folder)
            summary = reports.write(folder)
    except HarnessError as error:
        why = why or f"what has arrived is not a run: {error}"
    status = summary.run.status if summary is not None else "lost"
    if why and status == "complete":
        status = "failed"
    if lost or (status == "running"):
        status = "lost"
    ended = MachineOutcome(
        machine=machine.name, folder=folder, status=status, records=copy.records, why=why, summary=summary
    )
    say(str(ended))
    return ended


def _follow(handle: Handle, copy: Copy, machine: Machine, say: Callable[[str], None]) -> Reply:
    """Takes in what a request sends, and its answer; says how far it is each time that there is four times as much."""
    next_said = max(1, 4 * copy.records)
    for text in handle.lines():
        copy.take(text)
        if copy.records >= next_said:
            say(f"{machine.name}: {counted(copy.records, 'record')} so far")
            next_said = 4 * copy.records
    return read(Reply, handle.result(), machine.name)
