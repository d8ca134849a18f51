"""A YAML document as plain data that remembers on which line each of its parts stands."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from harness.errors import PATH, Problem, cut
from harness.printable import one_line, printable
from harness.validation import Path, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LARGEST = 20_000  # nodes with aliases written out; more is an attack, or a mistake
_DEEPEST = 40
_LONGEST = 2**20  # characters of a suite
_BIGGEST = 2**63 - 1  # what libraries and file formats take for a whole number
_TAG = "tag:yaml.org,2002:"
_PLAIN = frozenset(f"{_TAG}{name}" for name in ("null", "bool", "int", "float", "str"))
_DATE = f"{_TAG}timestamp"
_NUMBER = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*)")
_AMBIGUOUS = re.compile(r"[-+]?(0[0-9_]*[0-9]|0[0-9_]*[0-9]\.[0-9_]*|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_KINDS = {"int": "whole number", "float": "number", "bool": "true or false", "null": "nothing"}
_CHANGE = "a suite holds plain values only: text, numbers, true, false, null, lists and mappings"
_EITHER_IN = ("heads", "sizes")
_RANGE, _LIST = ("from", "to", "points"), ("values",)
_EITHER_OR = ((_RANGE, _LIST), (_LIST, _RANGE))
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, kw_only=True)
class OverrideProblem(Problem):
    """A problem with what was said on the command line: it has no line in any file."""

    def __str__(self) -> str:
        advice = f"; {self.hint}" if self.hint else ""
        path = f"{cut(self.path, PATH)}: " if self.path and not self.file.startswith(f"--set {self.path}") else ""
        return printable(f"{cut(self.file, PATH)}: {path}{cut(self.what)}{cut(advice)}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something was written."""

    line: int = 1
    override: str = ""  # the `--set key` that wrote it, instead of a line


@dataclass(kw_only=True)
class Document:
    """Plain data, and the place of every key and value in it."""

    file: str
    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def problem(self, path: Path, what: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem at a path, with the line of the nearest part that was written.

        Args:
            path: keys and indices from the root.
            what: what is wrong.
            hint: what to write instead.
            at_key: the key itself is wrong, rather than its value.
        """
        place = self._place(path, at_key=at_key)
        if place.override:
            return OverrideProblem(file=place.override, line=0, path=dotted(path), what=what, hint=hint)
        return Problem(file=self.file, line=place.line, path=dotted(path) or "suite", what=what, hint=hint)

    def _place(self, path: Path, *, at_key: bool) -> Place:
        if not at_key:
            for below, place in self.keys.items():
                if place.override and path and below[: len(path)] == path:
                    return place  # what is wrong with the whole is most probably what was changed in it
        for length in range(len(path), -1, -1):
            part = path[:length]
            whole = length == len(path)
            first, second = (self.keys, self.values) if at_key or not whole else (self.values, self.keys)
            if part in first:
                return first[part]
            if part in second:
                return second[part]
        return Place()

    def override(self, assignment: str) -> Problem | None:
        """Applies `key=value`, a dotted path and a YAML value; what is wrong with it is returned."""
        name, equals, text = assignment.partition("=")
        flag = f"--set {name.strip()}"
        if not equals or not name.strip():
            return _unset(f"--set {assignment}", "is not an assignment")
        path = _path_of(name.strip())
        given = parse(text, flag)
        if given.problems:
            return _unset(flag, given.problems[0].what, given.problems[0].hint)
        if path is None:
            return _unset(flag, "is not a path")
        parent, misplaced = self._parent(path, flag)
        if misplaced:
            return OverrideProblem(file=flag, line=0, path="", what=misplaced)
        parent[path[-1]] = given.document.data
        replaced = [path, *((*path[:-1], other) for other in _replaced(path) if parent.pop(other, None) is not None)]
        for places in (self.keys, self.values):
            for old in [each for each in places if any(each[: len(gone)] == gone for gone in replaced)]:
                del places[old]
        self.keys[path] = Place(override=flag)
        for below in given.document.values:
            self.values[path + below] = Place(override=flag)
        return None

    def _parent(self, path: Path, flag: str) -> tuple[Any, str]:
        """The mapping or list that holds the last step of a path, made where a mapping is missing; or what is wrong."""
        here = self.data
        for number, step in enumerate(path):
            last = number == len(path) - 1
            before = dotted(path[:number]) or "the suite"
            if isinstance(step, int):
                if not isinstance(here, list):
                    return None, f"{before} is not a list"
                if step >= len(here):
                    return None, f"{before} has {len(here)} items, numbered from 0"
            elif not isinstance(here, dict):
                return None, f"{before} is not a mapping"
            if last:
                break
            if isinstance(step, str) and step not in here:
                here[step] = {}
                self.keys[path[: number + 1]] = Place(override=flag)
            here = here[step]
        return here, ""


def _replaced(path: Path) -> tuple[str, ...]:
    """Keys beside the last of a path that cannot stand beside it: N are given as a range or as a list."""
    if len(path) < 2 or path[-2] not in _EITHER_IN:
        return ()
    return next((other for own, other in _EITHER_OR if path[-1] in own), ())


def _unset(flag: str, what: str, hint: str = "") -> OverrideProblem:
    usual = "write --set key=value, such as races[0].heads.to=1024"
    return OverrideProblem(file=flag, line=0, path="", what=what, hint=hint or usual)


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A document, and what was wrong with its YAML."""

    document: Document
    problems: tuple[Problem, ...] = ()


def parse(text: str, file: str) -> Parsed:
    """Reads YAML safely: no tags that make objects, no key twice, no document that grows without bound.

    Args:
        text: the YAML.
        file: how messages name it.
    """
    document = Document(file=file)
    if len(text) > _LONGEST:
        what = f"is too long: {len(text):,} characters, and at most {_LONGEST:,} are read"
        return Parsed(document=document, problems=(Problem(file=file, line=1, path="suite", what=what),))
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        return Parsed(document=document, problems=(_unreadable(error, text, file),))
    try:
        node = loader.get_single_node()
        if node is None:
            return Parsed(document=document)
        reader = _Reader(loader, document)
        document.data = reader.read(node, ())
    except yaml.MarkedYAMLError as error:
        return Parsed(document=document, problems=(_syntax(error, file),))
    except yaml.YAMLError as error:
        return Parsed(document=document, problems=(_unreadable(error, text, file),))
    finally:
        loader.dispose()
    return Parsed(document=document, problems=tuple(reader.problems))


class _Loader(yaml.SafeLoader):
    """A loader that stops at parts nested too deep, long before Python does."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As the base class; nested parts come through here, too."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(
                problem=f"nested more than {_DEEPEST} levels deep",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _unreadable(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """A character that YAML does not allow, with its line."""
    position = getattr(error, "position", 0)
    what = f"not YAML: {one_line(str(error).splitlines()[0])}"
    return Problem(
        file=file, line=text.count("\n", 0, position) + 1, path="suite", what=what, hint="remove the control character"
    )


class _Reader:
    """Turns nodes into data."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self._loader = loader
        self._document = document
        self._open: list[int] = []
        self._count = 0
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        """The data of a node; its place, and those of its parts, are noted."""
        self._count += 1
        if id(node) in self._open or len(path) > _DEEPEST or self._count > _LARGEST:
            raise yaml.MarkedYAMLError(
                problem="an alias makes this part endless, or far too large", problem_mark=node.start_mark
            )
        self._document.values.setdefault(path, Place(line=node.start_mark.line + 1))
        self._open.append(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
                return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.pop()

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        """A plain value; a date is its text. What a suite cannot hold is reported, and read as nothing."""
        text, line = str(node.value), node.start_mark.line + 1
        if node.tag not in {*_PLAIN, _DATE} or not isinstance(node, yaml.ScalarNode):
            name = node.tag.replace(_TAG, "!!")
            raise yaml.MarkedYAMLError(
                problem=f"the tag {one_line(name, 60)} is not read", problem_mark=node.start_mark
            )
        plain = node.style is None
        if plain and _AMBIGUOUS.fullmatch(text):
            self._report(line, path, *_ambiguous(text))
            return None
        try:
            value = text if node.tag == _DATE else self._loader.construct_object(node, deep=True)
        except (ValueError, LookupError) as error:  # 5,000 digits, `!!int x`, `!!bool x`
            name = node.tag.replace(_TAG, "")
            problem = f"{one_line(text, 40)!r} is no {_KINDS.get(name, name)}"
            if _NUMBER.fullmatch(text):
                problem = f"a number of {len(text):,} digits is too large"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error
        if isinstance(value, float) and not math.isfinite(value):
            self._report(
                line, path, f"must be a finite number, got {one_line(text, 40)}", "leave the key out for no limit"
            )
            return None
        if isinstance(value, int) and abs(value) > _BIGGEST:
            self._report(line, path, f"must be a number below 2^63, got {one_line(text, 40)}")
            return None
        if isinstance(value, str) and (hidden := _UNWRITABLE.search(value)):
            self._report(line, path, f"holds the control character {one_line(hidden[0])}", "remove it")
            return None
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: list[Mapping[str, Any]] = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged += list(self._merged(value_node, path))
                continue
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag not in {*_PLAIN, _DATE}:
                self._report(line, path, "a key must be text")
                continue
            if _UNWRITABLE.search(key):
                self._report(line, path, f"the key {one_line(key, 40)} holds a control character", "remove it")
                continue
            below = (*path, key)
            if key in own:
                first = self._document.keys[below].line
                self._report(line, below, f"is a duplicate key, first on line {first}", "keep one of them")
                continue
            self._document.keys[below] = Place(line=line)
            self._document.values.pop(below, None)
            own[key] = self.read(value_node, below)
        for mapping in merged:
            own = {**mapping, **own}
        return own

    def _report(self, line: int, path: Path, what: str, hint: str = "") -> None:
        where = one_line(dotted(path)) or "suite"
        self.problems.append(Problem(file=self._document.file, line=line, path=where, what=what, hint=hint))

    def _merged(self, node: yaml.Node, path: Path) -> Iterator[Mapping[str, Any]]:
        """What `<<` takes over, what wins first: of several mappings the first that has a key, as YAML has it."""
        nodes: Sequence[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for each in nodes:
            data = self.read(each, path)
            if not isinstance(data, dict):
                raise yaml.MarkedYAMLError(problem="<< merges mappings only", problem_mark=each.start_mark)
            yield data


def _syntax(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = one_line(", ".join(part for part in (error.context, error.problem) if part))
    hint = ""
    if what.startswith("the tag "):
        hint = _CHANGE
    elif "'\\t'" in what:
        hint = "indent with spaces, not tabs"
    return Problem(file=file, line=mark.line + 1 if mark else 1, path="suite", what=f"not YAML: {what}", hint=hint)


def _ambiguous(text: str) -> tuple[str, str]:
    """What is wrong with a number that YAML and its reader may take for different ones, and what to write."""
    if ":" in text:
        return (
            f"{one_line(text, 40)} is read as a number in base 60",
            "write it as seconds, or quote it if it is text",
        )
    fewer = one_line(text.lstrip("+-0_"), 40) or "0"
    return f"the number {one_line(text, 40)} begins with a zero", f"write {fewer}, or quote it if it is text"


def _path_of(text: str) -> Path | None:
    """`races[0].heads.to` → its steps; None where it is not a path."""
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if not match:
            return None
        steps.append(int(match[2]) if match[2] else match[1])
        position = match.end()
        if position < len(text) and text[position] == ".":
            position += 1
            if position == len(text):
                return None
    return tuple(steps) or None
