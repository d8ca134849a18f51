"""What a search has seen within its exploration, as an answer for another batch size to start from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.search.local_model import two_sided
from harness.search.result import Crossing, Location, Probe
from harness.search.sign_test import pooled_noise, standard_error, winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.search.result import Kind, Pair, Progress

NOTE = "still being searched: what one launch has seen, to be confirmed by others"


def provisional(
    low: int, high: int, progress: Progress | None, seen: Mapping[int, Sequence[Pair]], confidence: float
) -> Location:
    """An 'unresolved' answer that holds the estimate, its bracket and a probe for each N."""
    probes = _probes(seen, confidence)
    estimate = progress.estimate if progress is not None else None
    bracket = (progress.low, progress.high) if progress is not None and estimate is not None else None
    crossing = _crossing(probes, bracket, estimate) if bracket is not None and estimate is not None else None
    return Location(
        status="unresolved",
        crossings=(),
        samples=2 * sum(len(pairs) for pairs in seen.values()),
        probes=probes,
        notes=(NOTE,),
        low=low,
        high=high,
        bracket=bracket,
        measured=(probes[0].heads, probes[-1].heads) if probes else None,
        unconfirmed=(crossing,) if crossing is not None else (),
    )


def _probes(seen: Mapping[int, Sequence[Pair]], confidence: float) -> tuple[Probe, ...]:
    logs = {
        heads: np.log([pair[0] for pair in pairs]) - np.log([pair[1] for pair in pairs])
        for heads, pairs in sorted(seen.items())
        if pairs
    }
    if not logs:
        return ()
    noise = pooled_noise(np.concatenate([np.abs(np.diff(each)) for each in logs.values()]))
    probes = []
    for heads, each in logs.items():
        middle, half = winsorised_mean(each, noise), two_sided(confidence) * standard_error(each, noise)
        probes.append(Probe(heads, middle, middle - half, middle + half, each.size, 1))
    return tuple(probes)


def _crossing(probes: Sequence[Probe], bracket: tuple[int, int], estimate: int) -> Crossing | None:
    """The estimate as a crossing of no confidence; None where the probes beside it do not say who leads after it."""
    low, high = bracket
    after = next((probe for probe in probes if probe.heads >= high), None)
    if after is None or low >= high:
        return None
    heads = min(max(math.ceil(estimate), low + 1), high)
    kind: Kind = "step" if high == low + 1 else "smooth"
    return Crossing(heads, low, high, "challenger" if after.log_ratio > 0 else "baseline", 0.0, kind)
