"""Which runs are of one machine, and in what the machines differ: processor, caches, threads, libraries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.summary import Summary

_OWN = ("processor", "architecture", "logical_cores", "physical_cores", "usable_cores", "caches", "gpus")
_SAME_MEMORY = 1.05  # how much a kernel keeps to itself changes from one start to the next
_FACTS = {
    "processor": "processor", "architecture": "architecture", "physical_cores": "cores", "logical_cores": "logical cores",
    "usable_cores": "usable cores", "memory_bytes": "memory", "gpus": "GPUs", "governor": "governor", "turbo": "turbo",
    "virtual": "virtual", "container": "container limits", "system": "system", "python": "Python",
    "python_implementation": "Python implementation", "python_flags": "Python flags",
    "openblas_coretype": "OPENBLAS_CORETYPE",
}  # fmt: skip
_ABSENT = "not recorded"


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """A machine, and the run that counts for it."""

    key: str  # A, B, … in tables and charts
    summary: Summary  # of its newest run
    given: str = ""  # what it is called where it was measured; empty where that is not known
    earlier: tuple[str, ...] = ()  # folders of its other runs, which are left out

    @property
    def processor(self) -> str:
        """As its run records it."""
        return str(self.summary.run.machine.get("processor") or "unknown processor")

    @property
    def name(self) -> str:
        """`A: AMD EPYC`, with the machine's own name where it is known."""
        return f"{self.key}: {self.given}, {self.processor}" if self.given else f"{self.key}: {self.processor}"


@dataclass(frozen=True)
class Difference:
    """A fact that is not the same on all machines."""

    name: str
    values: tuple[str, ...]  # in the order of the machines


def machines(summaries: Sequence[Summary], names: Sequence[str] = ()) -> tuple[Machine, ...]:
    """One for each machine, in the order of their first runs; of several runs of a machine the newest counts."""
    known = [*names, *[""] * (len(summaries) - len(names))]
    runs = [
        (each, name or str(each.run.machine.get("node") or "")) for each, name in zip(summaries, known, strict=True)
    ]
    groups: list[list[tuple[Summary, str]]] = []
    for each, name in sorted(runs, key=lambda one: one[0].run.started):
        for group in groups:
            other = next((given for _, given in group if given), "")
            if _same(group[0][0].run.machine, each.run.machine) and (not name or not other or name == other):
                group.append((each, name))
                break
        else:
            groups.append([(each, name)])
    return tuple(
        Machine(
            key=_letters(place),
            summary=group[-1][0],
            given=next((given for _, given in reversed(group) if given), ""),
            earlier=tuple(each.folder for each, _ in group[:-1]),
        )
        for place, group in enumerate(groups)
    )


def differences(found: Sequence[Machine]) -> tuple[Difference, ...]:
    """The facts of which not all machines have the same, in a fixed order; none of one machine."""
    facts = [dict(_facts(each.summary)) for each in found]
    names = list(dict.fromkeys(name for each in facts for name in each))
    rows = (Difference(name, tuple(each.get(name, _ABSENT) for each in facts)) for name in names)
    return tuple(each for each in rows if len(set(each.values)) > 1)


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if any(one.get(name) != other.get(name) for name in _OWN):
        return False
    memory = one.get("memory_bytes") or 0, other.get("memory_bytes") or 0
    return bool(max(memory) <= _SAME_MEMORY * min(memory))


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    machine = summary.run.machine
    for name, shown in _FACTS.items():
        if machine.get(name) not in (None, [], {}):
            yield shown, _fact(name, machine[name])
    for level, held in (machine.get("caches") or {}).items():
        yield f"cache {level}", units.size(held)
    threads: dict[str, dict[str, None]] = {}
    for records in summary.visits.values():
        for record in records:
            for library, count in record.threads.items():
                threads.setdefault(library, {})[str(count)] = None
    for library in sorted(threads):
        yield f"threads of {library}", ", ".join(sorted(threads[library], key=int))
    for library, versions in summary.libraries.items():
        yield f"{library}, as loaded", "; ".join(versions)
    for library, version in summary.run.versions.items():
        yield library, version


def _fact(name: str, value: Any) -> str:
    if name == "memory_bytes":
        return f"{value / 2**30:.0f} GiB"  # a kernel keeps a little of it to itself, not always as much
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return str(value)


def _letters(place: int) -> str:
    """A to Z, AA to AZ, and on."""
    first, last = divmod(place, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + last)
