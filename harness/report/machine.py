"""The machine and the versions of a run, as pairs of a name and a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from harness import units

if TYPE_CHECKING:
    from harness.analysis.summary import Summary


def machine(summary: Summary) -> list[tuple[str, str]]:
    """The machine and the versions as pairs of name and value."""
    facts = [
        (str(name).removesuffix("_bytes").replace("_", " "), _fact(name, value))
        for name, value in summary.run.machine.items()
        if name != "limits" and value not in ([], {}, "")
    ]
    limits = summary.run.machine.get("limits") or {}
    facts += _ceilings(limits)
    for device, found in limits.get("devices", {}).items():
        facts += [(f"{device}: {name}", groups) for name, groups in _ceilings(found)]
    facts += [(f"{name}, as loaded", "; ".join(versions)) for name, versions in summary.libraries.items()]
    return facts + [(name, str(version)) for name, version in summary.run.versions.items()]


def _ceilings(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rates that the processor or a device reached at best, and what a call on a device costs."""
    products = [
        f"{float(rate) / 1e9:.0f} GFLOP/s at batch {b}" for b, rate in found.get("flops_per_second", {}).items()
    ]
    reads = [
        f"{float(rate) / 1e9:.0f} GB/s of {units.size(float(held))}"
        for held, rate in found.get("bytes_per_second", {}).items()
    ]
    calls = [
        f"{float(found[name]) * 1e6:.1f} µs to {what}"
        for name, what in (("launch_seconds", "start a kernel"), ("synchronise_seconds", "wait for it"))
        if name in found
    ]
    groups = (("matrix products", products), ("reading memory", reads), ("a call", calls))
    return [(name, ", ".join(rates)) for name, rates in groups if rates]


def _fact(name: str, value: object) -> str:
    if name.endswith("_bytes") and isinstance(value, (int, float)):
        return units.size(value)
    if name == "caches" and isinstance(value, dict):
        return ", ".join(f"{level} {units.size(held)}" for level, held in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_fact(str(key), each)}" for key, each in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(str(each) for each in value)
    return str(value)
