"""What plugins offer and what the cache holds, as text."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Protocol

from tabulate import tabulate

from harness import units
from harness.errors import OfferError
from harness.validation import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.plugin.inspection import Listing, OfferData

_KINDS = ("source", "projector", "trainer", "runtime", "embedder")


class Kept(Protocol):
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


class Keeper(Protocol):
    """The cache."""

    folder: Path

    def entries(self) -> Iterable[Kept]:
        """The one used last first."""


def listing(found: Listing) -> str:
    """Every offer with its origin, then what failed to load."""
    rows = [
        (each.kind, each.name, each.origin, each.description, "yes" if not each.missing else each.install)
        for kind in _KINDS
        for each in sorted(found.offers, key=lambda offer: offer.name)
        if each.kind == kind
    ]
    parts = [_table(rows, ("kind", "name", "origin", "what it is", "runs here"))]
    parts += [f"tracker: {each.label}{f', when {each.when} is set' if each.when else ''}" for each in found.trackers]
    parts += [f"failed: {failure}" for failure in found.failures]
    parts += [f"warning: {warning}" for warning in found.warnings]
    return "\n".join(parts)


def details(found: Listing, name: str) -> str:
    """All offers of one name with their options.

    Raises:
        OfferError: where there is none.
    """
    named = [each for each in found.offers if each.name == name]
    if not named:
        known = sorted({each.name for each in found.offers})
        raise OfferError(
            f"no plugin offers {name!r}", next_step=did_you_mean(name, known) or f"there are {', '.join(known)}"
        )
    return "\n\n".join(_details(each) for each in named)


def kept(cache: Keeper) -> str:
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
        _table(rows, ("what", "contender", "N", "size", "last used, UTC"))
        + f"\n{units.counted(len(rows), 'entry', 'entries')}, {total}, in {cache.folder}"
    )


def _details(offer: OfferData) -> str:
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
        facts.append(f"approximates {offer.approximates}: scored on held-out queries, held to no parity")
    if offer.missing:
        facts.append(f"needs {', '.join(offer.missing)}: {offer.install}")
    if offer.option_rows:
        facts.append(_table(offer.option_rows, ("option", "type", "default", "description")))
    else:
        facts.append("no options")
    return "\n".join(facts)


def _table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    return tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)
