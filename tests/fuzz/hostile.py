"""Values and damage that nobody would write, and that somebody will send."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

YAML = (
    ".inf",
    "-.inf",
    ".nan",
    '"\\e[31mred\\e[0m"',
    '"\\0"',
    '"\\ud800"',
    '"\\x9b2J"',
    '"\\u202eabc"',
    "!!bool x",
    "!!int x",
    "!!float x",
    "!!null x",
    "!!timestamp x",
    "!!binary '%%%'",
    "!!set {a, b}",
    "!!omap [{a: 1}]",
    "!!pairs [{a: 1}]",
    "!!str [1]",
    "!!seq x",
    "!!map [1]",
    "!!merge x",
    "!!value =",
    "=",
    "!foo x",
    "!!python/object/apply:os.system ['touch executed']",
    "!!python/name:os.system",
    "9" * 5000,
    "-" + "9" * 4000,
    "100000000000000000000000000000",
    "1e400",
    "1e29",
    "1e300",
    "-1",
    "0",
    "0.0",
    "-0.0",
    "1e-320",
    "2026-01-01",
    "2026-99-99",
    "2026-01-01T00:00:00Z",
    "0o17",
    "010",
    "-017",
    "08",
    "0x1F",
    "0b11",
    "1_000",
    "190:20:30",
    "12:30.5",
    "x" * 300,
    "x/" * 150,
    "x" * 100_000,
    "../../../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "~/.ssh/id_rsa",
    "file:///etc/passwd",
    "[" * 300 + "]" * 300,
    "{a: " * 300 + "1" + "}" * 300,
    "[" * 5000,
    "[" * 35 + "]" * 35,
    "*a",
    "&a [*a]",
    "&a {<<: *a}",
    "{<<: 3}",
    "{<<: [1, 2]}",
    "null",
    "~",
    "true",
    "no",
    '""',
    "''",
    "[]",
    "{}",
    "{1: 2}",
    "{[1]: 2}",
    "{null: 2}",
    "{'\\': 1}",
    "[1, 1, 1]",
    "[" + "1," * 30_000 + "]",
    "[" + ",".join(map(str, range(1, 3001))) + "]",
    "{" + ",".join(f"k{n}: 1" for n in range(3000)) + "}",
    "|\n  text\n",
    ">-",
    "? x",
    "'<script>alert(1)</script>'",
    "'a | b | c'",
    "'[x](javascript:alert(1))'",
    "\t",
    "%TAG ! x",
    "--- 1",
    "... 2",
    "\u2028",
    "'#{7*7}'",
    '"\\U00110000"',
    '"\\UFFFFFFFF"',
    "%YAML 1." + "9" * 5000,
    "!!float '1" + ":99" * 130 + "'",
    "!!float '1" + ":9" * 199 + "'",
    "!!int '1" + ":1" * 300_000 + "'",
    "[" + "a," * 500_000 + "]",
    "\u061c",
    "\U000e0041",
    "'$(touch executed)'",
    "'`touch executed`'",
    "'%s%n'",
    "'{0.__class__}'",
    "64k",
    "1e1000000",
    "1e99999999999999999999",
    "cuda:" + "9" * 5000,
    "1e6",
    "-1k",
    "1.5k",
    "99999g",
    "&x [&y [1,1,1,1,1,1,1,1],*y,*y,*y,*y,*y,*y,*y]",
)


def deep(levels: int) -> Any:
    """Lists in lists."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


JSON: tuple[Any, ...] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    -1,
    0,
    1,
    2**31,
    2**53,
    2**63,
    2**64,
    10**29,
    -(10**29),
    1e308,
    1e-320,
    -0.0,
    0.5,
    True,
    False,
    None,
    "",
    "x",
    "nan",
    "inf",
    "\x1b[31mred",
    "\x00",
    "\x9b2J",
    "\u202ex",
    "\ud800x",
    "\u061cx",
    "\x1b]0;x\x07",
    "x" * 300,
    "x" * 100_000,
    "../../../../tmp/x",
    "/etc/passwd",
    "<script>alert(1)</script>",
    "a|b",
    "[x](javascript:1)",
    [],
    {},
    [[]],
    [1],
    [None],
    ["x"],
    [float("nan")],
    {"a": 1},
    {"": {}},
    {"\x1b": 1},
    deep(60),
    deep(300),
    [0.0] * 3,
    [1e-9] * 1000,
    list(range(1, 3001)),
    [-1e-6],
    {"__class__": "x"},
    "2026-01-01T00:00:00",
    "2026",
    "complete",
    "Linux",
    10**400,
)


WORDS = (  # that records have for kinds of things
    "table", "search", "self-check", "self-check-blocked", "regret", "allocator", "pilot", "measured", "failed", "skipped",
    "interrupted", "running", "unresolved", "crossing", "several", "above", "below", "too slow", "memory", "deadline",
    "baseline", "challenger", "student", "teacher", "nobody", "smooth", "step", "itself", "approximation",
)  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every part of plain data."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from paths(value[key], (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from paths(each, (*path, index))


def changed(random: Random, data: Any, times: int) -> Any:
    """Plain data with some parts replaced, removed, doubled or renamed."""
    data = copy.deepcopy(data)
    for _ in range(times):
        places = list(paths(data))
        *above, last = random.choice(places[1:] or [(0,)])
        holder = data
        try:
            for step in above:
                holder = holder[step]
            way = random.random()
            if way < 0.65:
                holder[last] = copy.deepcopy(random.choice(JSON))
            elif way < 0.8:
                del holder[last]
            elif way < 0.9:
                donor = data
                for step in random.choice(places):
                    donor = donor[step]
                holder[last] = copy.deepcopy(donor)
            elif isinstance(holder, list):
                holder.insert(last, copy.deepcopy(holder[last]))
            else:
                holder[str(random.choice(JSON))[:400]] = holder.pop(last)
        except (KeyError, IndexError, TypeError, AttributeError):
            continue
    return data


def everywhere(random: Random, data: Any) -> Any:
    """Plain data in which one key has one value wherever it stands: all of a file agree about what is not so."""
    known: dict[str, list[Any]] = {}
    for path in paths(data):
        if path and isinstance(path[-1], str):
            known.setdefault(path[-1], []).append(path)
    if not known:
        return data
    key = random.choice(sorted(known))
    value = random.choice((*JSON, *WORDS, *(_at(data, random.choice(known[key])) for _ in range(len(JSON)))))
    return _set(data, key, value)


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


def _set(data: Any, key: str, value: Any) -> Any:
    if isinstance(data, dict):
        return {name: copy.deepcopy(value) if name == key else _set(each, key, value) for name, each in data.items()}
    return [_set(each, key, value) for each in data] if isinstance(data, list) else data


def damaged(random: Random, content: bytes) -> bytes:
    """Bytes with some flipped, cut out, doubled, or cut off."""
    if not content:
        return random.randbytes(random.choice((0, 1, 100)))
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 30))):
        if not data:
            break
        place, way = random.randrange(len(data)), random.random()
        length = random.choice((1, 4, 16, 200))
        if way < 0.4:
            data[place] ^= 1 << random.randrange(8)
        elif way < 0.55:
            data[place : place + length] = random.randbytes(length)
        elif way < 0.7:
            del data[place : place + length]
        elif way < 0.8:
            data[place:place] = data[max(0, place - length) : place]
        elif way < 0.9:
            del data[place:]
        else:
            data[place : place + 1] = random.choice((b"\x00", b"\xff", b"\x1b", b"\n", b"9" * 40, b"\xed\xa0\x80"))
    return bytes(data)
