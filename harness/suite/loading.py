"""Reads a suite file. Every problem in it is found at once, each with its line."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness import plain_file
from harness.errors import Problem, SuiteError
from harness.functions.callee import read_from
from harness.printable import one_line
from harness.suite import sizes, trust
from harness.suite.consistency import contradictions
from harness.suite.schema import Suite
from harness.suite.yaml_document import Document, OverrideProblem, parse
from harness.validation import did_you_mean, suggestion, validation_issues

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.validation import Path as Place

_LARGEST_BYTES = plain_file.MIB  # of a suite, which has 20,000 parts at the most
_AT_KEY = ("unknown key", "is missing")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A suite, where its parts stand, and what was left out of it."""

    suite: Suite
    document: Document
    path: Path | None  # None where the suite was written in memory
    folder: Path  # that relative paths in the suite are relative to
    notes: tuple[str, ...] = ()  # what `only` dropped

    @property
    def runs(self) -> tuple[str, ...]:
        """The Python files that the suite names, and functions of other modules: what is run when it is checked."""
        found = [str(path.resolve()) for path in self.plugin_files]
        for _, text in _functions(self.suite):
            file = read_from(text, self.folder)
            found.append(str(file.resolve()) if file is not None and plain_file.is_there(file) else text)
        return tuple(dict.fromkeys(found))

    @property
    def plugin_files(self) -> tuple[Path, ...]:
        """The local plugin files that the suite names."""
        return tuple(self.folder / name for name in self.suite.plugins)


def load(
    path: Path | None,
    *,
    text: str | None = None,
    overrides: Sequence[str] = (),
    only: Sequence[str] = (),
    allowed: Sequence[Path] = (),
) -> Loaded:
    """Reads and validates a suite; no plugin is asked.

    Args:
        path: the file; where there is none, `text` is the suite, and its paths are relative to the current folder.
        text: the suite as YAML, in place of the file's content.
        overrides: `key=value` with dotted paths and YAML values, such as `races[0].heads.to=1024`.
        allowed: Python files and folders outside of the suite's own that it may run.
        only: contenders to keep; races and documented figures that lose one are dropped, and `notes` say so.

    Raises:
        SuiteError: with every problem.
    """
    file = str(path) if path is not None else "suite"
    parsed = parse(text if text is not None else _content(path), file)
    document = parsed.document
    folder = Path.cwd() if path is None or plain_file.is_from_shell(path) else _folder(path)
    problems = list(parsed.problems)
    broken = bool(parsed.problems) and document.data is None
    if not broken:
        problems += [wrong for each in overrides if (wrong := document.override(each)) is not None]
        suite, found = _validated(document)
        reported = {each.path for each in parsed.problems}
        problems += [each for each in found if each.path not in reported]
        problems += _plugin_files(document, folder, allowed, own=path is None)
        if suite is not None and path is not None:
            problems += _function_files(suite, document, folder, allowed)
    if problems or suite is None:
        raise SuiteError(sorted(problems, key=lambda problem: problem.line))
    kept, notes = _narrowed(suite, only)
    return Loaded(suite=kept, document=document, path=path, folder=folder, notes=notes)


def _folder(path: Path) -> Path:
    """The folder of the file itself, behind symbolic links."""
    return path.resolve().parent


def _content(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return plain_file.text(path, _LARGEST_BYTES)
    except FileNotFoundError:
        near = (
            did_you_mean(path.name, [each.name for each in path.parent.glob("*.y*ml")]) if path.parent.is_dir() else ""
        )
        hint = near or "name a suite, such as suites/smoke.yaml"
        problem = Problem(file=str(path), line=0, path="", what="there is no such file", hint=hint)
    except IsADirectoryError:
        problem = Problem(file=str(path), line=0, path="", what="is a folder", hint="name a suite file in it")
    except UnicodeDecodeError as error:
        problem = Problem(
            file=str(path), line=1, path="suite", what=f"is not UTF-8 text: {error.reason} at byte {error.start}"
        )
    except OSError as error:
        problem = Problem(file=str(path), line=1, path="suite", what=f"cannot be read: {error.strerror}")
    raise SuiteError([problem])


def _validated(document: Document) -> tuple[Suite | None, list[Problem]]:
    """The suite, or everything that is wrong with it."""
    if document.data is None:
        return None, [document.problem((), "is empty", "see suites/README.md for what a suite holds")]
    if not isinstance(document.data, dict):
        return None, [document.problem((), "is not a mapping", "see suites/README.md for what a suite holds")]
    data = sizes.as_heads(document.data)
    found = list(contradictions(data))
    suite = None
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        found += validation_issues(error, Suite)
    found = [dataclasses.replace(each, path=sizes.written(each.path, document.data)) for each in found]
    problems = [
        document.problem(each.path, each.what, each.hint, at_key=each.what.startswith(_AT_KEY)) for each in found
    ]
    return suite, list(dict.fromkeys(problems))


def _plugin_files(document: Document, folder: Path, allowed: Sequence[Path], *, own: bool) -> list[Problem]:
    """What is wrong with the files that it names; those of a suite in memory are the caller's own choice."""
    names = document.data.get("plugins") if isinstance(document.data, dict) else None
    problems = []
    for number, name in enumerate(names if isinstance(names, list) else ()):
        wrong = _plugin_file(name, folder, allowed, own=own) if isinstance(name, str) else None
        if wrong is not None:
            problems.append(document.problem(("plugins", number), *wrong))
    return problems


def _plugin_file(name: str, folder: Path, allowed: Sequence[Path], *, own: bool) -> tuple[str, str] | None:
    """What is wrong with a Python file that a suite names, and what to do about it."""
    if not plain_file.is_there(folder / name):
        near = os.path.relpath(folder)
        return (
            f"there is no file {one_line(name)!r} in {folder if near.startswith('..') else near}",
            "the path is relative to the suite",
        )
    return None if own else _outside(folder / name, name, folder, allowed)


def _function_files(suite: Suite, document: Document, folder: Path, allowed: Sequence[Path]) -> Iterator[Problem]:
    """What is wrong with the files that functions are read from."""
    for path, text in _functions(suite):
        file = read_from(text, folder)
        if file is not None and plain_file.is_there(file) and (wrong := _outside(file, text, folder, allowed)):
            yield document.problem(path, *wrong)


def _functions(suite: Suite) -> Iterator[tuple[Place, str]]:
    """The functions that a suite names, with their places; those of a workload are its plugin's own."""
    yield from (((name,), text) for name in ("setup", "equal") if (text := getattr(suite, name)))
    for name, each in suite.contenders.items():
        for key in ("function", "setup", "equal") if not each.workload else ():
            if text := getattr(each, key):
                yield ("contenders", name, key), text


def _outside(file: Path, name: str, folder: Path, allowed: Sequence[Path]) -> tuple[str, str] | None:
    """Why a Python file may not be run, and what to do about it; None where it may."""
    if trust.permitted(file, folder, allowed):
        return None
    real = file.resolve()
    return (
        f"{name!r} lies outside of the suite's folder, and it would be run",
        f"read it, then allow it with --allow-plugin {real}, {trust.ALLOWED_VARIABLE}, or a line in {trust.listed()}",
    )


def _narrowed(suite: Suite, only: Sequence[str]) -> tuple[Suite, tuple[str, ...]]:
    """The suite with some of its contenders, and what that dropped."""
    if not only:
        return suite, ()
    unknown: list[Problem] = [
        OverrideProblem(
            file=f"--only {name}", line=0, path="", what=f"no contender {name!r}",
            hint=suggestion(name, suite.contenders),
        )
        for name in only if name not in suite.contenders
    ]  # fmt: skip
    if unknown:
        raise SuiteError(unknown)
    return narrowed(suite, only)


def narrowed(suite: Suite, only: Sequence[str]) -> tuple[Suite, tuple[str, ...]]:
    """The suite with the contenders in `only`, and a note for each race and figure that lost one."""
    contenders = {name: contender for name, contender in suite.contenders.items() if name in only}
    races = tuple(race for race in suite.races if race.baseline in contenders and race.challenger in contenders)
    kept = {race.name for race in races}
    notes = []
    for race in suite.races:
        lost = [repr(name) for name in (race.baseline, race.challenger) if name not in contenders]
        if lost:
            notes.append(f"the race {race.name!r} is left out: it needs {' and '.join(lost)}")
    documented = suite.documented
    if documented is not None:
        figures = tuple(figure for figure in documented.figures if figure.race in kept)
        latencies = tuple(figure for figure in documented.latencies if figure.contender in contenders)
        scores = tuple(each for each in documented.scores if each.contender is None or each.contender in contenders)
        left_over = {"figures": figures, "latencies": latencies, "scores": scores}
        some = any(left_over.values()) or documented.fidelity
        documented = documented.model_copy(update=left_over) if some else None
    units = {
        unit: tuple(name for name in names if name in contenders)
        for unit, names in suite.relative_to.items()
        if unit in contenders
    }
    left = {"contenders": contenders, "races": races, "documented": documented, "relative_to": units}
    return suite.model_copy(update=left), tuple(notes)
