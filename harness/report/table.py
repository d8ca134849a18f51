"""The tables of a report: rows of texts with the numbers behind them, in no particular format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness import units
from harness.analysis.cells import PERCENTILES
from harness.analysis.limits import NEAR

if TYPE_CHECKING:
    from harness.analysis.cells import CellSummary
    from harness.analysis.quality import FidelityRow
    from harness.analysis.statistics import Interval
    from harness.analysis.summary import LegSummary, Summary
    from harness.analysis.waterfall import Waterfall
    from harness.suite.schema import Documented, Race

_SCORES = (  # in the order of the columns; a score that no row has is left out
    ("mean_cosine", "cosine"),
    ("min_cosine", "min"),
    ("max_cosine", "max"),
    ("std_cosine", "std"),
    ("skill", "skill"),
    ("top1_agreement", "top-1"),
    ("recall_at_10", "recall@10"),
    ("norm_error", "norm error"),
)
_RANGED = ("mean_cosine", "top1_agreement", "recall_at_10")  # scores that show their intervals
_MOST_COLUMNS = 6  # of contenders side by side
_STATUS = {
    "crossing": "crossing",
    "several": "several crossings",
    "below": "challenger leads throughout",
    "above": "baseline leads throughout",
    "tie": "no difference",
    "unresolved": "unresolved",
}
_EXTRAPOLATED = (
    "No measurements: by the limits, where stated costs at the rates of this machine would put it; extrapolated, "
    "linearly from the smallest N of the table."
)
_COUNTS = " Counts from: the N from which on the challenger is faster and as right as its race requires."


@dataclass(frozen=True)
class Entry:
    """What a cell of a table says, and the number to sort it by."""

    text: str
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; `numeric` columns are aligned to the right."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    numeric: tuple[int, ...] = field(default=())
    note: str = ""
    keys: tuple[int, ...] = (0,)  # columns that say what a row is: repeated where a wide table is cut


def _four_digits(value: float) -> str:
    """A score."""
    return f"{value:.4f}"


_QUANTITIES: Mapping[str, Callable[[float], str]] = {  # how a documented one is written; scores as they are
    "slowdown": units.ratio,
    "crossover": units.count,
    "latency": lambda value: f"{units.milliseconds(value)} ms",
}


def text(value: str) -> Entry:
    """An entry that sorts by its text."""
    return Entry(value)


def latencies(summary: Summary, *, per_query: bool, searched: bool = False) -> Iterator[Table]:
    """One table N x contender of median milliseconds for each batch size.

    Args:
        summary: the run.
        per_query: per query instead of per call; batch 1, where both are the same, is left out.
        searched: also the N that only a search has visited.
    """
    grid = set(summary.suite.heads.grid())
    for batch in sorted({cell.batch_size for cell in summary.cells}):
        if per_query and batch == 1:
            continue
        here = [each for each in summary.cells if each.batch_size == batch and (searched or each.heads in grid)]
        names = [name for name in summary.suite.contenders if any(each.contender == name for each in here)]
        by_place = {(each.heads, each.contender): each for each in here}
        unit = "query" if per_query else "call"
        yield _grid(
            f"latency-{unit}-{batch}",
            f"Median ms per {unit}, batch {batch}",
            sorted({each.heads for each in here}),
            names,
            lambda heads, name: _latency(by_place.get((heads, name)), per_query=per_query),  # noqa: B023 - used at once
            summary.precisions,
        )


def _grid(
    name: str,
    title: str,
    sizes: Sequence[int],
    contenders: Sequence[str],
    entry: Callable[[int, str], Entry],
    inexact: Mapping[str, str],
) -> Table:
    """N x contenders, or contenders x N where there are many contenders and few N; who is inexact is marked."""
    label = {each: f"{each} ({inexact[each]}, inexact)" if each in inexact else each for each in contenders}
    if len(contenders) > _MOST_COLUMNS > len(sizes):
        return Table(
            name=name,
            title=title,
            columns=("contender", *(f"N = {heads:,}" for heads in sizes)),
            rows=tuple((text(label[each]), *(entry(heads, each) for heads in sizes)) for each in contenders),
            numeric=tuple(range(1, len(sizes) + 1)),
        )
    return Table(
        name=name,
        title=title,
        columns=("N", *label.values()),
        rows=tuple((Entry(f"{heads:,}", heads), *(entry(heads, each) for each in contenders)) for heads in sizes),
        numeric=tuple(range(len(contenders) + 1)),
    )


def relative(summary: Summary) -> Iterator[Table]:
    """For each contender that is a unit and each batch size: how many times as fast the others are."""
    for unit, names in summary.suite.relative_to.items():
        for batch in sorted({each.batch_size for each in summary.relatives if each.unit == unit}):
            here = [each for each in summary.relatives if (each.unit, each.batch_size) == (unit, batch)]
            known = {(each.heads, each.contender): each.speedup for each in here}
            sizes = sorted({each.heads for each in here})
            yield _grid(
                f"relative-{unit}-{batch}",
                f"Times as fast as {unit}, batch {batch}",
                sizes,
                names,
                lambda heads, name: (
                    interval(known[heads, name], units.ratio) if (heads, name) in known else Entry("-")  # noqa: B023
                ),
                summary.precisions,
            )


def crossovers(summary: Summary) -> Table:
    """Every race and batch size with the answer of its search."""
    requiring = {race.name for race in summary.suite.races if race.requires is not None}
    rows = [
        (*row, *([_counts_from(leg)] if requiring else [])) for leg in summary.legs for row in _crossings(leg, summary)
    ]
    note = ""
    if summary.joint_confidence is not None:
        note = f"All stated crossings hold at once with a confidence of at least {summary.joint_confidence:.0%}."
    return Table(
        name="crossovers",
        title="Crossovers",
        columns=(
            *("race", "batch", "status", "N*", "interval", "leads after it", "documented", "by the limits"),
            *("extrapolated", *(("counts from",) if requiring else ())),
        ),
        rows=tuple(rows),
        numeric=(1, 3, 6, 7, 8, *((9,) if requiring else ())),
        note=f"{note} {_EXTRAPOLATED}{_COUNTS if requiring else ''}".strip(),
    )


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
    told = f" Expected there: {', '.join(expected)}." if expected else ""
    return f"Documented scores are of the document's own queries, ours of the queries of this suite.{told}"


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


def fidelity(summary: Summary) -> Table:
    """Students against their teacher on held-out queries."""
    known = [(score, label) for score, label in _SCORES if any(score in row.scores for row in summary.fidelity)]
    failed = ("failure",) if any(row.failure for row in summary.fidelity) else ()
    trained = ("training",) if any(row.training_seconds for row in summary.fidelity) else ()
    seeds = ("seeds", "cosine over seeds") if any(row.asked_seeds > 1 for row in summary.fidelity) else ()
    rows = [
        (
            Entry(f"{row.heads:,}", row.heads),
            Entry(f"{row.temperature:g}", row.temperature),
            Entry("" if row.effective_heads is None else f"{row.effective_heads:.1f}", row.effective_heads),
            text(row.contender),
            Entry("" if row.parameters is None else f"{row.parameters:,}", row.parameters),
            *([_seconds(row.training_seconds)] if trained else []),
            *(_score(row, score) for score, _ in known),
            *(_seeds(row) if seeds else ()),
            *(text(row.failure) for _ in failed),
        )
        for row in summary.fidelity
    ]
    return Table(
        name="fidelity",
        title="Fidelity on held-out queries",
        columns=(
            "N",
            "T",
            "effective heads",
            "contender",
            "parameters",
            *trained,
            *(label for _, label in known),
            *seeds,
            *failed,
        ),
        rows=tuple(rows),
        numeric=(0, 1, 2, *range(4, 5 + len(trained) + len(known) + len(seeds))),
        note=_threshold_note(summary.fidelity),
        keys=(0, 1, 3),
    )


def limits(summary: Summary, *, searched: bool = True) -> Table:
    """How far each cell is from what the machine could do at best; without `searched` at the N of the sweep alone."""
    grid = set(summary.suite.heads.grid())
    rows = [
        (
            text(each.contender),
            Entry(f"{each.heads:,}", each.heads),
            Entry(str(each.batch_size), each.batch_size),
            Entry(f"{each.gigaflops_per_second:.3g}", each.gigaflops_per_second),
            Entry(f"{each.gigabytes_per_second:.3g}", each.gigabytes_per_second),
            Entry(units.milliseconds(each.floor_seconds), each.floor_seconds),
            Entry(f"{each.ratio:.2f}x", each.ratio),
            Entry("") if each.shape_floor_seconds is None else Entry(f"{each.shape_ratio:.2f}x", each.shape_ratio),
            text(each.bound),
            text(each.in_the_way),
        )
        for each in summary.distances
        if searched or each.heads in grid
    ]
    return Table(
        name="limits",
        title="Distance to the limits of this machine",
        columns=(
            "contender", "N", "batch", "GFLOP/s", "GB/s", "floor ms", "over the floor", "at its shape", "bound by",
            "in the way",
        ),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4, 5, 6, 7),
        note="The floor is the larger of stated operations over the best rate of matrix products and stated bytes "
        "over the memory bandwidth, each as timed alone in this run with as many threads, or as reached by a contender "
        "where that is more. At its shape: every product at the rate that NumPy reaches for matrices of that shape; "
        "below 1 a product is better than NumPy's. What is "
        f"in the way is told above {NEAR}x.{_rates(summary)}{_unmeasured(summary)}",
        keys=(0, 1, 2),
    )  # fmt: skip


def _rates(summary: Summary) -> str:
    """What few rows cost: the rate of matrix products by batch size, of which the floor takes the best."""
    found = summary.run.machine.get("limits", {}).get("flops_per_second", {})
    rates = {int(batch): float(rate) / 1e9 for batch, rate in found.items()}
    if not rates:
        return ""
    told = ", ".join(f"{rates[batch]:.0f} GFLOP/s at batch {batch}" for batch in sorted(rates))
    return f" The best products of each number of rows reach {told}."


def _unmeasured(summary: Summary) -> str:
    """Whom the limits do not hold for."""
    if not summary.precisions:
        return ""
    told = ", ".join(f"{name} ({precision})" for name, precision in summary.precisions.items())
    return f" The limits are float32's, so these are left out: {told}."


def details(summary: Summary) -> Table:
    """Latency as users mean it, for every cell."""
    measured = [each for each in summary.cells if each.outcome == "measured"]
    told = {"compile_seconds": "compile", "device_seconds": "on the device"}
    rare = [name for name in told if any(getattr(each, name) is not None for each in measured)]
    rows = [
        (
            text(each.contender),
            Entry(f"{each.heads:,}", each.heads),
            Entry(f"{each.batch_size:,}", each.batch_size),
            interval(each.call, units.milliseconds),
            *(_spread(each.percentiles.get(share), units.milliseconds) for share in PERCENTILES),
            _spread(each.throughput, units.count),
            _spread(each.first_call, units.seconds),
            _spread(each.load, units.seconds),
            _seconds(each.build_seconds),
            *(_seconds(getattr(each, name)) for name in rare),
            _size(each.memory_bytes or each.peak_rss_bytes),
            _size(each.model_bytes),
            Entry(f"{each.launches}", each.launches),
            text(", ".join(dict.fromkeys(doubt.code for doubt in each.warnings))),
        )
        for each in measured
    ]
    return Table(
        name="cells",
        title="All cells",
        columns=(
            "contender", "N", "batch", "ms per call", "p50 ms", "p90 ms", "p95 ms", "p99 ms", "queries/s", "first call",
            "load", "build", *(told[name] for name in rare), "memory", "model", "launches", "doubts",
        ),
        rows=tuple(rows),
        numeric=tuple(range(1, 15 + len(rare))),
        note="Percentiles are of calls that were timed one by one, and stated where at least three calls lie beyond; "
        "± is half a 95 % interval over launches. Memory is that of a process which holds the cell alone: libraries, "
        "model, and what first calls add.",
    )  # fmt: skip


def failures(summary: Summary) -> Table:
    """What has no latency, and why."""
    rows = [
        (
            text(each.contender),
            Entry(f"{each.heads:,}", each.heads),
            Entry(f"{each.batch_size}", each.batch_size),
            text(each.failure),
        )
        for each in summary.failures
    ]
    return Table(
        name="failures", title="Failures", columns=("contender", "N", "batch", "what"), rows=tuple(rows), numeric=(1, 2)
    )


def doubts(summary: Summary) -> list[str]:
    """The doubts of all cells, each kind once, with how many rows it concerns."""
    found: dict[tuple[str, str], list[tuple[CellSummary, str]]] = {}
    for cell in summary.cells:
        for doubt in cell.warnings:
            found.setdefault((doubt.code, doubt.remedy), []).append((cell, str(doubt)))
    return [_doubt(rows) for rows in found.values()]


def machine(summary: Summary) -> list[tuple[str, str]]:
    """The machine and the versions as pairs of name and value."""
    facts = [
        (str(name).removesuffix("_bytes").replace("_", " "), _fact(name, value))
        for name, value in summary.run.machine.items()
        if name != "limits" and value not in ([], {}, "")
    ]
    facts += _ceilings(summary.run.machine.get("limits", {}))
    facts += [(f"{name}, as loaded", "; ".join(versions)) for name, versions in summary.libraries.items()]
    return facts + [(name, str(version)) for name, version in summary.run.versions.items()]


def _ceilings(found: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str]]:
    """The rates that the machine reached at best."""
    products = [
        f"{float(rate) / 1e9:.0f} GFLOP/s at batch {b}" for b, rate in found.get("flops_per_second", {}).items()
    ]
    reads = [
        f"{float(rate) / 1e9:.0f} GB/s of {units.size(float(held))}"
        for held, rate in found.get("bytes_per_second", {}).items()
    ]
    told = (("matrix products", products), ("reading memory", reads))
    return [(name, ", ".join(rates)) for name, rates in told if rates]


def headline(summary: Summary) -> str:
    """What was asked, in one sentence; the answers are the sentences of the legs."""
    grid = summary.suite.heads
    batches = ", ".join(str(each) for each in summary.suite.batch_sizes)
    searched = len({leg.leg.race for leg in summary.legs})
    races = f"; {searched} race{'s' if searched != 1 else ''}" if searched else ""
    return (
        f"{len(summary.suite.contenders)} contenders from N = {grid.low:,} to {grid.high:,} at batch {batches}{races}"
    )


def sentences(summary: Summary) -> list[str]:
    """The answer of each leg in one sentence, its reservations beside it, its quality and the search's notes below."""
    found = []
    for leg in summary.legs:
        reserved = f" ({'; '.join(leg.reservations)})" if leg.reservations else ""
        found.append(f"{leg.leg.race}: {leg.sentence}{reserved}")
        if leg.constrained is not None:
            found.append(f"{leg.leg.race}: {leg.constrained.sentence}")
        found.extend(f"{leg.leg.label}: note: {note}" for note in leg.notes)
    return found


def interval(found: Interval | None, write: Callable[[float], str]) -> Entry:
    """`24.1x (23.0x to 25.3x)`, sorted by its value."""
    if found is None:
        return Entry("n/a")
    if not found.known:
        return Entry(write(found.value), found.value)
    return Entry(f"{write(found.value)} ({write(found.low)} to {write(found.high)})", found.value)


def _latency(cell: CellSummary | None, *, per_query: bool) -> Entry:
    """`0.012 ±3%`, `failed`, or a dash."""
    if cell is None or cell.outcome == "skipped":
        return Entry("-")
    if cell.call is None or cell.query is None:
        return Entry("failed")
    found = cell.query if per_query else cell.call
    return _spread(found, units.milliseconds)


def _spread(found: Interval | None, write: Callable[[float], str]) -> Entry:
    """`0.012 ±3%`; without the latter where there is no interval."""
    if found is None:
        return Entry("")
    spread = "" if not found.known else f" ±{found.half_width:.0%}" if found.half_width < 1 else " ±>100%"
    return Entry(f"{write(found.value)}{spread}", found.value)


def _crossings(leg: LegSummary, summary: Summary) -> Iterator[tuple[Entry, ...]]:
    """One row for each crossing, or one that says why there is none."""
    start = (text(leg.leg.race), Entry(f"{leg.leg.batch_size}", leg.leg.batch_size))
    documented = next(
        (
            each.documented
            for each in summary.documented
            if each.quantity == "crossover" and each.subject == leg.leg.label
        ),
        "",
    )
    end = (
        text(documented),
        Entry("", None) if leg.floor_crossing is None else Entry(units.count(leg.floor_crossing), leg.floor_crossing),
        Entry("", None) if leg.predicted is None else Entry(units.count(leg.predicted.value), leg.predicted.value),
    )
    if leg.located is None:
        yield (*start, text("not searched"), Entry(""), text(""), text(""), *end)
        return
    location = leg.located.location
    status = text(_STATUS[location.status])
    stated = location.crossings if location.status in ("crossing", "several") else ()
    for crossing in stated:
        leader = leg.leg.challenger if crossing.direction == "challenger" else leg.leg.baseline
        yield (
            *start,
            status,
            Entry(f"{crossing.heads:,}", crossing.heads),
            text(f"{crossing.low:,} to {crossing.high:,}"),
            text(leader),
            *end,
        )
    if not stated:
        bracket = f"between {location.bracket[0]:,} and {location.bracket[1]:,}" if location.bracket else ""
        leader = {"below": leg.leg.challenger, "above": leg.leg.baseline}.get(location.status, "")
        yield (*start, status, Entry(""), text(bracket), text(leader), *end)


def _counts_from(leg: LegSummary) -> Entry:
    """From which N on a challenger that must be right counts; empty where its race requires nothing."""
    if leg.constrained is None:
        return Entry("")
    start = leg.constrained.counts_from
    return Entry(f"{start:,}", start) if start is not None else Entry("never")


def _score(row: FidelityRow, score: str) -> Entry:
    """`0.9928 (0.9910 to 0.9940) pass`: the interval over queries, and the documented threshold where there is one."""
    if score not in row.scores:
        return Entry("")
    value, digits = row.scores[score], 4 if score == "mean_cosine" else 2
    ends = row.intervals.get(score) if score in _RANGED else None
    told = f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})" if ends else ""
    mark = {True: " pass", False: " miss", None: ""}[row.thresholds.get(score)]
    return Entry(f"{value:.4f}{told}{mark}", value)


def _seeds(row: FidelityRow) -> tuple[Entry, Entry]:
    """`2 of 3` where one failed, and the smallest and largest mean cosine of those that did not."""
    ends = row.spread.get("mean_cosine")
    return (
        Entry(f"{row.seeds}" if row.seeds == row.asked_seeds else f"{row.seeds} of {row.asked_seeds}", row.seeds),
        Entry("" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}", None if ends is None else ends[0]),
    )


def _threshold_note(rows: Sequence[FidelityRow]) -> str:
    several = any(row.spread for row in rows)
    ranges = "ranges in brackets are 95 % bootstrap intervals over queries"
    seeds = ", their ends averaged over seeds; those over seeds are the smallest and the largest" if several else ""
    return f"Skill is 1 - (1 - cosine) / (1 - cosine of the constant student); {ranges}{seeds}."


def _doubt(rows: Sequence[tuple[CellSummary, str]]) -> str:
    cell, sentence = rows[0]
    place = f"{cell.contender} at N = {cell.heads:,}, batch {cell.batch_size}"
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{sentence} ({place}{more})"


def _seconds(value: float | None) -> Entry:
    return Entry("" if value is None else units.seconds(value), value)


def _size(value: int | None) -> Entry:
    return Entry("" if value is None else units.size(value), value)


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
