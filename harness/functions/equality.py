"""Whether two values are the same, whether a call has changed its input, and how an input is copied."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import math
import numbers
import pickle
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_ATOMS = (type(None), bool, int, float, complex, str, bytes)
_FLAT = (list, deque, set)
_COUNTS = "biu"  # kinds of arrays that are compared exactly: an index that is off by one is another index
_NUMBERS = "biufc"
_UNCALLED = (FunctionType, MethodType, functools.partial)
_THERE = (
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "PIL",
    "torch",
)  # whose values are computed when they are returned
_COPIES = 4  # converting an output takes a few times as long as copying it
_CACHED = 5.0  # times as long as the second conversion: the first one computed what was converted
_SHOWN = 60  # characters of a value in a message


def same(one: Any, other: Any) -> bool:
    """The default `equal`: arrays and numbers within rounding (`numpy.allclose`, NaN equal), everything else by `==`."""
    if one is other:
        return True
    if hasattr(one, "toarray") or hasattr(other, "toarray"):  # a sparse matrix of SciPy
        return same(*(each.toarray() if hasattr(each, "toarray") else each for each in (one, other)))
    if _is_array(one) or _is_array(other):
        return _same_labels(one, other) and _same_arrays(np.asarray(one), np.asarray(other))
    if isinstance(one, numbers.Number) and isinstance(other, numbers.Number):
        return _same_numbers(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple | deque) and isinstance(other, list | tuple | deque):
        return len(one) == len(other) and _same_items(one, other)
    if isinstance(one, AbstractSet) and isinstance(other, AbstractSet):
        return one == other
    found = one == other
    return bool(found) if isinstance(found, bool | np.bool_) else bool(np.all(np.asarray(found)))


def preview(value: Any) -> str:
    """A value in a message: its shape, or the beginning of what it prints as."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}: {np.array2string(value.ravel()[:4], precision=6)}…"
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def snapshot(value: Any) -> str | None:
    """A digest that differs where a value was changed; None where that is unknown."""
    try:
        return hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
    except Exception:  # noqa: BLE001 - a class of the user's may raise anything
        return None


def unchanged(before: Any, after: Any) -> bool:
    """Equal by value, where that can be asked: what is only computed when it is first needed is no change."""
    try:
        return type(before) is type(after) and _identical(before, after)
    except Exception:  # noqa: BLE001 - a class of the user's may raise anything
        return False


def _identical(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(unchanged, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(unchanged(one[key], other[key]) for key in one)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, str | int | float | bytes | set | frozenset | type(None)):
        return bool(one == other)
    return False


def weight(value: Any) -> int:
    """About how many bytes a value holds."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, list | tuple | deque | set | frozenset | dict):
        held = list(value.values()) if isinstance(value, dict) else value
        some = [each for each, _ in zip(held, range(64), strict=False)]
        return int(len(held) * (8 + (sum(map(weight, some)) / len(some) if some else 0)))
    return sys.getsizeof(value, 0)


def copier(value: Any) -> Callable[[], Any]:
    """What makes an equal value that shares nothing changeable with it; flat containers and arrays are copied fast."""
    if isinstance(value, _ATOMS):
        return lambda: value
    if type(value) is np.ndarray and value.dtype != object:
        return value.copy
    if type(value) in _FLAT and all(isinstance(each, _ATOMS) for each in value):
        return value.copy  # type: ignore[no-any-return]
    if type(value) is dict and all(isinstance(each, _ATOMS) for each in value.values()):
        return value.copy
    if type(value) is tuple:
        parts = [copier(each) for each in value]
        return lambda: tuple(part() for part in parts)
    return lambda: copy.deepcopy(value)


def unconsumed(output: Any) -> str:
    """What an output is that has done none of its work yet; empty where it is a result."""
    if inspect.isgenerator(output):
        return "a generator"
    if inspect.iscoroutine(output):
        return "a coroutine"
    if inspect.isawaitable(output) or inspect.isasyncgen(output):
        return f"an awaitable ({type(output).__name__})"
    if isinstance(output, Future) or all(callable(getattr(output, each, None)) for each in ("result", "done")):
        return "a future"
    if callable(getattr(output, "get", None)) and callable(getattr(output, "successful", None)):
        return f"a future ({type(output).__name__})"  # of multiprocessing's pools
    if isinstance(output, _UNCALLED):
        return "a function that has not been called"
    if isinstance(output, Iterator):
        return f"an iterator ({type(output).__name__})"
    if hasattr(output, "__dask_graph__") or type(output).__name__ == "LazyFrame":
        return f"a plan of work ({type(output).__name__})"
    return ""


def _same_items(one: Any, other: Any) -> bool:
    """Of two sequences of one length."""
    try:
        if one == other:
            return True
    except ValueError:  # arrays among them, which have no truth
        pass
    if {*map(type, one), *map(type, other)} == {float}:
        return _same_arrays(np.array(one), np.array(other))
    return all(map(same, one, other))


def _is_array(value: Any) -> bool:
    """An array of NumPy or of another library: of PyTorch, a series or a table of pandas or polars."""
    return isinstance(value, np.ndarray) or (hasattr(value, "__array__") and not isinstance(value, np.generic | type))


def _same_labels(one: Any, other: Any) -> bool:
    """Whether two tables or series have the same columns and index; everything else has none."""
    for name in ("columns", "index"):
        first: Any = getattr(one, name, None)
        second: Any = getattr(other, name, None)
        if type(first) is not type(second):
            continue
        if isinstance(first, list) and first != second:
            return False
        if hasattr(first, "equals") and not first.equals(second):
            return False
    return True


def _same_numbers(one: Any, other: Any) -> bool:
    """Counts exactly, however large; everything else within rounding."""
    if isinstance(one, numbers.Integral) and isinstance(other, numbers.Integral):
        return int(one) == int(other)
    try:
        return one == other or bool(np.isclose(complex(one), complex(other), equal_nan=True))
    except (TypeError, OverflowError):
        return bool(one == other)


def finisher(output: Any) -> Callable[[], Any] | None:
    """What waits for an output that may not have been computed, or converts it; None where it is a plain value."""
    kind = type(output)
    if kind is np.ndarray or isinstance(output, (*_ATOMS, *_FLAT, tuple, dict, np.generic)):
        return None
    if callable(wait := getattr(output, "block_until_ready", None)):  # JAX
        return cast("Callable[[], Any]", wait)
    if kind.__module__.partition(".")[0] == "torch" and getattr(output, "is_cuda", False):
        return cast("Callable[[], Any]", sys.modules["torch"].cuda.synchronize)
    return (lambda: np.asarray(output)) if hasattr(kind, "__array__") else None


def unfinished_seconds(output: Any, clock: Callable[[], float]) -> float:
    """Seconds for which an output has to be waited for, beyond what copying it takes; 0 where it was there."""
    finish = finisher(output)
    if finish is None:
        return 0.0
    try:
        began = clock()
        value = finish()
        first = clock() - began
        again = finish()
        second = clock() - began - first
    except Exception:  # noqa: BLE001 - what cannot be converted is not looked into
        return 0.0
    size = int(getattr(value, "nbytes", 0) or 0)
    del again
    began = clock()
    np.ones(max(1, size), dtype=np.uint8).copy()
    copying = _COPIES * (clock() - began)
    there = type(output).__module__.partition(".")[0] in _THERE and first < _CACHED * second
    return 0.0 if there else max(0.0, first - copying)


def type_name(output: Any) -> str:
    """The type of an output, with the library that it is of."""
    kind = type(output)
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _same_arrays(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind in _COUNTS and other.dtype.kind in _COUNTS:
        return bool(np.array_equal(one, other))
    if one.dtype.kind in _NUMBERS and other.dtype.kind in _NUMBERS:
        scale = max((float(np.abs(each[np.isfinite(each)]).max(initial=0.0)) for each in (one, other)), default=0.0)
        rounding = 1e-8 if not math.isfinite(scale) else max(1e-12, 1e-6 * scale) if one.dtype.kind in "fc" else 1e-8
        return bool(np.allclose(one, other, rtol=1e-5, atol=rounding, equal_nan=True))
    if "O" in (one.dtype.kind, other.dtype.kind):
        return all(map(same, one.ravel().tolist(), other.ravel().tolist()))
    found = one == other
    if one.dtype.kind in "mM":
        found |= np.isnat(one) & np.isnat(other)
    return bool(np.all(found))
