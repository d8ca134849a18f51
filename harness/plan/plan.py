"""From a checked suite to a plan: every contender spelled out for the processes that build and time it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plan.specification import Kind, OfferReference, Specification
from harness.plan.sweep import Sweep, sweep
from harness.plugin import inspection_cache
from harness.plugin.trackers import Trackers
from harness.suite.loading import narrowed
from harness.suite.schema import Contender, HeadsRange, Measurement, Race, Search, Suite, Use

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.plan.check import Checked
    from harness.plugin.inspection import Listing
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
    quick: bool = False
    width: int | None = None  # D that the user expects; another is an error
    until: float | None = None  # by `time.monotonic()`: nothing is measured after it

    @property
    def batch_sizes(self) -> dict[str, list[int]]:
        """At which each contender is measured."""
        wanted: dict[str, set[int]] = {name: {1} for name in self.specifications}
        for cell in self.sweep.cells:
            wanted[cell.contender].add(cell.batch_size)
        for leg in self.sweep.legs:
            for name in (leg.baseline, leg.challenger):
                wanted[name].add(leg.batch_size)
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
    specifications = {
        name: _specification(name, contender, suite, loaded, listing)
        for name, contender in suite.contenders.items()
        if name not in checked.broken
    }
    used = {(each.kind, each.name) for one in specifications.values() for each in _references(one)}
    offers = {
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
        quick=quick,
    )


def plan_functions(
    baseline: str,
    challenger: str,
    *,
    low: int,
    high: int,
    batch_sizes: Sequence[int],
    steps: Sequence[int],
    how: Measurement,
    search: Search,
    seed: int,
    until: float | None = None,
) -> Plan:
    """The plan of a race between two plain functions, named `module:function`, of (heads, batch size)."""
    names = _distinct(baseline, challenger)
    outside = sorted({n for n in steps if not low <= n < high})
    suite = Suite(
        name="locate",
        description=f"{baseline} against {challenger}",
        source=Use(use="none"),
        seed=seed,
        heads=HeadsRange(low=low, high=high, points=2),
        batch_sizes=tuple(batch_sizes),
        contenders={name: Contender(projector=path, runtime="python") for name, path in names.items()},
        races=(Race(name="locate", baseline=next(iter(names)), challenger=list(names)[1]),),
        measurement=how,
        search=search,
        fidelity=False,
    )
    specifications = {
        name: Specification(contender=name, function=path, seed=seed, cache=str(inspection_cache.folder()))
        for name, path in names.items()
    }
    return Plan(
        suite=suite,
        suite_path=Path("locate.yaml"),
        suite_digest=hashlib.sha256(suite.model_dump_json(by_alias=True).encode()).hexdigest()[:16],
        sweep=sweep(suite, {list(names)[1]: tuple(steps)} if steps else {}, None),
        warnings=[f"steps after n = {_listed(outside)} lie outside n = {low:,} to {high:,} and were ignored"]
        if outside
        else (),
        specifications=specifications,
        plugins_of_sources={},
        versions={},
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
        teacher=reference("projector", contender.teacher, {}),
        trainer=reference("trainer", trainer.use, trainer.options) if trainer else None,
        seed=suite.seed,
        training_seed=suite.training_seeds[0],
        threads=suite.threads,
        device=suite.device,
        tolerance=contender.tolerance or (runtime.tolerance if runtime else None) or 1e-4,
        folder=str(loaded.folder),
        cache=str(inspection_cache.folder() / "sources"),
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


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(f"{n:,}" for n in numbers)


def _distinct(baseline: str, challenger: str) -> dict[str, str]:
    """Short names for two functions: the function's own, with its module where they are the same."""
    short = [path.partition(":")[2] or path for path in (baseline, challenger)]
    if short[0] == short[1]:
        short = [path.replace(":", ".") for path in (baseline, challenger)]
    if short[0] == short[1]:
        short = [f"{short[0]}-1", f"{short[1]}-2"]
    return dict(zip(short, (baseline, challenger), strict=True))
