"""Tables of what was documented: beside what was measured, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.report.table import Table, interval, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.analysis.claims.waterfall import Waterfall
    from harness.analysis.summary import Summary
    from harness.suite.schema import Documented, Race


_QUANTITIES: Mapping[str, Callable[[float], str]] = {  # how a documented one is written; scores as they are
    "slowdown": units.ratio,
    "crossover": units.count,
    "latency": lambda value: f"{units.milliseconds(value)} ms",
}


def _four_digits(value: float) -> str:
    """A score."""
    return f"{value:.4f}"


def documented(summary: Summary) -> Table:
    """Documented figures beside measured ones."""
    rows = [
        (
            text(each.subject.replace(" at ", ", ")),
            text(
                each.quantity.replace("_", " ")
                + (f" at N = {each.heads:,}" if each.heads and each.quantity != "crossover" else "")
            ),
            text(each.documented),
            interval(each.measured, _QUANTITIES.get(each.quantity, _four_digits)),
            text(each.verdict),
            text(each.why),
        )
        for each in summary.documented
    ]
    known = summary.suite.documented
    source = f"Documented in {known.source}." if known and known.source else ""
    own = {each.race: each.source for each in known.figures if each.source} if known else {}
    source += "".join(f" {race}: {text}." for race, text in own.items())
    return Table(
        name="documented",
        title="Documented and measured",
        columns=("what", "quantity", "documented", "measured", "verdict", "why"),
        rows=tuple(rows),
        numeric=(2, 3),
        note=f"{source} {_about_scores(known) if known and known.scores else ''}".strip(),
    )


def _about_scores(known: Documented) -> str:
    """What was expected of students, and on whose queries."""
    expected = [
        f"{name.replace('_', ' ')} {'below' if name.startswith('std') else 'above'} {bound:g}"
        for name, bound in known.fidelity.items()
    ]
    expectation = f" Expected there: {', '.join(expected)}." if expected else ""
    return f"Documented scores are of the document's own queries, ours of the queries of this suite.{expectation}"


def waterfalls(summary: Summary) -> list[Table]:
    """Where documented slowdowns come from, step by step: one table for each documented point."""
    return [_waterfall(fall, summary.suite.race(fall.race)) for fall in summary.waterfalls]


def _waterfall(fall: Waterfall, race: Race) -> Table:
    steps = [
        (text(f"{step.before} → {step.after}"), interval(step.speedup, units.ratio), text(f"faster: {step.change}"))
        for step in (*fall.baseline, *fall.challenger)
    ]
    first = text(f"{race.challenger} over {race.baseline}")
    last = text(f"{fall.fastest[1] or race.challenger} over {fall.fastest[0] or race.baseline}")
    return Table(
        name="waterfall",
        title=f"Where the slowdown comes from: {fall.race}, N = {fall.heads:,}, batch {fall.batch_size}",
        columns=("step", "ratio", "what it is"),
        rows=(
            (first, interval(fall.start, units.ratio), text("slowdown as raced")),
            *steps,
            (last, interval(fall.end, units.ratio), text("slowdown, fastest forms")),
        ),
        numeric=(1,),
    )
