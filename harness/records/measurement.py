"""What was measured: one frozen record per cell, launch and visit, with its raw seconds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.process.failure import TOO_SLOW, Failure

SCHEMA_VERSION = 1
INTERRUPTED = "interrupted"
THROTTLED = "the GPU was throttled: measured again"
RIVAL_FAILED = "its rival failed"
IN_BLOCKS = "self-check-blocked"  # all samples of one twin, then all of the other: how a device drifts
ALLOCATOR = "allocator"  # the purpose of a visit in the other state of the allocator
PILOT = "pilot"  # the purpose of a visit that only finds out how a cost grows


class Record(BaseModel):
    """Base of everything that is written: frozen; unknown keys of a newer version are kept out of the way."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Parity(Record):
    """How far the output is from the float64 reference."""

    error: Annotated[float, Field(description="largest absolute error over the reference's largest absolute value")]
    tolerance: float
    row_error: Annotated[float | None, Field(description="row i of a batch against the row alone, same scale")] = None
    against: Annotated[
        Literal["formula", "float64", "itself", "approximation"] | None,
        Field(
            description="the declared formula, the module in float64, or the projection's own float32 output; "
            "`approximation`: its own too, since it only approximates a formula, and is scored"
        ),
    ] = None


# Bounds that what is computed from a record relies on; the reader sees to it that every number is finite.
_Heads = Annotated[int, Field(ge=1, le=2**53)]
_Number = Annotated[int, Field(ge=0, le=2**53)]  # of a launch, a visit, a round, a place
_Second = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_Taken = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


class Sampled(Record):
    """A series of samples of one cell in one launch, in time order."""

    seconds: Annotated[
        tuple[_Taken, ...], Field(min_length=1, description="per call, the clock's own cost already subtracted")
    ]
    rounds: Annotated[tuple[_Number, ...], Field(description="the round of each sample within the visit")]
    positions: Annotated[tuple[_Number, ...], Field(description="place of the contender in the drawn order, from 0")]
    started: Annotated[tuple[_Second, ...], Field(description="seconds since the epoch")]
    inner_loops: _Number
    overhead_seconds: Annotated[
        float, Field(description="seconds of an empty call by the same path, already subtracted")
    ]
    untimed_seconds: Annotated[
        float | None, Field(description="seconds of untimed calls before each sample, to be back at speed")
    ] = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Sampled:
        if {len(self.rounds), len(self.positions), len(self.started)} != {len(self.seconds)}:
            raise ValueError("seconds, rounds, positions and started must be of one length")
        return self


class Measurement(Record):
    """One line of measurements.jsonl: a visit of one cell in one launch."""

    schema_version: int = SCHEMA_VERSION
    key: Annotated[str, Field(description="content hash: the same key is the same experiment")]
    contender: str
    heads: _Heads
    batch_size: _Heads
    purpose: Annotated[
        Literal["table", "search", "self-check", "self-check-blocked", "regret", "allocator", "pilot"],
        Field(description="purpose of the visit"),
    ]
    leg: Annotated[str | None, Field(description="race and batch size of the search that asked for it")] = None
    visit: Annotated[_Number, Field(description="number of the visit within the run; contenders of a pair share it")]
    launch: Annotated[_Number, Field(description="0 explores; intervals are made of 1 and above")]
    outcome: Literal["measured", "failed", "skipped"]
    reason: str | None = None
    process_id: int | None = None
    process_started: Annotated[float | None, Field(description="seconds since the epoch")] = None
    sampled: Sampled | None = None
    call_seconds: Annotated[tuple[_Second, ...], Field(description="individually timed calls")] = ()
    first_call_seconds: float | None = None
    load_seconds: float | None = None
    build_seconds: Annotated[
        float | None, Field(description="seconds that building and exporting took, without training")
    ] = None
    build_cached: Annotated[
        bool | None, Field(description="whether it was in the cache, from an earlier run or from scoring")
    ] = None
    compile_seconds: Annotated[
        float | None, Field(description="seconds that the worker compiled for this cell after loading")
    ] = None
    warm_up_calls: int | None = None
    device_seconds: Annotated[
        tuple[float, ...], Field(description="seconds of single calls by the device's own clock, where it has one")
    ] = ()
    peak_rss_bytes: Annotated[int | None, Field(description="peak memory of the worker so far")] = None
    base_rss_bytes: Annotated[int | None, Field(description="memory of the worker before it held any model")] = None
    added_rss_bytes: Annotated[
        int | None, Field(description="growth of the worker by loading and first calling this cell")
    ] = None
    model_bytes: Annotated[int | None, Field(description="size of the exported artifact")] = None
    cost_flops: Annotated[float | None, Field(description="operations of a call, as the projector states")] = None
    cost_bytes: Annotated[float | None, Field(description="bytes that a call must move, as the projector states")] = (
        None
    )
    threads: Annotated[Mapping[str, int], Field(description="threads as read back from each library")] = {}
    libraries: Annotated[
        Mapping[str, str], Field(description="BLAS and the like that the worker has loaded, with version and kernel")
    ] = {}
    device: Annotated[str | None, Field(description="where it ran, such as cpu or cuda:1")] = None
    settings: Annotated[
        Mapping[str, str],
        Field(description="settings that affect arithmetic and speed, as read back from the library"),
    ] = {}
    device_memory: Annotated[
        Mapping[str, int], Field(description="bytes of the device's memory, by name, as the library reports them")
    ] = {}
    device_states: Annotated[
        tuple[Mapping[str, Any], ...],
        Field(
            description="state of the GPU before and after the visit, by its driver: clock, power, temperature, throttling"
        ),
    ] = ()
    parity: Parity | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    load_average: float | None = None
    busy_cores: Annotated[
        float | None, Field(description="busy cores while it was sampled, including this worker's")
    ] = None
    stolen_share: Annotated[float | None, Field(description="share of the time that other virtual machines took")] = (
        None
    )

    @property
    def cell(self) -> tuple[str, int, int]:
        """(contender, heads, batch size)."""
        return self.contender, self.heads, self.batch_size

    @property
    def failing(self) -> bool:
        """It failed, or was left out since it would have failed; one that would only take too long was just skipped."""
        if self.failure is None or self.purpose == PILOT:
            return self.outcome == "failed" and self.purpose != PILOT
        return self.failure.kind != TOO_SLOW

    @property
    def interrupted(self) -> bool:
        """Its visit was interrupted, or its GPU throttled: its seconds do not count, and the visit is made again."""
        return self.outcome == "skipped" and self.reason in (INTERRUPTED, THROTTLED)


def content_hash(value: Any) -> str:
    """SHA-256 over the canonical JSON of a value, first 16 hexadecimal digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Fidelity(Record):
    """One line of fidelity.jsonl: a student against its teacher on held-out queries."""

    schema_version: int = SCHEMA_VERSION
    contender: str
    heads: _Heads
    temperature: float
    seed: int
    scores: Annotated[
        Mapping[str, float],
        Field(description="mean_cosine, min_cosine, …, top1_agreement, recall_at_10, norm_error, skill"),
    ]
    intervals: Annotated[
        Mapping[str, tuple[float, float]], Field(description="95 % bootstrap over queries, by score")
    ] = {}
    per_query: Annotated[
        Mapping[str, tuple[float, ...]],
        Field(description="mean_cosine and top1_agreement of each held-out query, where they are at most 2,000"),
    ] = {}
    data: Annotated[str, Field(description="digest of heads and queries at this N; empty in earlier records")] = ""
    parameters: int | None = None
    effective_heads: float | None = None
    training_seconds: float | None = None
    training_steps: int | None = None
    notes: Annotated[
        tuple[str, ...], Field(description="notes of the trainer; of a fleet, who trained or scored it")
    ] = ()
    queries: int = 0
    failure: Failure | None = None
    cached: bool = False


class RunInfo(Record):
    """run.json: what was asked, of which machine, with what."""

    schema_version: int = SCHEMA_VERSION
    suite: Mapping[str, Any]
    suite_path: str
    suite_digest: str
    started: Annotated[str, Field(description="UTC, ISO 8601")]
    finished: str | None = None
    status: Literal["running", "complete", "interrupted", "failed"] = "running"
    quick: bool = False
    command: str = ""
    machine: Mapping[str, Any] = {}
    recovery: Annotated[
        Mapping[str, Mapping[str, Mapping[str, float]]],
        Field(description="seconds of calls after which contenders are back at speed, by batch size and N"),
    ] = {}
    versions: Mapping[str, str] = {}
    source: Annotated[Mapping[str, Any], Field(description="provenance of the heads and queries")] = {}
    sources: Annotated[
        Mapping[str, Mapping[str, Any]], Field(description="the same, for contenders with a source of their own")
    ] = {}
    offers: Annotated[
        Mapping[str, Any], Field(description="origins of the offers that were used, digests of files")
    ] = {}
    seed: int = 0
    commit: str | None = None
    project: Annotated[
        Mapping[str, str],
        Field(description="the suite's path from the root of its project, the project's name, branch and commit"),
    ] = {}
    warnings: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    seal: Annotated[
        Mapping[str, str],
        Field(description="SHA-256 of each file of records and of each key of this file when the run ended"),
    ] = {}
