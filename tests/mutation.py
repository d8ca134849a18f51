"""Whether the tests of a room notice when its code is wrong.

    python -m tests.mutation [--rooms search analysis suite records] [--sample 200] [--seconds 500]

A seeded sample of mutants is made of the modules: a comparison turned, + for -, and for or, a constant plus one, a
condition negated. Each is tried against the tests of its own room that run the changed function, the quickest first, up
to the first that fails. What became of each is kept in a folder, so that a command that was stopped, or whose seconds
were over, goes on where it ended; `--again` tries those that survived once more. Prints those that survive and the
share that was noticed, and leaves with 1 where that is below 85 %.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import json
import math
import os
import random
import resource
import signal
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
ROOMS = ("search", "analysis", "suite", "records")
ENOUGH = 0.85
_CORE = str(ROOT / "harness")
TESTED_SECONDS = 20.0  # of the tests that one mutant is tried against, as they take without it
PATIENCE = 5.0  # times as much of the processor's time makes a hang, which is noticed
LONGEST_SECONDS = 300.0  # on the clock, however little the processor does
LIBRARIES = (  # imported once, before the processes that try mutants are forked off
    "numpy", "scipy.stats", "scipy.optimize", "scipy.special", "pydantic", "yaml", "pytest", "hypothesis", "tabulate",
    "rich.console", "rich.table", "jinja2", "filelock", "pluggy", "psutil", "typer",
)  # fmt: skip
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_SWAPPED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    room: str
    module: Path  # relative to the checkout
    number: int  # of the node, as `ast.walk` counts them
    line: int
    function: int  # the line that its innermost function begins on; 0 outside of functions
    what: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.what}"

    @property
    def name(self) -> str:
        """Of the module, as it is imported."""
        parts = self.module.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def mutants(room: str, module: Path) -> Iterator[Mutant]:
    """Every change that is tried in one module; docstrings and annotations are left alone."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    idle = {id(inner) for each in ast.walk(tree) for part in _annotations(each) for inner in ast.walk(part)}
    inside = _functions(tree)
    for number, node in enumerate(ast.walk(tree)):
        what = _change(node) if id(node) not in idle else ""
        if what:
            yield Mutant(room, module, number, getattr(node, "lineno", 0), inside.get(id(node), 0), what)


def _annotations(node: ast.AST) -> Iterator[ast.AST]:
    for name in ("annotation", "returns"):
        part = getattr(node, name, None)
        if part is not None:
            yield part
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        yield node


def _functions(tree: ast.AST) -> dict[int, int]:
    """The first line of the innermost function around each node; defaults and decorators belong to what is around it."""
    found: dict[int, int] = {}
    for node in ast.walk(tree):  # from the outermost on
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found.update({id(inner): first for part in node.body for inner in ast.walk(part)})
    return found


def _change(node: ast.AST) -> str:
    """Changes a node in place, and says how; empty where it is of no kind that is changed."""
    before = ast.unparse(node) if isinstance(node, ast.expr) else ""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _TURNED:
        node.ops[0] = _TURNED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp) and type(node.op) in _SWAPPED:
        node.op = _SWAPPED[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        node.value = node.value + 1
    elif isinstance(node, ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    else:
        return ""
    return f"{before} -> {ast.unparse(node)}"


class Changed(importlib.machinery.SourceFileLoader, importlib.abc.MetaPathFinder):
    """Imports one module with its change, from memory."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.name, str(ROOT / mutant.module))
        self._mutant = mutant

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """Of that module alone."""
        if name != self._mutant.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)

    def get_code(self, fullname: str) -> Any:
        """Compiled anew: what lies compiled beside the source is the original."""
        tree = ast.parse(self.get_data(self.path))
        _change(list(ast.walk(tree))[self._mutant.number])
        return compile(ast.fix_missing_locations(tree), self.path, "exec")


# ------------------------------------------------------------------------------------------- what runs in a process


class Survey:
    """A plugin of pytest that notes which functions of the core each test calls, and how long it takes."""

    def __init__(self) -> None:
        self.tests: dict[str, tuple[float, list[str]]] = {}
        self.failed: set[str] = set()
        self._called: set[str] = set()
        self._fixtures: dict[int, set[str]] = {}  # what the setup of each calls, for all tests that share it

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        """Listens while a test runs."""
        self._called, began = set(), time.perf_counter()
        sys.settrace(self._listen)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            used = {id(each) for found in item._fixtureinfo.name2fixturedefs.values() for each in found}
            called = self._called.union(*(self._fixtures.get(each, ()) for each in used))
            self.tests[item.nodeid] = time.perf_counter() - began, sorted(called)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Notes what fails without any mutant."""
        if report.failed:
            self.failed.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Keeps apart what a fixture calls."""
        before, self._called = self._called, set()
        try:
            return (yield)
        finally:
            self._fixtures[id(fixturedef)] = self._called
            self._called = self._called | before

    def _listen(self, frame: Any, event: str, _: object) -> None:  # returns nothing: no line of it is followed
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(_CORE):
            self._called.add(f"{code.co_filename[len(str(ROOT)) + 1 :]}:{code.co_firstlineno}")


class Chosen:
    """A plugin of pytest that changes a module, runs some tests in their order, and notes the first that fails."""

    def __init__(self, mutant: Mutant, tests: Sequence[str], report: Path) -> None:
        self._mutant = mutant
        self._place = {name: place for place, name in enumerate(tests)}
        self._report = report

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        """Before anything of the core is imported, and after pytest has put its own importer first."""
        sys.meta_path.insert(0, Changed(self._mutant))

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keeps those, in that order."""
        items[:] = sorted(
            (each for each in items if each.nodeid in self._place), key=lambda each: self._place[each.nodeid]
        )

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Notes who noticed."""
        if report.failed and not self._report.stat().st_size:
            self._report.write_text(report.nodeid, encoding="utf-8")


def tested(files: Iterable[str], *plugins: object) -> int:
    """pytest's exit code, in this process, which prints nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files], plugins=list(plugins)))


def forked(work: Callable[[], int]) -> int:
    """The process id of a child that does some work and ends with its code."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (8 * 2**30, 8 * 2**30))
        code = work()
    finally:
        os._exit(code)


# ------------------------------------------------------------------------------------------------------ the command


class Tests:
    """What is known of the tests of a room.

    Args:
        room: whose.
        folder: where it is kept, for each file of tests apart; made anew where that file or the room has changed since.

    Those that fail without any mutant are left out.
    """

    def __init__(self, room: str, folder: Path) -> None:
        self._known: dict[str, tuple[float, list[str]]] = {}
        changed = max(each.stat().st_mtime for each in (ROOT / "harness" / room).rglob("*.py"))
        for file in sorted((ROOT / "tests" / room).rglob("test_*.py")):
            path = folder / f"{room}-{'-'.join(file.relative_to(ROOT / 'tests' / room).with_suffix('').parts)}.json"
            if not path.exists() or path.stat().st_mtime < max(changed, file.stat().st_mtime):
                self._survey(str(file.relative_to(ROOT)), path)
            self._known |= json.loads(path.read_text(encoding="utf-8"))
        self._of: dict[str, list[str]] = defaultdict(list)
        for test, (_, called) in self._known.items():
            for function in called:
                self._of[function].append(test)

    def _survey(self, file: str, path: Path) -> None:
        def survey() -> int:
            seen = Survey()
            tested([file, "--maxfail=1000"], seen)
            usable = {name: about for name, about in seen.tests.items() if name not in seen.failed}
            path.with_suffix(".failed").write_text("\n".join(sorted(seen.failed)), encoding="utf-8")
            path.write_text(json.dumps(usable), encoding="utf-8")
            return 0

        _, status = os.waitpid(forked(survey), 0)
        if code := os.waitstatus_to_exitcode(status):
            raise SystemExit(f"the tests of {file} cannot be run ({code}): run pytest {file}")
        for name in path.with_suffix(".failed").read_text(encoding="utf-8").splitlines():
            print(f"left out, since it fails as it is: {name}", flush=True)

    def of(self, mutant: Mutant) -> list[str]:
        """Those that can notice it, as many as there is time for: its own file first, then the quickest."""
        if mutant.function:
            found = self._of.get(f"{mutant.module}:{mutant.function}", [])
        else:
            prefix = f"{mutant.module}:"
            touching = [test for function, tests in self._of.items() if function.startswith(prefix) for test in tests]
            found = list(dict.fromkeys(touching)) or list(self._known)
        own = f"/test_{mutant.module.stem}.py::"
        ordered = sorted(found, key=lambda test: (own not in test, self.seconds([test])))
        spent = list(itertools.accumulate(self.seconds([test]) for test in ordered))
        return [test for test, seconds in zip(ordered, spent, strict=True) if seconds <= TESTED_SECONDS] or ordered[:1]

    def seconds(self, tests: Sequence[str]) -> float:
        """That they take without any mutant."""
        return sum(self._known[test][0] for test in tests)


def tried(mutant: Mutant, tests: Sequence[str], seconds: float, report: Path) -> int:
    """The process that tries a mutant: it ends with 0 where the mutant survives."""

    def work() -> int:
        limit = math.ceil(PATIENCE * (TESTED_SECONDS / 2 + seconds))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        return tested(sorted({test.partition("::")[0] for test in tests}), Chosen(mutant, tests, report))

    report.write_text("", encoding="utf-8")
    return forked(work)


@dataclass
class Outcomes:
    """What became of each mutant: the test that noticed it, or nothing where it survives; kept in a file."""

    path: Path
    known: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Outcomes:
        """Those that were kept."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return cls(path, {each["mutant"]: each["by"] for each in map(json.loads, lines)})

    def add(self, mutant: Mutant, by: str) -> None:
        """One more; the last one counts."""
        self.known[str(mutant)] = by
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"mutant": str(mutant), "by": by}) + "\n")


def run(waiting: Sequence[Mutant], tests: Mapping[str, Tests], outcomes: Outcomes, processes: int, ends: float) -> None:
    """Tries mutants, some at a time, until the time is over."""
    left = list(reversed(waiting))
    running: dict[int, tuple[Mutant, Path, float]] = {}  # by process
    while (left and time.monotonic() < ends) or running:
        while left and len(running) < processes and time.monotonic() < ends:
            mutant, report = left.pop(), outcomes.path.with_name(f"report-{len(left)}")
            room = tests[mutant.room]
            own = room.of(mutant)
            process = tried(mutant, own, room.seconds(own), report)
            running[process] = mutant, report, time.monotonic() + LONGEST_SECONDS
        for process, (mutant, report, until) in list(running.items()):
            late = time.monotonic() > until
            if late:
                os.killpg(process, signal.SIGKILL)
            ended, status = os.waitpid(process, 0 if late else os.WNOHANG)
            if ended:
                del running[process]
                code = os.waitstatus_to_exitcode(status)
                noticed = report.read_text(encoding="utf-8") or ("it hangs" if code < 0 else "its import fails")
                outcomes.add(mutant, "" if code in (0, 5) else noticed)  # 5: no test calls it
                report.unlink()
        time.sleep(0.02)


def main() -> int:
    """Tries what was not tried yet, and sums up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", nargs="+", default=ROOMS, choices=ROOMS, help="that part of the sample alone")
    parser.add_argument("--sample", type=int, default=200, help="mutants of all rooms together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=math.inf, help="after which no other mutant is tried")
    parser.add_argument("--again", action="store_true", help="try those that survived once more")
    parser.add_argument("--folder", type=Path, default=ROOT / ".mutation", help="what became of each")
    asked = parser.parse_args()
    ends = time.monotonic() + asked.seconds
    every = [
        mutant
        for room in ROOMS
        for module in sorted((ROOT / "harness" / room).rglob("*.py"))
        for mutant in mutants(room, module.relative_to(ROOT))
    ]
    sample = random.Random(asked.seed).sample(every, min(asked.sample, len(every)))
    chosen = [each for each in sample if each.room in asked.rooms]
    asked.folder.mkdir(exist_ok=True)
    outcomes = Outcomes.of(asked.folder / "outcomes.jsonl")
    for name in LIBRARIES:
        importlib.import_module(name)
    tests = {room: Tests(room, asked.folder) for room in asked.rooms}
    survived = {each for each, by in outcomes.known.items() if not by}
    tried_before = outcomes.known.keys() - (survived if asked.again else set())
    run([each for each in chosen if str(each) not in tried_before], tests, outcomes, asked.processes, ends)
    known = [each for each in chosen if str(each) in outcomes.known]
    alive = [each for each in known if not outcomes.known[str(each)]]
    for each in sorted(map(str, alive)):
        print(f"survives: {each}")
    share = 1 - len(alive) / len(known) if known else 0.0
    print(
        f"{len(known) - len(alive)} of {len(known)} mutants noticed ({share:.1%}), {len(chosen) - len(known)} not tried"
    )
    return int(share < ENOUGH)


if __name__ == "__main__":
    sys.exit(main())
