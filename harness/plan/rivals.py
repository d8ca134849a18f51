"""Plain functions that race: named or given, tried, and spelled out for the processes that time them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from typing import TYPE_CHECKING

from harness.cache import folder as cache_folder
from harness.functions import allocator
from harness.functions.callee import Callee, named
from harness.functions.kernel import Kernel
from harness.functions.trial import DEADLINE_SECONDS, tried
from harness.plan.specification import Specification
from harness.suite.schema import LONGEST_NAME, Contender, HeadsRange, Race, Suite, Use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.suite.loading import Loaded
    from harness.suite.schema import Measurement, Search


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rivals:
    """Functions that race, by the names that answers use, and what they have in common."""

    functions: Mapping[str, Callee]
    setup: Callee | None = None
    equal: Callee | None = None
    compared: bool = True

    def kernels(self) -> tuple[Kernel, ...]:
        """As they are known before they are tried."""
        return tuple(
            Kernel(function=each, setup=self.setup, equal=self.equal, compared=self.compared)
            for each in self.functions.values()
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """Functions that were tried, for a plan."""

    specifications: Mapping[str, Specification]
    offers: Mapping[str, Mapping[str, object]]  # for run.json
    notes: tuple[str, ...] = ()


def suite_of(
    rivals: Rivals,
    *,
    low: int,
    high: int,
    batch: int,
    how: Measurement,
    search: Search,
    seed: int,
    name: str = "",
    size_label: str = "",
) -> Suite:
    """The suite that asks for a race of every pair of them."""
    names = list(rivals.functions)
    pairs = list(itertools.combinations(names, 2))
    title = spelled(name) if name else ""
    return Suite(
        name=title or "locate",
        description=f"{', '.join(names[:-1])} against {names[-1]}",
        size_label=size_label,
        source=Use(use="none"),
        seed=seed,
        heads=HeadsRange(low=low, high=high, points=2),
        batch_sizes=(batch,),
        setup=rivals.setup.label if rivals.setup else "",
        equal=rivals.equal.label if rivals.equal else "",
        compare_outputs=rivals.compared,
        contenders={
            name: Contender(function=each.label, projector=each.label, runtime="python")
            for name, each in rivals.functions.items()
        },
        races=tuple(Race(name=_race(title, pair, len(pairs)), baseline=pair[0], challenger=pair[1]) for pair in pairs),
        measurement=how,
        search=search,
        fidelity=False,
    )


def of_suite(loaded: Loaded) -> Rivals:
    """The functions that a suite names.

    Raises:
        UserError: where a name is not that of a function, or a file is not there.
    """
    suite, folder = loaded.suite, loaded.folder
    return Rivals(
        functions={name: named(each.function, folder) for name, each in suite.contenders.items()},
        setup=named(suite.setup, folder) if suite.setup else None,
        equal=named(suite.equal, folder) if suite.equal else None,
        compared=suite.compare_outputs,
    )


def prepared(rivals: Rivals, suite: Suite, folder: Path, *, deadline_seconds: float = DEADLINE_SECONDS) -> Prepared:
    """Tries the functions of a suite, and spells them out for the processes that time them.

    Raises:
        UserError: where a function cannot be raced.
    """
    heads, batch = suite.heads, min(suite.batch_sizes)
    found = tried(
        rivals.kernels(),
        heads.low,
        heads.high,
        batch,
        seed=suite.seed,
        threads=suite.threads,
        deadline_seconds=deadline_seconds,
    )
    specifications = {
        name: Specification(
            contender=name,
            function=kernel,
            seed=suite.seed,
            threads=suite.threads,
            folder=str(folder),
            cache=str(cache_folder()),
        )
        for name, kernel in zip(rivals.functions, found.kernels, strict=True)
    }
    return Prepared(specifications=specifications, offers=_offers(found.kernels), notes=found.notes)


def _offers(kernels: Sequence[Kernel]) -> dict[str, dict[str, object]]:
    """For run.json: where each function came from, how it was called, and the state of the allocator."""
    found: dict[str, dict[str, object]] = {
        f"function {each.function.label}": {
            "origin": each.function.file or each.function.module or "its code, pickled",
            "sha256": each.function.digest,
            "takes": each.takes,
            **({"copied": True} if each.fresh else {}),
            **({"redrawn": True} if each.redrawn else {}),
        }
        for each in kernels
    }
    found["allocator"] = {name.strip("_").lower(): int(value) for name, value in allocator.VARIABLES.items()}
    return found


def distinct(callees: Sequence[Callee], labels: Sequence[str] = ()) -> dict[str, Callee]:
    """Names for functions: the user's labels, or their own, with their modules where they are alike."""
    wanted = list(labels) or [each.name for each in callees]
    if len(set(wanted)) < len(wanted):
        wanted = [
            each.label.replace(":", ".") if wanted.count(own) > 1 else own
            for own, each in zip(wanted, callees, strict=True)
        ]
    found: dict[str, Callee] = {}
    for number, (own, each) in enumerate(zip(wanted, callees, strict=True), 1):
        name = spelled(own)
        found[name if name not in found and wanted.count(own) == 1 else spelled(f"{name}-{number}")] = each
    return found


def spelled(text: str) -> str:
    """A text as a name that a suite may have."""
    found = re.sub(r"[^\w.+-]+", "-", text).strip("-.+") or "unnamed"
    if len(found) <= LONGEST_NAME:
        return found
    return f"{found[: LONGEST_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _race(title: str, pair: tuple[str, str], races: int) -> str:
    """The name of a race: the user's, with its rivals where there are several."""
    if title and races == 1:
        return title
    rivals = f"{pair[1]}-over-{pair[0]}"
    return spelled(f"{title}-{rivals}" if title else rivals)
