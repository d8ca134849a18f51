"""JSON that somebody sent: nothing that only Python reads, and no deeper than what comes after can walk through."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from harness.printable import one_line

_MOST_DIGITS = 19  # of a whole number: 64 bits
_MOST_LEVELS = 100  # of lists and objects in each other; runs have about ten
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # half of a character, or of a pair that is one


def parsed(text: str | bytes) -> Any:
    """The value.

    Raises:
        ValueError: where it is not JSON; its text is a sentence.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        found = json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if _brackets(text) > _MOST_LEVELS and _is_deep(found):
        raise ValueError("it is nested too deep")
    if _SURROGATE.search(text) and not _is_writable(found):
        raise ValueError("it holds half of a character (a lone surrogate)")
    return found


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _is_writable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MOST_LEVELS):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for several in inner for each in several if isinstance(each, dict | list)]
        if not level:
            return False
    return True


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that can be read")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refused(one_line(text, 40))


def _whole(text: str) -> int:
    return int(text) if len(text) <= _MOST_DIGITS else _refused(f"{one_line(text, 40)}, of {len(text):,} digits,")
