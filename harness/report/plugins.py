"""What plugins offer and what the cache holds, as text."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol

from harness import units
from harness.errors import OfferError
from harness.report.columns import grid, sentence
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.plugin.inspection import Listing, OfferData

_KINDS = ("source", "projector", "trainer", "runtime", "workload", "embedder", "executor")


class CacheEntry(Protocol):
    """An entry of the cache."""

    @property
    def about(self) -> dict[str, object]:
        """What was remembered of it."""

    @property
    def size_bytes(self) -> int:
        """Of all its files."""

    @property
    def used(self) -> float:
        """Seconds since the epoch."""


class CacheStore(Protocol):
    """The cache."""

    folder: Path

    def entries(self) -> Iterable[CacheEntry]:
        """The one used last first."""


def listing(found: Listing, width: int | None = None, *, verbose: bool = False) -> str:
    """Every offer with its origin, then what failed to load, with `verbose` with its traceback or what it printed."""
    rows = [
        (each.kind, each.name, _origin(each.origin), each.description, "yes" if not each.missing else each.install)
        for kind in _KINDS
        for each in sorted(found.offers, key=lambda offer: offer.name)
        if each.kind == kind
    ]
    parts = [f"tracker: {each.label}{f', when {each.when} is set' if each.when else ''}" for each in found.trackers]
    for failure in found.failures:
        parts += [f"failed: {failure}", *(f"  {line}" for line in (failure.output if verbose else ()))]
    parts += [f"warning: {warning}" for warning in found.warnings]
    table = grid(rows, ("kind", "name", "origin", "what it is", "runs here"), width)
    return "\n".join([table, *(sentence(each, width) for each in parts)])


def _origin(origin: str) -> str:
    """Without the module of a built-in, which `plugins show` names."""
    return "built-in" if origin.startswith("built-in ") else origin


def details(found: Listing, name: str, width: int | None = None) -> str:
    """All offers of one name with their options.

    Raises:
        OfferError: where there is none.
    """
    named = [each for each in found.offers if each.name == name]
    if not named:
        known = sorted({each.name for each in found.offers})
        raise OfferError(f"no plugin offers {name!r}", next_step=suggestion(name, known))
    return "\n\n".join(_details(each, width) for each in named)


def cache_contents(cache: CacheStore, width: int | None = None) -> str:
    """What the cache holds."""
    entries = list(cache.entries())
    rows = [
        (
            str(each.about.get("what", "")),
            str(each.about.get("contender", "")),
            str(each.about.get("heads", "")),
            units.size(each.size_bytes),
            f"{dt.datetime.fromtimestamp(each.used, dt.UTC):%Y-%m-%d %H:%M}",
        )
        for each in entries
    ]
    total = units.size(sum(each.size_bytes for each in entries))
    return (
        grid(rows, ("what", "contender", "N", "size", "last used, UTC"), width)
        + f"\n{units.counted(len(rows), 'entry', 'entries')}, {total}, in {cache.folder}"
    )


def _details(offer: OfferData, width: int | None) -> str:
    facts = [f"{offer.kind} {offer.name}: {offer.description}", f"from {offer.origin}"]
    if offer.forms:
        facts.append(f"forms: {', '.join(offer.forms)}")
    if offer.devices:
        facts.append(f"devices: {', '.join(offer.devices)}")
    if offer.tolerance is not None and offer.kind == "runtime":
        facts.append(f"parity tolerance: {offer.tolerance:g}")
    if offer.needs_training:
        facts.append("needs training: without a trainer its latency counts, its output means nothing")
    if offer.family and offer.family != offer.name:
        facts.append(f"computes the same formula as {offer.family}")
    if offer.approximates:
        facts.append(f"approximates {offer.approximates}: scored on held-out queries, without a parity check")
    if offer.fresh:
        facts.append("its functions change their input: every call gets a copy of its own")
    if offer.missing:
        facts.append(f"needs {', '.join(offer.missing)}: {offer.install}")
    lines = [sentence(each, width) for each in facts]
    if offer.option_rows:
        lines.append(grid(offer.option_rows, ("option", "type", "default", "description"), width))
    else:
        lines.append("no options")
    return "\n".join(lines)
