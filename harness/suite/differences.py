"""In which keys two suites differ, as sentences: a run is continued only with the suite that it was begun with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from harness.suite.schema import Suite

_MOST = 6  # that are named
_ABSENT = "absent"


def differences(then: Mapping[str, Any], now: Suite) -> list[str]:
    """`seed of the suite: 0 -> 7` for each key that differs, and how many more there are.

    Args:
        then: a suite as a run has recorded it; keys that its version did not know have their defaults.
        now: the suite at hand.
    """
    try:
        before = Suite.model_validate(then).model_dump(mode="json", by_alias=True)
    except ValidationError:  # of a version that knew other keys
        before = dict(then)
    found = [
        f"{path} of the suite: {was} -> {is_}"
        for path, was, is_ in changed(before, now.model_dump(mode="json", by_alias=True))
    ]
    rest = len(found) - _MOST
    return found if rest < 1 else [*found[:_MOST], f"{rest} more keys of the suite differ"]


def changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Dotted path, earlier and present value, as texts, of each key in which two nested mappings differ."""
    was, is_ = _flat(then), _flat(now)
    for path in dict.fromkeys([*was, *is_]):
        one, other = was.get(path, _ABSENT), is_.get(path, _ABSENT)
        if one != other and not {_as_text(one), _as_text(other)} <= {_ABSENT, "{}"}:
            yield path, _as_text(one), _as_text(other)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Nested data as dotted paths; parts that have a name are known by it, others by their place."""
    if isinstance(value, Mapping) and value:
        return {
            key: each
            for name, child in value.items()
            for key, each in _flat(child, f"{path}.{name}" if path else str(name)).items()
        }
    if isinstance(value, (list, tuple)) and any(isinstance(each, Mapping) for each in value):
        return {
            key: each
            for place, child in enumerate(value)
            for key, each in _flat(child, f"{path}[{child.get('name', place)}]").items()
        }
    return {path: value}


def _as_text(value: Any) -> str:
    if value is None:
        return _ABSENT
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
