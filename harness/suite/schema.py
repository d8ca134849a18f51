"""A suite: which contenders race, over which numbers of heads and batch sizes, and what is documented about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from harness.errors import UserError
from harness.units import LARGEST, listed, parse_count


def _count(value: Any) -> Any:
    """Also takes a number as people write it, `64k` or `1e6`, which YAML reads as text; true is not a number."""
    if isinstance(value, bool):
        raise ValueError(f"expected a whole number, got {str(value).lower()}")  # noqa: TRY004 - pydantic collects these
    if isinstance(value, str):
        try:
            return parse_count(value)
        except UserError as error:
            raise ValueError(str(error)) from error
    return value


def _device(value: Any) -> Any:
    """A kind of device, in small letters, with its number where it is not the first."""
    if isinstance(value, str) and not re.fullmatch(r"[a-z][a-z0-9_]*(:[0-9]{1,4})?", value):
        raise ValueError(f"expected a device such as cpu, cuda or cuda:1, got {value!r}")
    return value


LONGEST = 10_000_000.0  # seconds, 115 days: what every clock and system call takes
LONGEST_NAME = 96  # letters
MOST_CELLS, MOST_SEARCHES = 100_000, 10_000  # of a suite
Name = Annotated[str, Field(pattern=r"^\w[\w.+-]*$", max_length=LONGEST_NAME)]
Positive = Annotated[
    int,
    BeforeValidator(_count),
    Field(ge=1, le=LARGEST),
    WithJsonSchema(
        {
            "format": "count",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": LARGEST},
                {"type": "string", "pattern": "^[0-9][0-9_,.]*([eE][0-9]+|[kmgKMG])?$"},
            ],
        }
    ),
]


def too_many(cells: int, searches: int) -> str:
    """Why a suite asks for more than anybody waits for; empty where it does not."""
    for number, most, what in (
        (cells, MOST_CELLS, "cells (contenders, N and batch sizes)"),
        (searches, MOST_SEARCHES, "searches"),
    ):
        if number > most:
            return f"it asks for {number:,} {what}, and at most {most:,} are measured: make several suites of it"
    return ""


TransfersWanted = Literal["excluded", "included", "both"]
ModeWanted = Literal["latency", "pipelined", "both"]
DeviceName = Annotated[
    str, BeforeValidator(_device), WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_]*(:[0-9]{1,4})?$"})
]


class Part(BaseModel):
    """Base of all parts of a suite: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class Use(Part):
    """A component of a plugin, with its options."""

    use: Annotated[str, Field(description="name of the component, as `harness plugins` lists it")]
    options: Annotated[
        Mapping[str, Any], Field(description="its options, as `harness plugins show NAME` lists them")
    ] = {}


class HeadsRange(Part):
    """A range of N, swept geometrically; the search may visit any N inside it."""

    low: Annotated[Positive, Field(alias="from", description="smallest N")]
    high: Annotated[Positive, Field(alias="to", description="largest N")]
    points: Annotated[int, Field(ge=1, le=200, description="how many N the table shows, ends included")] = 5

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _is_no_list(cls, value: Any) -> Any:
        if isinstance(value, list | tuple | int | str):
            raise ValueError("expected a mapping, `from` and `to` for a range or `values` for a list")  # noqa: TRY004 - as above
        return value

    @model_validator(mode="after")
    def _ascends(self) -> HeadsRange:
        if self.low > self.high:
            raise ValueError(f"the range from {self.low:,} to {self.high:,} is empty: `from` must not exceed `to`")
        return self

    def grid(self) -> tuple[int, ...]:
        """The N of the table: distinct, ascending, both ends included."""
        if self.low == self.high or self.points == 1:
            return tuple(sorted({self.low, self.high}))
        return tuple(sorted({round(n) for n in np.geomspace(self.low, self.high, self.points)}))

    def includes(self, heads: int) -> bool:
        """Whether it lies between the ends."""
        return self.low <= heads <= self.high

    def describe(self) -> str:
        """In words."""
        return f"from N = {self.low:,} to {self.high:,}"


class HeadsList(Part):
    """An explicit list of N."""

    values: Annotated[tuple[Positive, ...], Field(min_length=1, description="the N themselves")]

    @property
    def low(self) -> int:
        """The smallest N."""
        return min(self.values)

    @property
    def high(self) -> int:
        """The largest N."""
        return max(self.values)

    def grid(self) -> tuple[int, ...]:
        """The N, distinct and ascending."""
        return tuple(sorted(set(self.values)))

    def includes(self, heads: int) -> bool:
        """Whether it is one of them."""
        return heads in self.values

    def describe(self) -> str:
        """In words."""
        return f"at N = {listed(self.grid())}"


def _shape_of_heads(value: Any) -> str:
    """Which of the two ways of giving N is meant, so that a mistake is told about that way only."""
    if isinstance(value, HeadsList) or (isinstance(value, Mapping) and "values" in value):
        return "list"
    return "range"


HeadsSweep = Annotated[
    Annotated[HeadsRange, Tag("range")] | Annotated[HeadsList, Tag("list")], Discriminator(_shape_of_heads)
]


def _function_or_projector(schema: dict[str, Any]) -> None:
    """In the JSON schema neither projector nor runtime is required, since a function is instead of both."""
    schema.pop("required", None)
    _sizes(schema)


def _sizes(schema: dict[str, Any]) -> None:
    """In the JSON schema `sizes` is another word for `heads`."""
    schema["properties"]["sizes"] = schema["properties"]["heads"]


class Contender(Part):
    """A projector in a runtime, perhaps trained; or a plain function."""

    function: Annotated[
        str,
        Field(
            description="instead of projector and runtime: `module:function`, `file.py:function`, or a name in `workload`"
        ),
    ] = ""
    workload: Annotated[
        str, Field(description="workload of a plugin that makes the function's input and offers the function")
    ] = ""
    setup: Annotated[str, Field(description="functions only: makes its input; the suite's if absent")] = ""
    equal: Annotated[str, Field(description="functions only: whether two outputs are equal; the suite's if absent")] = (
        ""
    )
    projector: Annotated[str, Field(description="name of a projector")]
    runtime: Annotated[str, Field(description="name of a runtime")]
    trainer: Annotated[
        Use | None, Field(description="how the projector is trained; without it a trainable one is raced untrained")
    ] = None
    teacher: Annotated[
        str,
        Field(description="projector that it imitates and is compared with; the one that declares `teaches` if absent"),
    ] = ""
    source: Annotated[Use | None, Field(description="source of its heads and queries; the suite's if absent")] = None
    options: Annotated[Mapping[str, Any], Field(description="options of the projector")] = {}
    runtime_options: Annotated[Mapping[str, Any], Field(description="options of the runtime")] = {}
    scored: Annotated[bool, Field(description="score it against its teacher although it has no trainer")] = False
    tolerance: Annotated[
        float | None,
        Field(
            gt=0,
            description="tolerance of parity, relative to the largest reference value; the runtime's own if absent",
        ),
    ] = None
    heads: Annotated[HeadsSweep | None, Field(description="N at which it takes part; all of the sweep if absent")] = (
        None
    )
    batch_sizes: Annotated[
        tuple[Positive, ...] | None, Field(min_length=1, description="B at which it takes part; the sweep's if absent")
    ] = None
    device: Annotated[
        DeviceName | None, Field(description="where it runs: cpu, cuda, cuda:1; the suite's if absent")
    ] = None
    threads: Annotated[Positive | None, Field(description="threads of its worker; the suite's if absent")] = None
    transfers: Annotated[
        Literal["excluded", "included"] | None,
        Field(description="included: queries start and projections end in host memory; the suite's if absent"),
    ] = None
    mode: Annotated[
        Literal["latency", "pipelined"] | None,
        Field(description="latency: wait for each call; pipelined: wait for the last call only; the suite's if absent"),
    ] = None

    model_config = ConfigDict(json_schema_extra=_function_or_projector)

    @model_validator(mode="before")
    @classmethod
    def _function_alone(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not value.get("function"):
            return value
        own = {"setup", "equal"} if not value.get("workload") else {"workload", "options"}
        known = {"function", "heads", "batch_sizes", "threads"} | own
        projecting = set(value) - known - (set(value) if "projector" in value else set())
        if projecting:
            whose = "a function of a workload" if value.get("workload") else "a function"
            raise ValueError(f"{whose} takes no {', '.join(sorted(map(str, projecting)))}")
        return {"projector": value["function"], "runtime": "python", **value}


class Requires(Part):
    """What a challenger's output must reach, against the teacher on held-out queries, for a crossover to count."""

    cosine: Annotated[float | None, Field(ge=-1, le=1, description="mean cosine")] = None
    top1_agreement: Annotated[
        float | None, Field(ge=0, le=1, description="share of queries with the same first answer")
    ] = None
    recall_at_10: Annotated[float | None, Field(ge=0, le=1, description="overlap of the first ten answers")] = None
    skill: Annotated[
        float | None, Field(le=1, description="1 - (1 - cosine) / (1 - cosine of the constant student)")
    ] = None


class Race(Part):
    """Two contenders and the range in which their crossover is located."""

    model_config = ConfigDict(json_schema_extra=_sizes)

    name: Annotated[Name, Field(description="name of the race, unique in the suite")]
    baseline: Annotated[str, Field(description="contender expected to lead at small N")]
    challenger: Annotated[str, Field(description="contender expected to lead at large N")]
    heads: Annotated[HeadsRange | None, Field(description="range of N; the sweep's if absent")] = None
    batch_sizes: Annotated[
        tuple[Positive, ...] | None, Field(min_length=1, description="batch sizes; the sweep's if absent")
    ] = None
    search: Annotated[Literal["adaptive", "grid"] | None, Field(description="search method; the suite's if absent")] = (
        None
    )
    requires: Annotated[Requires | None, Field(description="fidelity below which a crossover does not count")] = None
    threshold: Annotated[
        float | None,
        Field(gt=0, description="relative change that `harness compare` calls a regression; the suite's if absent"),
    ] = None
    transfers: Annotated[TransfersWanted | None, Field(description="transfers to time; the suite's if absent")] = None
    mode: Annotated[ModeWanted | None, Field(description="how calls are waited for; the suite's if absent")] = None


class Measurement(Part):
    """How times are taken."""

    launches: Annotated[
        int, Field(ge=2, le=64, description="fresh processes per contender, over which intervals are computed")
    ] = 8
    rounds: Annotated[int, Field(ge=1, le=LARGEST, description="paired samples per cell and launch in the table")] = 4
    table: Annotated[bool, Field(description="time every cell of the sweep; false: only train, score, search")] = True
    min_sample_seconds: Annotated[float, Field(gt=0, le=LONGEST, description="shortest timed sample, in seconds")] = (
        0.004
    )
    max_warm_up_seconds: Annotated[
        float, Field(gt=0, le=LONGEST, description="longest warm-up of a cell, in seconds")
    ] = 1.0
    deadline_seconds: Annotated[
        float, Field(gt=0, le=LONGEST, description="time after which a cell is given up, in seconds")
    ] = 120.0
    cache: Annotated[
        Literal["warm", "cold"], Field(description="cold evicts the last-level cache before each sample")
    ] = "warm"
    gap_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=LONGEST,
            description="mean pause before each launch, in seconds; ideally longer than the machine's drift",
        ),
    ] = 0.0
    launch_every_seconds: Annotated[
        float,
        Field(
            ge=0,
            le=LONGEST,
            description="mean time from one launch's start to the next one's, in seconds: spreads launches over the "
            "machine's own drift, and does not slow a slow run, since a launch that takes longer is followed at once",
        ),
    ] = 0.0
    input_batches: Annotated[int, Field(ge=1, description="distinct batches that the calls rotate among")] = 4
    latency_calls: Annotated[
        int, Field(ge=0, description="individually timed calls per cell and launch, for percentiles")
    ] = 50
    memory_limit_bytes: Annotated[
        int | None,
        Field(
            ge=2**26,
            description="limit on the address space of a child process; nine tenths of the free memory if absent",
        ),
    ] = None
    models_in_memory_bytes: Annotated[
        int, Field(ge=2**20, description="bytes of models that a worker keeps loaded")
    ] = 2**30
    limits: Annotated[bool, Field(description="measure the machine's limits (roofline)")] = False
    self_check: Annotated[bool, Field(description="A/A test: also race a contender against itself")] = True

    def spread_seconds(self, *, searched: bool) -> float:
        """About how long launches are spread over at least: each but the first waits for its turn.

        Args:
            searched: whether a launch 0 explores before the others.
        """
        waits = self.launches if searched else self.launches - 1
        return waits * max(self.gap_seconds, self.launch_every_seconds)


class Search(Part):
    """How crossovers are located."""

    method: Annotated[
        Literal["adaptive", "grid"], Field(description="adaptive visits the N that are most informative")
    ] = "adaptive"
    precision: Annotated[float, Field(gt=0, lt=1, description="target half-width of the interval, relative to N*")] = (
        0.05
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1, description="confidence of each interval")] = 0.95
    budget_samples: Annotated[
        int | None, Field(ge=2, description="maximum number of timed samples per race and batch size")
    ] = None
    budget_seconds: Annotated[
        float | None,
        Field(
            gt=0,
            le=LONGEST,
            description="time limit of the searches, in seconds from the start of the run or its resumption",
        ),
    ] = None
    regret: Annotated[
        bool, Field(description="measure what deciding by the crossovers costs, at N that no search used")
    ] = True
    use_steps: Annotated[bool, Field(description="pass the cost steps that projectors declare on to the search")] = True


class Figure(Part):
    """A documented figure about a race at one batch size."""

    race: Annotated[str, Field(description="name of the race that measures it")]
    batch_size: Annotated[Positive, Field(description="batch size at which it was documented")]
    heads: Annotated[Positive | None, Field(description="N at which the slowdown was documented")] = None
    slowdown: Annotated[float | None, Field(gt=0, description="challenger over baseline, per query")] = None
    crossover: Annotated[Positive | None, Field(description="N* as documented")] = None
    crossover_is: Annotated[
        Literal["about", "above", "below"],
        Field(description="'above': documented as a lower bound, 'below': as an upper bound"),
    ] = "about"
    device: Annotated[
        Literal["cpu", "cuda"] | None, Field(description="device of the challenger when it was documented")
    ] = None
    source: Annotated[str, Field(description="where it was published, if that differs between figures")] = ""


class LatencyFigure(Part):
    """A documented latency of one contender."""

    contender: Annotated[str, Field(description="name of the contender that corresponds to what was timed")]
    heads: Annotated[Positive, Field(description="N at which it was documented")]
    batch_size: Annotated[Positive, Field(description="batch size at which it was documented")]
    milliseconds_per_query: Annotated[float, Field(gt=0, description="latency as documented")]
    device: Annotated[Literal["cpu", "cuda"] | None, Field(description="device on which it was documented")] = None


class FidelityFigure(Part):
    """Documented scores of a student, at one N and temperature."""

    contender: Annotated[str | None, Field(description="name of the contender that repeats it")] = None
    projector: Annotated[str | None, Field(description="instead: every contender with this projector")] = None
    trainer: Annotated[str | None, Field(description="with `projector`: only contenders with this trainer")] = None
    heads: Annotated[Positive, Field(description="N at which it was documented")]
    temperature: Annotated[float, Field(gt=0, description="temperature of the teacher when it was documented")]
    scores: Annotated[
        Mapping[str, float],
        Field(
            min_length=1, description="scores by name, such as mean_cosine; std_cosine is also the spread of the mean"
        ),
    ]


class Documented(Part):
    """Published figures, to be compared with what is measured."""

    source: Annotated[str, Field(description="where the figures were published")]
    figures: Annotated[tuple[Figure, ...], Field(description="documented slowdowns and crossovers")] = ()
    latencies: Annotated[tuple[LatencyFigure, ...], Field(description="documented latencies of single contenders")] = ()
    scores: Annotated[tuple[FidelityFigure, ...], Field(description="documented fidelity scores of students")] = ()
    fidelity: Annotated[
        Mapping[str, float], Field(description="documented thresholds: mean_cosine, min_cosine, std_cosine")
    ] = {}
    rules: Annotated[tuple[str, ...], Field(description="rules of thumb that `harness advise` replaces")] = ()


class Change(Part):
    """A race under changed conditions."""

    change: Annotated[str, Field(description="what differs from the step before, in words")]
    race: Annotated[str, Field(description="name of the race that measures it")]
    batch_size: Annotated[Positive, Field(description="batch size at which it is measured")]


class StepwiseWaterfall(Part):
    """How the slowdown of a race changes with its conditions, one change after the other."""

    name: Annotated[Name, Field(description="name of the table")]
    heads: Annotated[Positive, Field(description="N at which all of it is measured, one of the sweep")]
    steps: Annotated[tuple[Change, ...], Field(min_length=2, description="the first step is the race as it began")]


def _source_or_functions(schema: dict[str, Any]) -> None:
    """In the JSON schema: functions need no source, and `sizes` is another word for `heads`."""
    _sizes(schema)
    schema["required"] = [name for name in schema["required"] if name not in ("source", "heads")]


def _is_function(contender: Any) -> bool:
    return (isinstance(contender, Contender) and bool(contender.function)) or (
        isinstance(contender, Mapping) and bool(contender.get("function"))
    )


class Suite(Part):
    """A whole suite file."""

    name: Annotated[Name, Field(description="name of the suite, with which the name of its results' folder begins")]
    description: Annotated[str, Field(description="a sentence for the report")] = ""
    plugins: Annotated[tuple[str, ...], Field(description="local plugin files, relative to this file")] = ()
    source: Annotated[Use, Field(description="where heads and queries come from")]
    setup: Annotated[
        str, Field(description="functions only: `module:function` that makes their input from (n, seed), off the clock")
    ] = ""
    equal: Annotated[
        str, Field(description="functions only: (a, b) -> whether two outputs are equal; compared by value if absent")
    ] = ""
    compare_outputs: Annotated[bool, Field(description="functions only: outputs must be equal")] = True
    size_label: Annotated[str, Field(description="title of the N axis, such as `n, samples`")] = ""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1, description="seed of everything random")] = 0
    training_seeds: Annotated[
        tuple[int, ...], Field(min_length=1, description="students are trained once per seed")
    ] = (0,)
    threads: Annotated[Positive, Field(description="threads per worker: torch, ONNX Runtime and BLAS")] = 1
    device: Annotated[DeviceName, Field(description="where runtimes execute: cpu, cuda, cuda:1")] = "cpu"
    transfers: Annotated[
        TransfersWanted | None,
        Field(
            description="transfers between host and device: `included` times them, `both` races with and without them; if absent, "
            "both in races between two devices, and excluded elsewhere"
        ),
    ] = None
    mode: Annotated[
        ModeWanted | None,
        Field(description="latency: wait for each call; pipelined: wait for the last call only; latency if absent"),
    ] = None
    heads: Annotated[HeadsSweep, Field(description="the sweep over N: from, to and points, or values")]
    batch_sizes: Annotated[tuple[Positive, ...], Field(min_length=1, description="the sweep over B")] = (1, 32)
    contenders: Annotated[
        Mapping[Name, Contender], Field(min_length=1, description="the contenders, by names of your choice")
    ]
    races: Annotated[tuple[Race, ...], Field(description="pairs whose crossovers are located")] = ()
    relative_to: Annotated[
        Mapping[Name, tuple[str, ...]],
        Field(description="tables of relative speed: a contender, and those that are compared with it"),
    ] = {}
    measurement: Annotated[Measurement, Field(description="how times are taken")] = Measurement()
    search: Annotated[Search, Field(description="how crossovers are located")] = Search()
    waterfall: Annotated[
        StepwiseWaterfall | None, Field(description="a slowdown under conditions that change one at a time")
    ] = None
    documented: Annotated[Documented | None, Field(description="published figures to compare with")] = None
    fidelity: Annotated[
        bool, Field(description="score trained contenders on held-out queries at the N of the sweep")
    ] = True
    threshold: Annotated[
        float | None,
        Field(gt=0, description="relative change that `harness compare` calls a regression; 0.05 if absent"),
    ] = None

    model_config = ConfigDict(json_schema_extra=_source_or_functions)

    @model_validator(mode="before")
    @classmethod
    def _functions_need_no_source(cls, value: Any) -> Any:
        contenders = value.get("contenders") if isinstance(value, Mapping) else None
        if (
            isinstance(contenders, Mapping)
            and contenders
            and "source" not in value
            and all(map(_is_function, contenders.values()))
        ):
            return {"batch_sizes": (1,), **value, "source": {"use": "none"}, "fidelity": False}
        return value

    @model_validator(mode="after")
    def _is_bounded(self) -> Suite:
        cells = len(self.contenders) * len(self.heads.grid()) * len(self.batch_sizes)
        if what := too_many(cells, sum(len(race.batch_sizes or self.batch_sizes) for race in self.races)):
            raise ValueError(what)
        return self

    def device_of(self, name: str) -> str:
        """Where a contender runs."""
        return self.contenders[name].device or self.device

    def threads_of(self, name: str) -> int:
        """How many threads a contender's worker has."""
        return self.contenders[name].threads or self.threads

    def scored_seeds(self, name: str) -> tuple[int, ...]:
        """The training seeds that a contender is scored with; none where it is not scored."""
        contender = self.contenders[name]
        return self.training_seeds if contender.trainer else self.training_seeds[: int(contender.scored)]

    @property
    def functions(self) -> bool:
        """Whether its contenders are plain functions of n, not projections of heads."""
        return any(each.function for each in self.contenders.values())

    @property
    def size_title(self) -> str:
        """What N counts, for an axis."""
        return self.size_label or ("n" if self.functions else "N, number of heads")

    def race(self, name: str) -> Race:
        """The race of this name.

        Raises:
            KeyError: where there is none.
        """
        for race in self.races:
            if race.name == name:
                return race
        raise KeyError(name)
