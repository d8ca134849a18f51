"""What a module's `forward` does, operation by operation: two inputs that it treats alike give the same list."""

from __future__ import annotations

import hashlib
import itertools
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.plugin.interfaces import Float32

_HERE = str(Path(__file__))


def operations(module: Any, queries: Float32) -> tuple[str, ...]:
    """The operations of one call with queries [B, D], each with the line outside of torch that asked for it."""
    import torch
    from torch.overrides import TorchFunctionMode

    library, found = str(Path(torch.__file__).parent), list[str]()

    class Noting(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            frames = ((frame.f_code.co_filename, line) for frame, line in traceback.walk_stack(None))
            above = itertools.dropwhile(lambda each: each[0] == _HERE, frames)
            inside = itertools.takewhile(lambda each: each[0] != _HERE, above)
            place = next((f" ({path}:{line})" for path, line in inside if not path.startswith(library)), "")
            found.append(f"{getattr(func, '__name__', func)}{place}")
            return func(*args, **(kwargs or {}))

    try:
        with torch.no_grad(), warnings.catch_warnings(), Noting():
            warnings.simplefilter("ignore")
            module(torch.from_numpy(np.array(queries)))
    except Exception as error:  # noqa: BLE001 - a stranger's module; what it raises is told where it is needed
        found.append(f"raises {type(error).__name__}")
    return tuple(found)


def by_batch_size(module: Any, example: Float32, sizes: Iterable[int]) -> Mapping[int, str]:
    """A digest of the operations for so many rows of the example [B, D], for each of the sizes."""
    wanted = {size: np.resize(example, (size, example.shape[1])) for size in sorted(set(sizes))}
    return {size: _digest(operations(module, rows)) for size, rows in wanted.items()}


def first_difference(one: tuple[str, ...], other: tuple[str, ...]) -> str:
    """Where two lists part, as the operation of the other, or of the one where that has ended; empty if they do not."""
    if one == other:
        return ""
    place = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), -1)
    if place < 0:
        place = min(len(one), len(other))
    return next(each[place] for each in (other, one) if len(each) > place)


def _digest(found: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16]
