"""One plain sentence for what a search found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.units import count

if TYPE_CHECKING:
    from harness.analysis.location import Location


def sentence(location: Location, challenger: str, baseline: str, batch: int | None = None) -> str:
    """What was found, for a reader who knows nothing of the method."""
    at = f" at batch {batch}" if batch is not None else ""
    if location.crossings and location.status in ("crossing", "several"):
        return "; ".join(
            f"from about {count(c.heads)} heads on ({c.confidence:.0%}: {count(c.low)} to {count(c.high)}) "
            f"{challenger if c.direction == 'challenger' else baseline} is faster{at}"
            for c in location.crossings
        )
    return f"{location.status} {location.bracket or ''}: {'; '.join(location.notes)}{at}"
