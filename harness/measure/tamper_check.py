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
    "calibration",
    "clock",
    "off_clock",
    "parity",
    "recovery",
    "tamper_check",
    "timed_function",
    "timed_projection",
    "worker",
)
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
        for place, holder, name, value, code in self._noted:
            if holder.get(name) is not value or getattr(value, "__code__", None) is not code:
                raise ContenderError(
                    f"its code has replaced {place}.{name}, which takes the time",
                    next_step="do not replace the clock or parts of the harness: nothing that this process measures counts",
                )


def _parts() -> Iterator[tuple[str, Mapping[str, Any], str, Any, Any]]:
    """(place, its namespace, name, value, code) of everything that is noted."""
    for library, names in _LIBRARY:
        for name in names:
            value = vars(library)[name]
            yield library.__name__, vars(library), name, value, getattr(value, "__code__", None)
    for module in _modules():
        for name, value in vars(module).items():
            if callable(value):
                yield module.__name__, vars(module), name, value, getattr(value, "__code__", None)
            yield from _within(f"{module.__name__}.{name}", value, module.__name__)


def _within(place: str, value: Any, module: str) -> Iterator[tuple[str, Mapping[str, Any], str, Any, Any]]:
    """The same, of what a table of functions and a class of a module hold."""
    if isinstance(value, dict) and not place.endswith("__"):
        for key, each in value.items():
            if callable(each) and isinstance(key, str):
                yield place, value, key, each, getattr(each, "__code__", None)
    if isinstance(value, type) and value.__module__ == module:
        for method, member in vars(value).items():
            if isinstance(member, FunctionType):
                yield place, vars(value), method, member, member.__code__


def _modules() -> Iterator[ModuleType]:
    """The harness's own; the worker's is `__main__` in its process."""
    for name in (*(f"harness.measure.{each}" for each in _OWN), "__main__"):
        module = sys.modules.get(name)
        if module is not None and (
            name != "__main__" or getattr(module.__spec__, "name", "") == "harness.measure.worker"
        ):
            yield module
