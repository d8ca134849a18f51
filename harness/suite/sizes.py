"""`sizes`, the word for `heads` in suites whose contenders are functions and have none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORD, _OWN = "sizes", "heads"


def as_heads(data: Mapping[str, Any]) -> Any:
    """A suite's plain data with every `sizes` called `heads`; where both stand, both are kept, and refused as unknown."""
    found = _renamed(data)
    contenders, races = found.get("contenders"), found.get("races")
    if isinstance(contenders, Mapping):
        found["contenders"] = {name: _renamed(each) for name, each in contenders.items()}
    if isinstance(races, list):
        found["races"] = [_renamed(each) for each in races]
    return found


def written(path: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """The path of an issue as the suite spells it."""
    spelled: list[str | int] = []
    for own in path:
        part = own
        if own == _OWN and isinstance(data, Mapping) and _OWN not in data and _WORD in data:
            part = _WORD
        spelled.append(part)
        if isinstance(data, Mapping):
            data = data.get(part)
        else:
            data = data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None
    return tuple(spelled)


def _renamed(value: Any) -> Any:
    if not isinstance(value, Mapping) or _WORD not in value or _OWN in value:
        return dict(value) if isinstance(value, Mapping) else value
    return {(_OWN if key == _WORD else key): each for key, each in value.items()}
