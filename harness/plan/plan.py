"""From a checked suite to a plan: every contender spelled out for the processes that build and time it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.functions.trial import DEADLINE_SECONDS
from harness.plan import function_groups
from harness.plan.specification import Kind, OfferReference, Specification
from harness.plan.sweep import Sweep, sweep
from harness.plugin.trackers import Trackers
from harness.process import allocator
from harness.suite.loading import narrowed
from harness.suite.schema import Contender, HeadsRange, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.plan.check import Checked
    from harness.plan.function_groups import FunctionGroup
    from harness.plugin.inspection import Listing
    from harness.records.measurement import Fidelity
    from harness.suite.loading import Loaded

_QUICK_LAUNCHES = 3
_QUICK_PRECISION = 0.15
_QUICK_CONFIDENCE = 0.95  # with so few launches, more of it would cost all that was saved
_QUICK_CALLS = 5
_QUICK_POINTS = 3  # of the table


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that is known before the first process is started."""

    suite: Suite
    suite_path: Path
    suite_digest: str
    sweep: Sweep
    specifications: Mapping[str, Specification]
    plugins_of_sources: Mapping[str, str]
    versions: Mapping[str, str]
    offers: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    trackers: Trackers = field(default_factory=Trackers)  # plugins that are told how the run goes
    broken: Mapping[str, str] = field(default_factory=dict)  # contenders whose plugin failed to load, and why
    absent: Mapping[str, str] = field(default_factory=dict)  # contenders whose device is not here, and why
    quick: bool = False
    width: int | None = None  # D that the user expects; another is an error
    until: float | None = None  # by `time.monotonic()`: nothing is measured after it
    scored: Mapping[tuple[str, int, int], Fidelity] = field(default_factory=dict)
    """Scores that another machine has made, by contender, N and training seed."""

    @property
    def batch_sizes(self) -> dict[str, list[int]]:
        """At which each contender is measured."""
        wanted: dict[str, set[int]] = {name: {1} for name in self.specifications}
        for cell in self.sweep.cells:
            wanted[cell.contender].add(cell.batch_size)
        for case in self.sweep.cases:
            for name in (case.baseline, case.challenger):
                wanted[name].add(case.batch_size)
        return {name: sorted(sizes) for name, sizes in wanted.items()}


def quick_variant(suite: Suite) -> Suite:
    """The same suite with fewer launches at once, less precision, fewer N and, where there are races, racers only."""
    how, heads = suite.measurement, suite.heads
    racing = {name for race in suite.races for name in (race.baseline, race.challenger)}
    if racing:
        suite, _ = narrowed(suite, [name for name in suite.contenders if name in racing])
    if isinstance(heads, HeadsRange) and heads.points > _QUICK_POINTS:
        heads = heads.model_copy(update={"points": _QUICK_POINTS})
    return suite.model_copy(
        update={
            "heads": heads,
            "measurement": how.model_copy(
                update={
                    "launches": min(how.launches, _QUICK_LAUNCHES),
                    "latency_calls": min(how.latency_calls, _QUICK_CALLS),
                    "gap_seconds": 0.0,
                    "launch_every_seconds": 0.0,
                }
            ),
            "search": suite.search.model_copy(
                update={
                    "precision": max(suite.search.precision, _QUICK_PRECISION),
                    "confidence": min(suite.search.confidence, _QUICK_CONFIDENCE),
                }
            ),
        }
    )


def plan(loaded: Loaded, checked: Checked, *, quick: bool = False) -> Plan:
    """The plan of a suite that can be run."""
    listing, suite = checked.listing, checked.suite
    if suite.functions:
        path = loaded.path or Path(f"{suite.name}.yaml")
        prepared = function_groups.prepared(function_groups.of_suite(loaded, listing), suite, loaded.folder)
        made = _of_functions(prepared, suite, checked.sweep, path, checked.notes, quick=quick)
        return replace(made, versions=dict(listing.versions), trackers=Trackers.of(listing))
    specifications = {
        name: _specification(name, contender, suite, loaded, listing)
        for name, contender in suite.contenders.items()
        if name not in checked.broken and name not in checked.absent
    }
    used = {(each.kind, each.name) for one in specifications.values() for each in _references(one)}
    offers: dict[str, dict[str, Any]] = {
        f"{each.kind} {each.name}": {
            "origin": each.origin,
            "version": each.version,
            **({"precision": each.precision} if each.precision != "float32" else {}),
            **({"family": each.family} if each.family else {}),
            **({"approximates": each.approximates} if each.approximates else {}),
            **_digest(each.file),
        }
        for each in listing.offers
        if (each.kind, each.name) in used
    }
    offers["allocator"] = dict(allocator.state(functions=False))
    return Plan(
        suite=suite,
        suite_path=loaded.path or Path(f"{suite.name}.yaml"),
        suite_digest=hashlib.sha256(suite.model_dump_json(by_alias=True).encode()).hexdigest()[:16],
        sweep=checked.sweep,
        specifications=specifications,
        plugins_of_sources={each.name: each.plugin for each in listing.offers if each.kind == "source"},
        versions=dict(listing.versions),
        offers=offers,
        warnings=checked.notes,
        trackers=Trackers.of(listing),
        broken=dict(checked.broken),
        absent=dict(checked.absent),
        quick=quick,
    )


def plan_functions(
    found: FunctionGroup,
    suite: Suite,
    *,
    steps: Sequence[int] = (),
    sizes: Sequence[int] = (),
    until: float | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Plan:
    """The plan of a race of plain functions that is no suite of a file; they are tried first.

    Args:
        found: the functions.
        suite: of `function_groups.suite_of`.
        steps: the largest n before each known jump of a cost.
        sizes: the n that the user listed, if any; where the functions work at no others, no others are searched.
        until: by `time.monotonic()`: nothing is measured after it.
        deadline_seconds: for trying them.

    Raises:
        UserError: where a function cannot be raced.
    """
    low, high = suite.heads.low, suite.heads.high
    outside = sorted({n for n in steps if not low <= n < high})
    listed = ", ".join(f"{n:,}" for n in outside)
    notes = [f"steps after n = {listed} lie outside n = {low:,} to {high:,} and were ignored"] if outside else []
    path, folder = Path(f"{suite.name}.yaml"), Path.cwd()
    prepared = function_groups.prepared([found], suite, folder, deadline_seconds=deadline_seconds, sizes=sizes)
    if not prepared.between:
        suite = suite.model_copy(update={"search": suite.search.model_copy(update={"method": "grid"})})
    spelled = sweep(suite, {suite.races[0].challenger: tuple(steps)} if steps and prepared.between else {}, None)
    return _of_functions(prepared, suite, spelled, path, notes, until=until)


def _of_functions(
    prepared: function_groups.PreparedFunctions,
    suite: Suite,
    spelled: Sweep,
    path: Path,
    notes: Sequence[str],
    *,
    quick: bool = False,
    until: float | None = None,
) -> Plan:
    """The plan of contenders that are plain functions."""
    return Plan(
        suite=suite,
        suite_path=path,
        suite_digest=hashlib.sha256(suite.model_dump_json(by_alias=True).encode()).hexdigest()[:16],
        sweep=spelled,
        specifications=prepared.specifications,
        plugins_of_sources={},
        versions={},
        offers=prepared.offers,
        warnings=[*notes, *prepared.notes],
        quick=quick,
        until=until,
    )


def _specification(name: str, contender: Contender, suite: Suite, loaded: Loaded, listing: Listing) -> Specification:
    """One contender for builder and worker."""

    def reference(kind: Kind, offer: str, options: Mapping[str, Any]) -> OfferReference:
        found = listing.find(kind, offer)
        return OfferReference(kind=kind, name=offer, plugin=found.plugin if found else "", options=dict(options))

    runtime = listing.find("runtime", contender.runtime)
    trainer = contender.trainer
    own = contender.source or suite.source
    return Specification(
        contender=name,
        source=reference("source", own.use, own.options),
        projector=reference("projector", contender.projector, contender.options),
        runtime=reference("runtime", contender.runtime, contender.runtime_options),
        teacher=reference("projector", contender.teacher, {}) if contender.teacher else None,
        trainer=reference("trainer", trainer.use, trainer.options) if trainer else None,
        seed=suite.seed,
        training_seed=suite.training_seeds[0],
        threads=suite.threads_of(name),
        training_threads=suite.threads,
        device=suite.device_of(name),
        transfers=contender.transfers or "excluded",
        mode=contender.mode or "latency",
        tolerance=contender.tolerance or (runtime.tolerance if runtime else None) or 1e-4,
        folder=str(loaded.folder),
        cache=str(cache_folder() / "sources"),
    )


def _references(specification: Specification) -> list[OfferReference]:
    offers = (
        specification.source,
        specification.projector,
        specification.runtime,
        specification.teacher,
        specification.trainer,
    )
    return [each for each in offers if each is not None]


def _digest(file: str) -> dict[str, str]:
    """The digest of a local plugin file; nothing for an installed plugin."""
    return {"file": Path(file).name, "sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest()} if file else {}
