"""What times a contender, noted before any plugin is imported, so that a plugin that replaces it is found."""

from __future__ import annotations

import builtins
import itertools
import statistics
import sys
import time
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import ContenderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OWN = (
    *(f"harness.measure.{name}" for name in (
        "calibration", "clock", "off_clock", "parity", "recovery", "tamper_check", "timed_function", "timed_projection", "worker",
    )),
    *(f"harness.functions.{name}" for name in ("equality", "memoisation")),
)  # fmt: skip
_LIBRARY: tuple[tuple[ModuleType, tuple[str, ...]], ...] = (
    (time, ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "time", "time_ns")),
    (itertools, ("cycle", "islice")),
    (statistics, ("median",)),
    (builtins, ("id", "iter", "len", "max", "min", "next", "range", "sum")),
)


class Seal:
    """The functions and methods that measure, as they are now."""

    def __init__(self) -> None:
        self._noted = list(_parts())

    def check(self) -> None:
        """Compares them with what they are by now; takes some tens of microseconds.

        Raises:
            ContenderError: where one is another.
        """
        for place, holder, name, value, inside in self._noted:
            if holder.get(name) is not value or [*map(id, _inside(value))] != [*map(id, inside)]:
                raise ContenderError(
                    f"its code has replaced {place}.{name}, which takes the time",
                    next_step="do not replace the clock or parts of the harness: nothing that this process measures counts",
                )


def _parts() -> Iterator[tuple[str, Mapping[str, Any], str, Any, tuple[Any, ...]]]:
    """(place, its namespace, name, value, what is inside of a function) of everything that is noted."""
    for library, names in _LIBRARY:
        for name in names:
            value = vars(library)[name]
            yield library.__name__, vars(library), name, value, _inside(value)
    for module in _modules():
        for name, value in vars(module).items():
            if not name.startswith("__"):  # modules and numbers too: a loop may be that of another module
                yield module.__name__, vars(module), name, value, _inside(value)
            yield from _within(f"{module.__name__}.{name}", value, module.__name__)


def _inside(value: Any) -> tuple[Any, ...]:
    """What may be exchanged within a function: its code, and what it takes where nothing is given."""
    if not isinstance(value, FunctionType):
        return ()
    named = value.__kwdefaults__ or {}
    return value.__code__, *(value.__defaults__ or ()), *(named[name] for name in sorted(named))


def _within(place: str, value: Any, module: str) -> Iterator[tuple[str, Mapping[str, Any], str, Any, tuple[Any, ...]]]:
    """The same, of what a table of functions and a class of a module hold."""
    if isinstance(value, dict) and not place.endswith("__"):
        for key, each in value.items():
            if callable(each) and isinstance(key, str):
                yield place, value, key, each, _inside(each)
    if isinstance(value, type) and value.__module__ == module:
        for method, member in vars(value).items():
            if isinstance(member, FunctionType):
                yield place, vars(value), method, member, _inside(member)


def _modules() -> Iterator[ModuleType]:
    """The harness's own; the worker's is `__main__` in its process."""
    for name in (*_OWN, "__main__"):
        module = sys.modules.get(name)
        if module is not None and (
            name != "__main__" or getattr(module.__spec__, "name", "") == "harness.measure.worker"
        ):
            yield module
