"""Writes down what plugins and users can call: `python -m tests.signatures`."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

import harness
from harness import testing
from harness.plugin import hookspecs
from harness.plugin.interfaces import Offer

if TYPE_CHECKING:
    from collections.abc import Iterator

SNAPSHOT = Path(__file__).with_name("signatures.txt")
CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def signatures() -> str:
    """Every public name with its signature, one a line, sorted; the last line ties it to the changelog."""
    lines = sorted({line for name in harness.__all__ for line in _lines(f"harness.{name}", getattr(harness, name))})
    lines += sorted(_lines("harness.plugin.interfaces.Offer", Offer))  # the base of all that is offered
    lines += sorted(
        line for name in testing.__all__ for line in _lines(f"harness.testing.{name}", getattr(testing, name))
    )
    lines += [_callable(name, hook) for name, hook in vars(hookspecs).items() if name.startswith("harness_")]
    return "\n".join(lines) + "\n"


def announced() -> str:
    """A digest of the changelog's lines about the API."""
    told = re.findall(r"^- API:.*$", CHANGELOG.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _lines(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
        yield f"class {name}({bases})"
        yield from _members(name, value)
    elif name == "harness.hookimpl":
        yield "harness.hookimpl"  # pluggy's
    elif callable(value):
        yield _callable(name, value)
    elif name != "harness.__version__":
        yield f"{name} = {value!r}"


def _members(name: str, kind: type) -> Iterator[str]:
    yield from _fields(name, kind)
    if issubclass(kind, BaseModel):
        return
    for member, value in vars(kind).items():
        if member.startswith("_") and (member not in {"__init__", "__call__"} or dataclasses.is_dataclass(kind)):
            continue
        if isinstance(value, property):
            yield f"{name}.{member}: property"
        elif inspect.isfunction(value):
            yield _callable(f"{name}.{member}", value)
        elif isinstance(value, str | int | float | bool | tuple | type(None)) and not dataclasses.is_dataclass(kind):
            yield f"{name}.{member} = {value!r}"


def _fields(name: str, kind: type) -> Iterator[str]:
    """What data hold."""
    if hasattr(kind, "_field_defaults"):
        yield _callable(name, kind)  # a named tuple
    elif issubclass(kind, BaseModel):
        for field, described in kind.model_fields.items():
            yield f"{name}.{field}: {_text(described.annotation)}{'' if described.is_required() else ' = …'}"
    elif dataclasses.is_dataclass(kind):
        for each in dataclasses.fields(kind):
            optional = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
            yield f"{name}.{each.name}: {_text(each.type)}{' = …' if optional else ''}"


def _callable(name: str, value: Any) -> str:
    abstract = "abstract " if getattr(value, "__isabstractmethod__", False) else ""
    return f"{abstract}{name}{inspect.signature(value)}"


def _text(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


if __name__ == "__main__":
    SNAPSHOT.write_text(f"# changelog {announced()}\n{signatures()}", encoding="utf-8")
