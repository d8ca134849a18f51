"""From what a suite wants to know of transfers and queued calls to contenders and races, one for each way of calling.

The first way of each keeps its name; others are named after what differs: `student+transfers`, `student+pipelined`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.suite.devices import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.suite.schema import Contender, ModeWanted, Race, Suite, TransfersWanted

Transfers = Literal["excluded", "included"]
Mode = Literal["latency", "pipelined"]
Way = tuple[Transfers, Mode]

_PLAIN: Mapping[str, str] = {"transfers": "excluded", "mode": "latency"}
_SUFFIXES = {"included": "+transfers", "pipelined": "+pipelined"}


@dataclass(frozen=True, kw_only=True)
class CallModes:
    """A suite in which every contender is called in one way."""

    suite: Suite
    bases: Mapping[str, str]  # for each contender the name of that which the suite's author wrote


def spread(suite: Suite) -> CallModes:
    """The suite with a contender and a race for each way that is wanted; the same one if there is one way only."""
    contenders: dict[str, Contender] = {}
    bases: dict[str, str] = {}

    def called(name: str, way: Way) -> str:
        """The contender that is called this way, which is added where it is new."""
        own = _own_mode(suite, name, way)
        usual = _own_mode(suite, name, _ways(suite.transfers or "excluded", suite.mode)[0])
        label = name + _suffix(own, usual)
        if label not in contenders:
            written = suite.contenders[name]
            fields = {"transfers": own[0], "mode": own[1]}
            changed = {key: value for key, value in fields.items() if value != (getattr(written, key) or _PLAIN[key])}
            contenders[label] = written.model_copy(update=changed)
            bases[label] = name
        return label

    for name in suite.contenders:
        for way in _ways(suite.transfers or "excluded", suite.mode):
            called(name, way)
    races: list[Race] = []
    for race in suite.races:
        wanted = _ways(race.transfers or suite.transfers or _default(suite, race), race.mode or suite.mode)
        seen: list[tuple[str, str]] = []
        for way in wanted:
            pair = called(race.baseline, way), called(race.challenger, way)
            if pair not in seen:
                seen.append(pair)
                own = {"baseline": pair[0], "challenger": pair[1], "transfers": way[0], "mode": way[1]}
                name = race.name + _suffix(way, wanted[0])
                races.append(race.model_copy(update={**own, "name": name}) if _differs(race, pair, way) else race)
    ordered = {label: contenders[label] for name in suite.contenders for label in contenders if bases[label] == name}
    return CallModes(
        suite=suite.model_copy(update={"contenders": ordered, "races": tuple(races)}),
        bases={label: bases[label] for label in ordered},
    )


def _differs(race: Race, pair: tuple[str, str], way: Way) -> bool:
    """Whether this is another race than the one that was written."""
    return pair != (race.baseline, race.challenger) or way != ("excluded", "latency")


def _default(suite: Suite, race: Race) -> TransfersWanted:
    """Both, where two devices meet: which of the two decides depends on where the data are."""
    devices = {suite.device_of(race.baseline), suite.device_of(race.challenger)}
    return "both" if len(devices) > 1 else "excluded"


def _ways(transfers: TransfersWanted, mode: ModeWanted | None) -> list[Way]:
    """The combinations that are wanted, the plain one first where it is among them."""
    over: tuple[Transfers, ...] = ("excluded", "included") if transfers == "both" else (transfers,)
    modes: tuple[Mode, ...] = ("latency", "pipelined") if mode == "both" else (mode or "latency",)
    return list(itertools.product(over, modes))


def _own_mode(suite: Suite, name: str, way: Way) -> Way:
    """How a contender is called where this way is wanted: as it says itself; on a CPU nothing is transferred."""
    contender = suite.contenders[name]
    there = kind_of(suite.device_of(name)) != "cpu"
    return contender.transfers or (way[0] if there else "excluded"), contender.mode or way[1]


def _suffix(way: Way, usual: Way) -> str:
    """What a name ends with where its way is not the usual one."""
    return "".join(_SUFFIXES.get(each, f"+{each}") for each, plain in zip(way, usual, strict=True) if each != plain)
