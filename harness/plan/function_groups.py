"""Plain functions that race: named or given, tried, and spelled out for the processes that time them."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.functions.callee import Callee, named
from harness.functions.kernel import Kernel
from harness.functions.trial import DEADLINE_SECONDS, run_trial
from harness.plan import workloads
from harness.plan.specification import Specification
from harness.plugin import workloads as workload_functions
from harness.process import allocator
from harness.suite.schema import LONGEST_NAME, Contender, HeadsList, HeadsRange, Race, Suite, Use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.plan.specification import OfferReference
    from harness.plugin.inspection import Listing
    from harness.suite.loading import Loaded
    from harness.suite.schema import Measurement, Search


@dataclasses.dataclass(frozen=True, kw_only=True)
class FunctionGroup:
    """Functions that race, by the names that answers use, and what they have in common."""

    functions: Mapping[str, Callee]
    setup: Callee | None = None
    equal: Callee | None = None
    compared: bool = True
    fresh: bool = False  # they change their input, as their workload says
    workload: OfferReference | None = None  # that they belong to
    workload_names: Mapping[str, str] = dataclasses.field(default_factory=dict)  # in the workload, by names of answers

    def kernels(self) -> tuple[Kernel, ...]:
        """As they are known before they are tried."""
        return tuple(
            Kernel(function=each, setup=self.setup, equal=self.equal, compared=self.compared, fresh=self.fresh)
            for each in self.functions.values()
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreparedFunctions:
    """Functions that were tried, for a plan."""

    specifications: Mapping[str, Specification]
    offers: Mapping[str, Mapping[str, object]]  # for run.json
    notes: tuple[str, ...] = ()
    between: bool = True  # they can be called at every n, and not only at those of a list


def suite_of(
    group: FunctionGroup,
    *,
    low: int,
    high: int,
    batch: int,
    how: Measurement,
    search: Search,
    seed: int,
    threads: Sequence[int] = (),
    name: str = "",
    size_label: str = "",
    sizes: Sequence[int] = (),
) -> Suite:
    """The suite that asks for a race of every pair of them; its table is of the listed sizes, or of both ends."""
    names = list(group.functions)
    pairs = list(itertools.combinations(names, 2))
    title = spelled(name) if name else ""
    return Suite(
        name=title or "locate",
        description=f"{', '.join(names[:-1])} against {names[-1]}",
        size_label=size_label,
        source=Use(use="none"),
        seed=seed,
        heads=HeadsList(values=tuple(sizes)) if sizes else HeadsRange(low=low, high=high, points=2),
        batch_sizes=(batch,),
        setup=group.setup.label if group.setup else "",
        equal=group.equal.label if group.equal else "",
        compare_outputs=group.compared,
        contenders={
            name: Contender(function=each.label, projector=each.label, runtime="python", threads=count)
            for (name, each), count in zip(group.functions.items(), threads or [1] * len(names), strict=True)
        },
        races=tuple(Race(name=_race(title, pair, len(pairs)), baseline=pair[0], challenger=pair[1]) for pair in pairs),
        measurement=how,
        search=search,
        fidelity=False,
    )


def of_suite(loaded: Loaded, listing: Listing) -> tuple[FunctionGroup, ...]:
    """The functions that a suite names, those with the same inputs together.

    Raises:
        UserError: where a name is not that of a function, or a file is not there.
    """
    suite, folder = loaded.suite, loaded.folder
    groups: dict[str, dict[str, Contender]] = {}
    for name, each in suite.contenders.items():
        inputs = repr([each.workload, dict(each.options), each.setup or suite.setup, each.equal or suite.equal])
        groups.setdefault(inputs, {})[name] = each
    return tuple(
        of_workload(group, listing) if next(iter(group.values())).workload else _named_functions(group, suite, folder)
        for group in groups.values()
    )


def _named_functions(group: Mapping[str, Contender], suite: Suite, folder: Path) -> FunctionGroup:
    """Functions of modules and files, with one setup."""
    first = next(iter(group.values()))
    setup, equal = first.setup or suite.setup, first.equal or suite.equal
    return FunctionGroup(
        functions={name: named(each.function, folder) for name, each in group.items()},
        setup=named(setup, folder) if setup else None,
        equal=named(equal, folder) if equal else None,
        compared=suite.compare_outputs,
    )


def of_workload(group: Mapping[str, Contender], listing: Listing) -> FunctionGroup:
    """Functions of one workload, by the names that answers use."""
    first = next(iter(group.values()))
    used, offered = workloads.reference(listing, first), listing.find("workload", first.workload)
    assert used is not None
    plugin, options = used.plugin, dict(used.options)
    digest = workload_functions.digest_of(plugin)
    about: dict[str, Any] = {"plugin": plugin, "name": used.name, "options": options, "digest": digest}

    def callee(text: str, **more: str) -> Callee:
        module = workload_functions.__name__
        return Callee(
            label=f"{used.name}:{text}",
            module=module,
            attribute="part",
            digest=digest,
            given={**about, **more},
        )

    return FunctionGroup(
        functions={name: callee(each.function, function=each.function) for name, each in group.items()},
        setup=callee(workload_functions.PREPARE, what=workload_functions.PREPARE),
        equal=callee(workload_functions.EQUAL, what=workload_functions.EQUAL) if offered and offered.compares else None,
        fresh=bool(offered and offered.fresh),
        workload=used,
        workload_names={name: each.function for name, each in group.items()},
    )


def prepared(
    groups: Sequence[FunctionGroup],
    suite: Suite,
    folder: Path,
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    sizes: Sequence[int] = (),
) -> PreparedFunctions:
    """Tries the functions of a suite, and spells them out for the processes that time them.

    Raises:
        UserError: where a function cannot be raced.
    """
    specifications: dict[str, Specification] = {}
    kernels: list[Kernel] = []
    notes: dict[str, None] = {}
    between = True
    for group in groups:
        low, high = _range_of_sizes(group, suite)
        found = run_trial(
            group.kernels(),
            low,
            high,
            min(suite.batch_sizes),
            seed=suite.seed,
            threads=max(map(suite.threads_of, group.functions)),
            deadline_seconds=deadline_seconds,
            sizes=sizes,
        )
        between &= found.between
        kernels += found.kernels
        notes |= dict.fromkeys(found.notes)
        for name, kernel in zip(group.functions, found.kernels, strict=True):
            specifications[name] = Specification(
                contender=name,
                function=kernel,
                workload=group.workload,
                workload_function=group.workload_names.get(name, ""),
                seed=suite.seed,
                threads=suite.threads_of(name),
                folder=str(folder),
                cache=str(cache_folder()),
            )
    ordered = {name: specifications[name] for name in suite.contenders if name in specifications}
    offers = _offers(kernels)
    return PreparedFunctions(specifications=ordered, offers=offers, notes=(*notes, *_cores(suite)), between=between)


def _range_of_sizes(group: FunctionGroup, suite: Suite) -> tuple[int, int]:
    """The n at which the functions of a group are called: those of their races, and of the table."""
    races = [race for race in suite.races if {race.baseline, race.challenger} & set(group.functions)]
    wanted = [race.heads or suite.heads for race in races]
    if suite.measurement.table or not wanted:
        wanted.append(suite.heads)
    own = [heads for name in group.functions if (heads := suite.contenders[name].heads) is not None]
    low = max([min(each.low for each in wanted), *(each.low for each in own)])
    high = min([max(each.high for each in wanted), *(each.high for each in own)])
    return low, max(low, high)


def _cores(suite: Suite) -> list[str]:
    """On how many cores functions ran, where that was more than one."""
    threads = {name: suite.threads_of(name) for name in suite.contenders}
    if max(threads.values()) == 1:
        return []
    cores = "; ".join(f"{name} on {count}" for name, count in threads.items())
    return [f"cores used: {cores}"]


def _offers(kernels: Sequence[Kernel]) -> dict[str, dict[str, object]]:
    """For run.json: where each function came from, how it was called, and the state of the allocator."""
    found: dict[str, dict[str, object]] = {
        f"function {each.function.label}": {
            "origin": _origin(each.function),
            "sha256": each.function.digest,
            "takes": each.takes,
            **({"copied": True} if each.fresh else {}),
            **({"redrawn": True} if each.redrawn else {}),
        }
        for each in kernels
    }
    found["allocator"] = dict(allocator.state(functions=True))
    return found


def _origin(function: Callee) -> str:
    """Where a function was found."""
    if function.given:
        return str(function.given["plugin"])
    return function.file or function.module or "its code, pickled"


def distinct(callees: Sequence[Callee], labels: Sequence[str] = ()) -> dict[str, Callee]:
    """Names for functions: the user's labels, or their own, with their modules where they are alike.

    What travels with its code is named by them in messages, too: several lambdas have one name.
    """
    wanted = list(labels) or [each.name for each in callees]
    if len(set(wanted)) < len(wanted):
        wanted = [
            each.label.replace(":", ".") if wanted.count(own) > 1 and not each.pickled else own
            for own, each in zip(wanted, callees, strict=True)
        ]
    found: dict[str, Callee] = {}
    for number, (own, each) in enumerate(zip(wanted, callees, strict=True), 1):
        name = spelled(own)
        alone = name not in found and wanted.count(own) == 1
        name = name if alone else spelled(f"{name}-{number}")
        own_label = own if labels else name
        found[name] = dataclasses.replace(each, label=own_label) if each.pickled else each
    return found


def spelled(text: str) -> str:
    """A text as a name that a suite may have."""
    found = re.sub(r"[^\w.+-]+", "-", text).strip("-.+") or "unnamed"
    if len(found) <= LONGEST_NAME:
        return found
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{found[: LONGEST_NAME - 9]}-{digest}"


def _race(title: str, pair: tuple[str, str], races: int) -> str:
    """The name of a race: the user's, with its contenders where there are several."""
    if title and races == 1:
        return title
    contenders = f"{pair[1]}-over-{pair[0]}"
    return spelled(f"{title}-{contenders}" if title else contenders)
