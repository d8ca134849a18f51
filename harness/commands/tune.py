"""Thresholds as code: a module, a header or a file that chooses a contender, with the figures that it rests on."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import __version__, plain_file
from harness.causes import cause
from harness.dispatch import Choose, dispatcher, read, rules
from harness.errors import RecordsError, UserError
from harness.printable import one_line
from harness.records.crossovers import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.records.crossovers import SearchRecord
    from harness.records.reader import Evidence
    from harness.search.result import Probe

_LONGEST = 1000  # characters of a line that is told
FORMS = ("python", "json", "c-header")


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A place at which a threshold chooses what is slower today."""

    heads: int
    batch_size: int
    chosen: str
    faster: str
    cost: float  # 0.2: the choice takes 20 % longer


def figures(table: Mapping[str, Any], evidence: Evidence) -> list[str]:
    """What a threshold rests on, line by line: machine, date, decision intervals, regret."""
    run, race = evidence.run, table["race"]
    machine = ", ".join(str(run.machine[name]) for name in ("cpu", "processor", "system") if run.machine.get(name))
    found = [
        f"race {race}: {table['baseline']} against {table['challenger']}",
        f"measured {run.started}, harness {__version__}",
    ]
    found += [f"machine: {machine}"] if machine else []
    for each in load(evidence.located):
        if each.case.race != race:
            continue
        decision, location = each.location.decision, each.location
        found.append(
            f"batch {each.case.batch_size}: measured from n = {location.low} to {location.high}, {location.status}"
        )
        if decision is not None:
            found.append(
                f"  between {decision.below} and {decision.above} neither leads by more than {100 * decision.at_most:.1f} %"
            )
        found += [
            f"  change at {each.heads}, {each.confidence:.0%} interval {each.low} to {each.high}"
            for each in location.crossings
        ]
    found += [
        f"batch {entry['batch_size']}: not decided from n = {low} to {high}"
        for entry in table["entries"]
        for low, high in entry.get("undecided", ())
    ]
    regret = table.get("mean_regret")
    found.append(f"regret of deciding by it: {regret:.2%} on average" if regret is not None else "regret: not measured")
    return found


def written(table: Mapping[str, Any], evidence: Evidence, form: str) -> str:
    """The text of a module, a header or a JSON file.

    Raises:
        UserError: where the form is not known, or nothing was decided.
    """
    if form not in FORMS:
        raise UserError(f"--to {form} is not known", next_step=f"write one of {', '.join(FORMS)}, onnx")
    known, about = rules(table), figures(table, evidence)
    if form == "json":
        return json.dumps({"schema_version": 1, "about": about, "races": [table]}, indent=1) + "\n"
    return _module(known, about) if form == "python" else _header(known, about, str(table["race"]))


def losses(choose: Choose, table: Mapping[str, Any], evidence: Evidence, allowed: float) -> list[Loss]:
    """Places of a later run at which a choice significantly costs more than is allowed, by the whole of its interval.

    Raises:
        UserError: where the choice is not one of the race, or cannot be made.
    """
    found = []
    for each, probe in places(table, evidence):
        names = {True: each.case.challenger, False: each.case.baseline}
        try:
            chosen = choose(probe.heads, each.case.batch_size)
        except Exception as error:
            raise UserError(
                f"`choose` fails at n = {probe.heads:,}, batch {each.case.batch_size}: {type(error).__name__}: {error}"
            ) from error
        if chosen not in names.values():
            raise UserError(
                f"the module chooses {chosen!r}, which is not in the race {each.case.race!r}",
                next_step=f"name the race that it is about with --race; this one is between {' and '.join(names.values())}",
            )
        least = probe.low if chosen == each.case.baseline else -probe.high
        if math.expm1(least) > allowed:
            centre = probe.log_ratio if chosen == each.case.baseline else -probe.log_ratio
            faster = names[chosen == each.case.baseline]
            place = {"heads": probe.heads, "batch_size": each.case.batch_size}
            found.append(Loss(**place, chosen=chosen, faster=faster, cost=math.expm1(centre)))
    return found


def places(table: Mapping[str, Any], evidence: Evidence) -> list[tuple[SearchRecord, Probe]]:
    """Where a run has timed both functions of a race.

    Raises:
        UserError: where that is nowhere.
    """
    found = [
        (each, probe)
        for each in load(evidence.located)
        if each.case.race == table["race"]
        for probe in each.location.probes
    ]
    if not found:
        raise UserError(
            f"the run has timed nothing of the race {table['race']!r}", next_step="run it again with more time"
        )
    return found


def imported(path: Path) -> Choose:
    """The `choose` of a module or a JSON file that `written` made.

    Raises:
        UserError: where it has none.
    """
    wanted = "name what `harness tune --to python` or `--to json` wrote"
    try:
        if path.suffix == ".json":
            return dispatcher(read(path))
        names: dict[str, Any] = {}
        text = plain_file.text(path, plain_file.MIB)
        exec(compile(text, str(path), "exec"), names)  # noqa: S102 - the user's own module, which is meant to be imported
    except RecordsError as error:
        raise UserError("it holds no thresholds", where=str(path), next_step=wanted) from error
    except OSError as error:
        raise UserError(f"it cannot be read: {error.strerror}", where=str(path), next_step=wanted) from error
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"it cannot be imported: {cause(error)}", where=str(path), next_step=wanted) from error
    if not callable(names.get("choose")):
        raise UserError(f"{path} has no function `choose`", next_step=wanted)
    return names["choose"]  # type: ignore[no-any-return]


def _module(known: Mapping[int, tuple[list[int], list[str]]], about: list[str]) -> str:
    lines = [
        '"""Chooses by measured thresholds; written by `harness tune`.',
        "",
        *(one_line(each, _LONGEST).replace("\\", "/").replace('"', "'") for each in about),
        '"""',
        "",
        "from bisect import bisect_right",
        "",
    ]
    sizes = sorted(known)
    borders = [math.sqrt(a * b) for a, b in itertools.pairwise(sizes)]
    lines += [f"_BATCHES = {borders!r}  # between the batch sizes that were raced", "_RULES = ["]
    lines += [f"    ({known[size][0]!r}, {known[size][1]!r}),  # batch {size}" for size in sizes]
    lines += [
        "]",
        "",
        "",
        "def choose(n, batch=1):",
        '    """The name of what to use for this n."""',
        "    starts, uses = _RULES[bisect_right(_BATCHES, batch)]",
        "    return uses[bisect_right(starts, n)]",
    ]
    return "\n".join(lines) + "\n"


def _header(known: Mapping[int, tuple[list[int], list[str]]], about: list[str], race: str) -> str:
    guard = re.sub(r"\W", "_", race, flags=re.ASCII).upper() or "_"
    guard = f"RACE_{guard}" if guard[0].isdigit() else guard
    comments = (f" * {one_line(each, _LONGEST).replace('*/', '* /').replace(chr(92), '/')}" for each in about)
    lines = ["/* Thresholds; written by `harness tune`.", *comments, " */"]
    lines += [f"#ifndef {guard}_THRESHOLDS_H", f"#define {guard}_THRESHOLDS_H", ""]
    lines += list(_defines(known, guard))
    return "\n".join([*lines, "", "#endif"]) + "\n"


def _defines(known: Mapping[int, tuple[list[int], list[str]]], guard: str) -> Iterator[str]:
    for size, (starts, uses) in sorted(known.items()):
        batch = f"_B{size}" if len(known) > 1 else ""
        yield f"#define {guard}{batch}_BELOW {_quoted(uses[0])}"
        for number, (start, use) in enumerate(zip(starts, uses[1:], strict=True)):
            again = f"_{number + 1}" if number else ""
            yield f"#define {guard}{batch}_THRESHOLD{again} {start}"
            yield f"#define {guard}{batch}_FROM_THRESHOLD{again} {_quoted(use)}"


def _quoted(text: str) -> str:
    """A string literal of C: whatever a contender is called, it is one text."""
    shown = (
        each if " " <= each <= "~" and each not in '"\\?' else "".join(f"\\{b:03o}" for b in each.encode())
        for each in text
    )
    return '"' + "".join(shown) + '"'
