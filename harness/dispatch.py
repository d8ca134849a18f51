"""A threshold that programs use: `load("dispatch.json")` chooses a contender by n and batch size."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from harness import plain_file, plain_json
from harness.errors import RecordsError, UserError

_LARGEST = 2**53
_LARGEST_BYTES = 16 * plain_file.MIB
Choose: TypeAlias = Callable[..., str]  # (n, batch=1)


def load(path: str | Path, race: str = "") -> Choose:
    """`choose(n, batch=1) -> name` by a run's dispatch.json, in well under a microsecond a call.

    Args:
        path: the file, or the folder of a run.
        race: which; may be left out where there is one.

    Raises:
        RecordsError: where there is no such file, or it is not one.
        UserError: where the race is not there, or decides nothing.
    """
    return dispatcher(read(path, race))


def read(path: str | Path, race: str = "") -> Mapping[str, Any]:
    """One race's part of dispatch.json.

    Raises:
        RecordsError, UserError: as `load`.
    """
    file = Path(path) / "dispatch.json" if Path(path).is_dir() else Path(path)
    try:
        found = plain_json.parsed(plain_file.text(file, _LARGEST_BYTES))
        races = {each["race"]: _table(each) for each in found["races"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordsError(f"not a dispatch table: {error}", where=str(file), next_step="run a race first") from error
    if race and race not in races:
        raise UserError(f"no race {race!r} in {file}", next_step=f"choose from {', '.join(races) or 'none'}")
    if not race and len(races) != 1:
        hint = f"name one of {', '.join(races)}" if races else "run a suite with races, or `harness locate`"
        raise UserError(f"{file} has {len(races)} races", next_step=hint)
    return races[race] if race else next(iter(races.values()))


def _table(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """One race of a file that somebody sent.

    Raises:
        KeyError, TypeError, ValueError: where it is invalid.
    """
    names = [found["race"], found["baseline"], found["challenger"]]
    for entry in found["entries"]:
        names += [found["baseline"] if entry["below"] is None else entry["below"]]
        names += [each["use"] for each in entry["changes"]]
        for number in (entry["batch_size"], *(each["heads"] for each in entry["changes"])):
            if type(number) not in (int, float) or not 1 <= number <= _LARGEST:
                raise ValueError("a size is not a number from 1 on")
    if not all(isinstance(each, str) for each in names):
        raise TypeError("a name is not text")
    if not isinstance(found.get("mean_regret"), int | float | None):
        raise TypeError("the regret is not a number")
    return found


def rules(table: Mapping[str, Any]) -> dict[int, tuple[list[int], list[str]]]:
    """By batch size: the n at which the choice changes, and the choices from below the first one on.

    Where nothing is known the baseline is chosen: it is what is there without a decision.

    Raises:
        UserError: where no batch size was decided.
    """
    found = {}
    for entry in table["entries"]:
        use = entry["below"]
        if use is None and not entry["changes"]:
            continue
        starts = [int(each["heads"]) for each in entry["changes"]]
        found[int(entry["batch_size"])] = (
            starts,
            [use or table["baseline"], *(each["use"] for each in entry["changes"])],
        )
    if not found:
        raise UserError(f"the race {table['race']!r} has no decision", next_step="run it again with more time")
    return found


def dispatcher(table: Mapping[str, Any]) -> Choose:
    """The choice as a function of n and batch size; between batch sizes that were raced the nearest decides."""
    known = rules(table)
    sizes = sorted(known)
    if len(sizes) == 1:
        starts, uses = known[sizes[0]]

        def only(n: int, batch: int = 1) -> str:  # noqa: ARG001 - one batch size was raced
            return uses[bisect.bisect_right(starts, n)]

        return only
    borders = [math.sqrt(a * b) for a, b in itertools.pairwise(sizes)]
    ordered: Sequence[tuple[list[int], list[str]]] = [known[size] for size in sizes]

    def choose(n: int, batch: int = 1) -> str:
        starts, uses = ordered[bisect.bisect_right(borders, batch)]
        return uses[bisect.bisect_right(starts, n)]

    return choose
