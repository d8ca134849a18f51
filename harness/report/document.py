"""report.json as types, each field once: the summary fills them, and the published schema is made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations below
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field

from harness.analysis.data import DataSummary  # noqa: TC001  as above
from harness.analysis.settings import settings
from harness.analysis.speedup import Relative  # noqa: TC001  as above
from harness.analysis.statistics import Interval  # noqa: TC001  as above
from harness.analysis.summary import RaceCell  # noqa: TC001  as above
from harness.records.measurement import SCHEMA_VERSION
from harness.search.result import Crossing, Failures, Status  # noqa: TC001  as above

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.cells import CellSummary
    from harness.analysis.claims.figures import ClaimResult
    from harness.analysis.claims.waterfall import Waterfall
    from harness.analysis.summary import SearchSummary, Summary

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One contender at one N and batch size."""

    contender: str
    heads: int
    batch_size: int
    outcome: Literal["measured", "failed", "skipped"]
    call: Interval | None
    query: Interval | None
    throughput: Interval | None
    percentiles: Annotated[Mapping[str, Interval | None], Field(description="percentiles of a call, by share")]
    first_call: Interval | None = None
    load: Interval | None = None
    first_call_seconds: float | None = None
    load_seconds: float | None = None
    build_seconds: float | None = None
    compile_seconds: float | None = None
    device_seconds: float | None = None
    memory_bytes: int | None = None
    peak_rss_bytes: int | None = None
    model_bytes: int | None = None
    samples: int = 0
    launches: int = 0
    parity_error: float | None = None
    unchecked: bool = False
    failure: str
    doubts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Required:
    """What a race requires of scores, and from which N on the challenger is also right."""

    wanted: Mapping[str, float]
    faster_from: int | None
    counts_from: int | None
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Crossover:
    """The answer of one search; its status is null where it has none."""

    race: str
    batch_size: int
    baseline: str = ""
    challenger: str = ""
    low: int = 0
    high: int = 0
    status: Status | None
    crossings: tuple[Crossing, ...] = ()
    measured: Annotated[
        tuple[int, int] | None, Field(description="smallest and largest N at which both were timed")
    ] = None
    failures: tuple[Failures, ...] = ()
    samples: int = 0
    notes: tuple[str, ...] = ()
    sentence: str
    reservations: tuple[str, ...]
    predicted: Interval | None
    predicted_by_limits: int | None = None
    requires: Required | None = None


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A documented figure beside what was measured in its place."""

    race: str | None
    contender: str | None = None
    subject: str
    batch_size: int | None
    heads: int | None
    temperature: float | None = None
    quantity: str
    documented: str = ""
    measured: Interval | None
    verdict: Literal["reproduced", "not reproduced", "not comparable here"]
    why: str
    extrapolated: Interval | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """From one form of a contender to a faster one."""

    side: Literal["baseline", "challenger"]
    before: str
    after: str
    change: str
    speedup: Interval


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Where a documented slowdown comes from."""

    race: str
    heads: int
    batch_size: int
    start: Interval
    end: Interval | None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scores:
    """A contender's scores at one N and temperature, over its training seeds."""

    contender: str
    heads: int
    temperature: float
    seeds: int = 0
    asked_seeds: int = 0
    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    spread: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    thresholds: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    parameters: int | None = None
    training_seconds: float | None = None
    effective_heads: float | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A cell against the machine's limits."""

    contender: str
    heads: int
    batch_size: int
    seconds: float
    floor_seconds: float
    ratio: float
    bound: str
    shape_floor_seconds: float | None = None
    shape_ratio: float | None = None
    in_the_way: str = ""


@dataclass(frozen=True, kw_only=True)
class SelfCheck:
    """The A/A test."""

    passed: Annotated[bool | None, Field(description="null: none was made, or with too few launches")]
    resolvable: Annotated[float, Field(description="smallest detectable relative difference")]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """Statistics and verdicts of a run, all derived from raw seconds; a number that is not known is null."""

    schema_version: Literal[1]
    suite: Annotated[str, Field(description="its name")]
    started: Annotated[str, Field(description="UTC, ISO 8601")]
    status: Literal["running", "complete", "interrupted", "failed"]
    quick: bool
    data: tuple[DataSummary, ...]
    cells: tuple[Cell, ...]
    races: tuple[RaceCell, ...]
    relative: tuple[Relative, ...]
    crossovers: tuple[Crossover, ...]
    documented: tuple[Documented, ...]
    waterfalls: tuple[Steps, ...]
    fidelity: tuple[Scores, ...]
    limits: tuple[Limit, ...]
    precisions: Annotated[
        Mapping[str, str], Field(description="precision of contenders that do not compute in float32")
    ]
    settings: Annotated[
        Mapping[str, str], Field(description="where and how contenders are called; absent where all are called alike")
    ] = dataclasses.field(default_factory=dict)
    approximates: Annotated[
        Mapping[str, str], Field(description="contenders that only approximate a formula, and its family")
    ]
    unchecked: Annotated[
        tuple[str, ...], Field(description="contenders whose output was compared with nothing but itself")
    ]
    remarks: Annotated[tuple[str, ...], Field(description="remarks about fidelity")]
    self_check: SelfCheck
    joint_confidence: Annotated[float | None, Field(description="confidence that all stated crossings hold at once")]
    warnings: Annotated[tuple[str, ...], Field(description="warnings about the run as a whole")]


def report(summary: Summary) -> Report:
    """A run's report."""
    return _filled(
        Report,
        summary,
        schema_version=SCHEMA_VERSION,
        suite=summary.suite.name,
        started=summary.run.started,
        status=summary.run.status,
        cells=tuple(map(_cell, summary.cells)),
        relative=summary.relatives,
        crossovers=tuple(map(_crossover, summary.searches)),
        documented=tuple(map(_documented, summary.documented)),
        waterfalls=tuple(_filled(Steps, each, steps=tuple(_steps(each))) for each in summary.waterfalls),
        fidelity=tuple(_filled(Scores, each) for each in summary.fidelity),
        limits=tuple(_filled(Limit, each) for each in summary.distances),
        settings=settings(summary.suite),
        self_check=_filled(SelfCheck, summary.self_check),
    )


def _filled(kind: type[T], source: object, **own: Any) -> T:
    """An object of this kind: some fields are given, the others are those of the same name in the source."""
    names = [each.name for each in dataclasses.fields(kind)]  # type: ignore[arg-type]  # of a dataclass
    return kind(**{name: own[name] if name in own else getattr(source, name) for name in names})


def _cell(found: CellSummary) -> Cell:
    return _filled(
        Cell,
        found,
        percentiles={f"{share:g}": each for share, each in found.percentiles.items()},
        first_call_seconds=found.first_call.value if found.first_call else None,
        load_seconds=found.load.value if found.load else None,
        doubts=tuple(map(str, found.warnings)),
    )


def _crossover(found: SearchSummary) -> Crossover:
    location, constrained = found.located.location if found.located else None, found.constrained
    names = ("status", "crossings", "failures", "samples", "notes", "measured")
    answer: dict[str, Any] = {name: getattr(location, name) for name in names} if location else {"status": None}
    return Crossover(
        **{name: getattr(found.case, name) for name in ("race", "batch_size", "baseline", "challenger", "low", "high")},
        **answer,
        sentence=found.sentence,
        reservations=found.reservations,
        predicted=found.predicted,
        predicted_by_limits=found.floor_crossing,
        requires=_filled(Required, constrained, wanted=constrained.requires) if constrained else None,
    )


def _documented(found: ClaimResult) -> Documented:
    """What a claim is about stands in its figure."""
    about = {name: getattr(found.figure, name, None) for name in ("race", "contender", "batch_size", "temperature")}
    return _filled(Documented, found, **about)


def _steps(found: Waterfall) -> Iterator[Step]:
    for step in found.baseline:
        yield _filled(Step, step, side="baseline")
    for step in found.challenger:
        yield _filled(Step, step, side="challenger")
