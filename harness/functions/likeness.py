"""Whether two values are the same, whether a call has changed its input, and how an input is copied."""

from __future__ import annotations

import copy
import hashlib
import inspect
import math
import numbers
import pickle
from collections import deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

_ATOMS = (type(None), bool, int, float, complex, str, bytes)
_FLAT = (list, deque, set)
_SHOWN = 60  # characters of a value in a message


def same(one: Any, other: Any) -> bool:
    """The default `equal`: arrays and numbers within rounding (`numpy.allclose`, NaN equal), everything else by `==`."""
    if one is other:
        return True
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _same_arrays(np.asarray(one), np.asarray(other))
    if isinstance(one, numbers.Number) and isinstance(other, numbers.Number):
        return bool(np.isclose(np.asarray(one), np.asarray(other), equal_nan=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple | deque) and isinstance(other, list | tuple | deque):
        if len(one) != len(other):
            return False
        return one == other or all(map(same, one, other))
    if isinstance(one, AbstractSet) and isinstance(other, AbstractSet):
        return one == other
    if hasattr(one, "equals") and type(one) is type(other):  # pandas, polars
        return bool(one.equals(other))
    found = one == other
    return bool(found) if isinstance(found, bool | np.bool_) else bool(np.all(np.asarray(found)))


def shown(value: Any) -> str:
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


def weight(value: Any) -> int:
    """About how many bytes a value holds."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, list | tuple | deque | set | frozenset | dict):
        held = list(value.values()) if isinstance(value, dict) else value
        some = [each for each, _ in zip(held, range(64), strict=False)]
        return int(len(held) * (8 + (sum(map(weight, some)) / len(some) if some else 0)))
    return int(value.__sizeof__())


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
    if isinstance(output, Future) and not output.done():
        return "a future that has not ended"
    if isinstance(output, Iterator):
        return f"an iterator ({type(output).__name__})"
    if hasattr(output, "__dask_graph__") or type(output).__name__ == "LazyFrame":
        return f"a plan of work ({type(output).__name__})"
    return ""


def _same_arrays(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind in "biufc" and other.dtype.kind in "biufc":
        scale = max((float(np.abs(each[np.isfinite(each)]).max(initial=0.0)) for each in (one, other)), default=0.0)
        rounding = 1e-8 if not math.isfinite(scale) else max(1e-12, 1e-6 * scale) if one.dtype.kind in "fc" else 1e-8
        return bool(np.allclose(one, other, rtol=1e-5, atol=rounding, equal_nan=True))
    return bool(np.all(one == other))
