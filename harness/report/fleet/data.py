"""A fleet as plain data: what `--format json` prints."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.analysis.fleet.fleet import Fleet, FleetSearch, Place
    from harness.analysis.fleet.random_effects import RandomEffects

SCHEMA_VERSION = 1


def to_json(fleet: Fleet) -> str:
    """The text of fleet.json; what is not known is null."""
    found = {
        "schema_version": SCHEMA_VERSION,
        "suite": fleet.suite,
        "machines": [
            {
                "key": each.key, "processor": each.processor, "name": each.given,
                "run": each.summary.folder, "started": each.summary.run.started, "status": each.summary.run.status,
                "earlier": list(each.earlier),
            }
            for each in fleet.machines
        ],
        "crossovers": [_search(each) for each in fleet.searches],
        "differences": {
            each.name: {machine.key: value for machine, value in zip(fleet.machines, each.values, strict=True)}
            for each in fleet.differences
        },
        "notes": list(fleet.notes),
    }  # fmt: skip
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _search(search: FleetSearch) -> dict[str, Any]:
    return {
        "race": search.race, "batch_size": search.batch_size, "baseline": search.baseline, "challenger": search.challenger,
        "machines": [
            {**_place(each), "from_limits": predicted, "from_others": mean}
            for each, predicted, mean in zip(search.places, search.transfer.predicted, search.transfer.by_others, strict=True)
        ],
        "estimate": _estimate(search.estimate),
        "limits": {"typical_factor": search.transfer.error, "typical_factor_of_others": search.transfer.error_by_others},
        "sentences": [search.sentence, *search.beside, search.about_limits],
    }  # fmt: skip


def _place(place: Place) -> dict[str, Any]:
    crossing = place.crossing
    located = place.search.located if place.search else None
    decision = located.location.decision if located else None
    return {
        "machine": place.machine.key,
        "status": place.answer,
        "crossing": asdict(crossing) if crossing else None,
        "decision": asdict(decision) if decision else None,
    }


def _estimate(found: RandomEffects | None) -> dict[str, Any] | None:
    """On the scale of N; tau is of log N*."""
    if found is None:
        return None
    return {
        "machines": found.machines, "confidence": found.confidence, "middle": math.exp(found.centre),
        "interval": [math.exp(found.low), math.exp(found.high)], "tau": found.tau,
        "tau_interval": [found.tau_low, found.tau_high],
        "prediction": [math.exp(found.predicted_low), math.exp(found.predicted_high)],
    }  # fmt: skip
