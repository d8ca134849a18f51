"""Inputs of plain functions: drawn off the clock from n and a seed, the same for all contenders of a launch."""

from __future__ import annotations

import inspect
import itertools
import random
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def drawn(setup: Callable[..., Any], heads: int, batch: int, seed: int) -> Any:
    """An input. `setup` takes n, or n and a seed, or n, batch and a seed; what it draws without it repeats, too."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator of a function that takes no seed
    match _parameters(setup):
        case 1:
            return setup(heads)
        case 2:
            return setup(heads, seed)
        case _:
            return setup(heads, batch, seed)


def seeds(seed: int, launch: int) -> Iterator[int]:
    """The seeds of a launch, the same for all functions: one for each input."""
    for turn in itertools.count():
        yield int(np.random.SeedSequence([seed, launch, turn]).generate_state(1)[0])


def _parameters(setup: Callable[..., Any]) -> int:
    """How many positional arguments a setup takes, three at the most."""
    try:
        signature = inspect.signature(setup)
    except ValueError:  # a builtin whose signature is not known
        return 1
    for arguments in ((0, 0, 0), (0, 0)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        given = [each for each in signature.parameters.values() if each.kind != each.KEYWORD_ONLY]
        needed = [each for each in given if each.default is each.empty and each.kind != each.VAR_POSITIONAL]
        names = [each.name for each in given]
        if len(needed) <= 1 and not {"seed", "batch"} & set(names):
            return 1  # what has a default, or is not named, is not ours to fill: numpy.random.rand(n)
        return len(arguments)
    return 1
