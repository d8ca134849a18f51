"""Whether a run may be continued: what differs between what it was begun with and what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plan.sweep import Cell
from harness.records import machine, provenance
from harness.suite import differences as of_suites
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.plan.plan import Plan
    from harness.records.measurement import Measurement, RunInfo
    from harness.records.reader import Evidence
    from harness.run.bench import Bench


def differences(plan: Plan, then: RunInfo, now: RunInfo) -> list[str]:
    """What differs between a run and its plan before anything is loaded: suite, machine, versions and plugins."""
    found = of_suites.differences(then.suite, plan.suite)
    if then.quick != plan.quick:
        found.append(f"mode: {'quick' if then.quick else 'full'} -> {'quick' if plan.quick else 'full'}")
    found += machine.differences(then.machine, now.machine)
    found += provenance.versions(then.versions, now.versions)
    return [*found, *provenance.offers(then.offers, now.offers)]


def other_data(known: Evidence, now: Bench) -> list[str]:
    """What differs once the sources are loaded: their data, and the keys of what was measured."""
    changed = [*provenance.data("the source's data", known.run.source, now.source_facts.source)]
    for name in known.run.sources.keys() & now.source_facts.sources.keys():
        changed += provenance.data(f"the data of {name}", known.run.sources[name], now.source_facts.sources[name])
    if changed:
        return sorted(changed)
    others = list(_of_other_experiments(known.measurements, now.key))
    if not others:
        return []
    first = others[0]
    place = f"{first.contender} at N = {first.heads:,}, batch {first.batch_size}"
    return [f"{len(others):,} of {counted(len(known.measurements), 'record')} do not match this suite (first: {place})"]


def _of_other_experiments(records: tuple[Measurement, ...], key: Callable[[Cell], str]) -> Iterator[Measurement]:
    """Records whose key is not that of their cell; those of contenders that are left out now have none."""
    for each in records:
        try:
            now = key(Cell(contender=each.contender, heads=each.heads, batch_size=each.batch_size))
        except KeyError:
            continue
        if each.key != now:
            yield each
