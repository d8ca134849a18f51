"""Whether a run may be continued: what differs between what it was begun with and what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.plan.sweep import Cell
from harness.records import machine
from harness.run import differences as of_suites
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from harness.plan.plan import Plan
    from harness.records.measurement import Measurement, RunInfo
    from harness.records.reader import Evidence
    from harness.run.bench import Bench

_SHOWN = 12  # digits of a digest


def differences(plan: Plan, then: RunInfo, now: RunInfo) -> list[str]:
    """What differs between a run and its plan before anything is loaded: suite, machine, versions and plugins."""
    found = of_suites.differences(then.suite, plan.suite)
    if then.quick != plan.quick:
        found.append(f"the run was {'quick' if then.quick else 'full'}, is {'quick' if plan.quick else 'full'}")
    found += machine.differences(then.machine, now.machine)
    for name in sorted({*then.versions, *now.versions}):
        was, is_ = then.versions.get(name, "absent"), now.versions.get(name, "absent")
        if was != is_:
            found.append(f"{name} was {was}, is {is_}")
    return [*found, *_offers(then.offers, now.offers)]


def other_data(known: Evidence, now: Bench) -> list[str]:
    """What differs once the sources are loaded: their data, and the keys of what was measured.

    Args:
        known: what the run has left.
        now: knows what the sources give now, and what a cell is now.
    """
    changed = [*_changed("the source's data", known.run.source, now.provisions.source)]
    for name in known.run.sources.keys() & now.provisions.sources.keys():
        changed += _changed(f"the data of {name}", known.run.sources[name], now.provisions.sources[name])
    if changed:
        return sorted(changed)
    others = list(_of_other_experiments(known.measurements, now.key))
    if not others:
        return []
    first = others[0]
    place = f"{first.contender} at N = {first.heads:,}, batch {first.batch_size}"
    return [f"{len(others):,} of {counted(len(known.measurements), 'record')} do not match this suite (first: {place})"]


def _changed(whose: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Data by their digests: at the smallest N, and of all heads where that is known."""
    for name in ("digest", "all_digest"):
        was, is_ = then.get(name), now.get(name)
        if was is not None and was != is_:
            yield f"{whose} were {_short(was)}, are {_short(is_)}"
            return


def _of_other_experiments(records: tuple[Measurement, ...], key: Callable[[Cell], str]) -> Iterator[Measurement]:
    """Records whose key is not that of their cell; those of contenders that are left out now have none."""
    for each in records:
        try:
            now = key(Cell(contender=each.contender, heads=each.heads, batch_size=each.batch_size))
        except KeyError:
            continue
        if each.key != now:
            yield each


def _offers(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Plugins that offer the same by another version or another file."""
    for name in sorted({*then, *now}):
        was, is_ = then.get(name), now.get(name)
        if was == is_:
            continue
        if was is None or is_ is None:
            yield f"{name} was {'absent' if was is None else 'there'}, is {'absent' if is_ is None else 'there'}"
            continue
        for part in sorted({*was, *is_}):
            one, other = was.get(part), is_.get(part)
            if one != other:
                word = "the file of " if part == "sha256" else f"{part} of "
                yield f"{word}{name} was {_short(one)}, is {_short(other)}"


def _short(value: Any) -> str:
    """A digest by its first digits; other texts as they are."""
    text = "absent" if value in (None, "") else str(value)
    return text[:_SHOWN] if len(text) >= 5 * _SHOWN and text.isalnum() else text
