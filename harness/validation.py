"""What pydantic refused, said as sentences: where, what, and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Path: TypeAlias = tuple[str | int, ...]  # keys and indices from the root of the data

_MISSING_CHOICE = frozenset(
    {"union_tag_not_found", "union_tag_invalid", "model_type", "model_attributes_type", "dict_type", "mapping_type"}
)


_SHORT = 4  # names below this many letters are near each other by chance
_TYPES = (  # the start of an error's kind, and the type that it wanted
    ("int", "a whole number"),
    ("float", "a number"),
    ("bool", "true or false"),
    ("string", "text"),
    ("tuple", "a list"),
    ("list", "a list"),
    ("set", "a list"),
    ("dict", "a mapping"),
    ("mapping", "a mapping"),
    ("model", "a mapping"),
    ("union", "a mapping"),
)


@dataclass(frozen=True)
class ValidationIssue:
    """One thing that a model refused."""

    path: Path
    what: str
    hint: str = ""


def dotted(path: Sequence[str | int]) -> str:
    """`("races", 0, "baseline")` → `races[0].baseline`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def did_you_mean(name: str, known: Iterable[str], *, quote: str = "'") -> str:
    """`did you mean 'onnxruntime'?`, or nothing where no known name is near."""
    near = nearest(name, known)
    return f"did you mean {quote}{near}{quote}?" if near else ""


def suggestion(name: str, known: Collection[str]) -> str:
    """`did you mean 'onnxruntime'?`, else the names to choose from; empty where there are none."""
    return did_you_mean(name, known) or (f"choose from {', '.join(map(str, known))}" if known else "")


def unknown_component(kind: str, name: str, known: Iterable[str], failures: Iterable[object] = ()) -> tuple[str, str]:
    """(what, hint) for a component that no plugin offers: a near name, else what failed to load, else what there is."""
    known, failed = sorted(known), "; ".join(map(str, failures))
    hint = did_you_mean(name, known) or (failed and f"it may belong to a plugin that failed to load: {failed}")
    return f"no {kind} {name!r}", hint or suggestion(name, known) or "no plugin offers any"


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that a misspelling most probably stands for; empty where none is near."""
    folded = {each.casefold().replace("-", "_"): each for each in known}
    wanted = name.casefold().replace("-", "_")
    matches = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.6)
    if not matches or (len(wanted) < _SHORT and matches[0][:1] != wanted[:1]):  # `gpu` is not a misspelt `cpu`
        return ""
    return folded[matches[0]]


def validation_issues(error: ValidationError, model: type[BaseModel]) -> list[ValidationIssue]:
    """Every error of a validation, as sentences.

    Args:
        error: what pydantic raised.
        model: the model that was validated, for the names that it knows.
    """
    schema = model.model_json_schema(by_alias=True)
    return [_issue(each, schema) for each in error.errors(include_url=False)]


def option_rows(schema: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """(option, type, default, description) of each option in a JSON schema, for a table."""
    required = set(schema.get("required", ()))
    rows = []
    for name, part in schema.get("properties", {}).items():
        default = "required" if name in required else _value_in_words(part.get("default"))
        rows.append((name, type_words(part, schema), default, str(part.get("description", ""))))
    return rows


def type_words(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The type that a JSON schema describes, in words: `integer, at least 1`."""
    part = _resolved(part, schema)
    if part.get("format") == "count":
        return "whole number, at least 1"
    if "const" in part:
        return _value_in_words(part["const"])
    if "enum" in part:
        return " or ".join(_value_in_words(value) for value in part["enum"])
    for union in ("anyOf", "oneOf"):
        if union in part:
            return " or ".join(dict.fromkeys(type_words(each, schema) for each in part[union]))
    kind = str(part.get("type", "anything"))
    words = {"null": "nothing", "object": "mapping", "array": "list"}.get(kind, kind)
    if kind == "array" and isinstance(part.get("items"), Mapping):
        words = f"list of {type_words(part['items'], schema)}"
    bounds = [
        f"{phrase} {part[key]}"
        for key, phrase in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in part
    ]
    return ", ".join([words, *bounds])


# ------------------------------------------------------------------------------------------------------- one sentence


def _issue(error: Any, schema: Mapping[str, Any]) -> ValidationIssue:
    kind, context = error["type"], error.get("ctx", {})
    location = tuple(step for step in error["loc"] if step != "[key]")
    path, parents = _walk(location, schema, keep_last=kind in {"extra_forbidden", "missing"})
    given = error.get("input")
    if kind == "extra_forbidden":
        known = sorted({name for part in parents for name in part.get("properties", {})})
        hint = did_you_mean(str(path[-1]), known, quote="`") or (
            f"known here: {', '.join(known)}" if known else "it takes no options"
        )
        return ValidationIssue(path, "unknown key", hint)
    if kind == "missing":
        described = next(
            (
                part["properties"][path[-1]].get("description", "")
                for part in parents
                if path[-1] in part.get("properties", {})
            ),
            "",
        )
        return ValidationIssue(path, f"is missing: {described}" if described else "is missing")
    if kind == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "")
        choices = [part.strip() for part in expected.replace(" or ", ",").split(",")]
        return ValidationIssue(
            path, f"expected {context.get('expected')}, got {_value_in_words(given)}", did_you_mean(str(given), choices)
        )
    return ValidationIssue(path, _sentence(kind, context, given, str(error["msg"])), _hint(kind, context))


def _sentence(kind: str, context: Mapping[str, Any], given: Any, message: str) -> str:
    """What is wrong with a value."""
    bounds = {
        "greater_than_equal": ("at least", "ge"),
        "greater_than": ("above", "gt"),
        "less_than_equal": ("at most", "le"),
        "less_than": ("below", "lt"),
    }
    if kind in bounds:
        phrase, key = bounds[kind]
        return f"must be {phrase} {context[key]}, got {_value_in_words(given)}"
    if kind in {"too_short", "string_too_short"}:
        return "is empty"
    if kind in {"too_long", "string_too_long"}:
        return f"is too long, at most {context.get('max_length')}"
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error", message))
    if kind in _MISSING_CHOICE or kind.endswith("_type"):
        return f"expected {_expected(kind)}, got {_value_in_words(given)}"
    if kind.endswith("_parsing") or kind == "int_from_float":
        return f"expected {_expected(kind)}, got {_value_in_words(given)}"
    if kind == "string_pattern_mismatch":
        return f"{_value_in_words(given)} is not a name"
    return f"{message[:1].lower()}{message[1:]}, got {_value_in_words(given)}"


def _hint(kind: str, context: Mapping[str, Any]) -> str:
    if kind in {"too_short", "string_too_short"}:
        return f"give at least {context.get('min_length', 1)}"
    if kind == "string_pattern_mismatch":
        return "use letters, digits and . _ + - only, a letter or digit first"
    return ""


def _expected(kind: str) -> str:
    """The type that an error of this kind wanted, in the words of somebody who writes YAML."""
    for prefix, words in _TYPES:
        if kind.startswith(prefix):
            return words
    return "another type"


def _value_in_words(value: Any) -> str:
    """A value as short text for a message."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        text = "[" + ", ".join(_value_in_words(each) for each in value) + "]"
        return text if len(text) <= 40 else f"a list of {len(value)}"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


# ------------------------------------------------------------------------------------------------ walking a JSON schema


def _walk(location: Path, schema: Mapping[str, Any], *, keep_last: bool) -> tuple[Path, list[Mapping[str, Any]]]:
    """The location without pydantic's own names for union branches, and the schemas that hold its last step."""
    path: list[str | int] = []
    parts = _branches(schema, schema)
    for number, step in enumerate(location):
        last = number == len(location) - 1
        inside = [below for part in parts for below in _below(part, step, schema)]
        if last and keep_last:
            return (*path, step), parts
        if inside:
            path.append(step)
            parts = inside
        elif not any(part for part in parts if part.get("properties") or part.get("items")):
            continue  # a branch's name, such as `int` in `int | str`
    return tuple(path), parts


def _below(part: Mapping[str, Any], step: str | int, schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a schema says about one key or index."""
    if isinstance(step, int):
        items = part.get("items")
        return _branches(items, schema) if isinstance(items, Mapping) else [{}] if part.get("type") == "array" else []
    if step in part.get("properties", {}):
        return _branches(part["properties"][step], schema)
    extra = part.get("additionalProperties")
    if isinstance(extra, Mapping):
        return _branches(extra, schema)
    patterns = part.get("patternProperties")
    if isinstance(patterns, Mapping):
        return [each for below in patterns.values() for each in _branches(below, schema)]
    return [{}] if extra is True else []


def _branches(part: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A schema, or the branches of a union, with references resolved."""
    part = _resolved(part, schema)
    for union in ("anyOf", "oneOf", "allOf"):
        if union in part:
            return [below for each in part[union] for below in _branches(each, schema)]
    return [part]


def _resolved(part: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = part.get("$ref", "")
    if not reference:
        return part
    target: Mapping[str, Any] = schema.get("$defs", {}).get(reference.rpartition("/")[2], {})
    return target
