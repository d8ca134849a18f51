"""What builders and workers may answer, operation by operation: anything else is an invalid response of that contender."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, Strict

from harness.process.exit_status import writable
from harness.process.messages import Answer, InvalidAnswer, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.process.child import Child

_LARGEST = 2**53
_LONGEST = 1e12  # seconds; the records take no more either
Text: TypeAlias = Annotated[str, AfterValidator(writable)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=_LARGEST)]
Positive: TypeAlias = Annotated[int, Field(ge=1, le=_LARGEST)]
Whole: TypeAlias = Annotated[int, Field(ge=-_LARGEST, le=_LARGEST)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=_LONGEST)]
Took: TypeAlias = Annotated[float, Field(ge=0, le=_LONGEST)]
Amount: TypeAlias = Annotated[float, Field(ge=0, lt=math.inf)]
Rate: TypeAlias = Annotated[float, Field(gt=0, lt=math.inf)]
Ends: TypeAlias = Annotated[list[float], Field(min_length=2, max_length=2)]
Shape: TypeAlias = Annotated[list[Positive], Field(min_length=3, max_length=3)]
Size: TypeAlias = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,14}$")]


def _of_a_product(values: list[float]) -> list[float]:
    if any(each != int(each) or each > _LARGEST for each in values[:3]):
        raise ValueError("its sides are not whole numbers")
    return values


Product: TypeAlias = Annotated[list[Rate], Field(min_length=4, max_length=4), AfterValidator(_of_a_product)]


class Ready(Answer):
    """A cell that is loaded, proved and warm."""

    inner_loops: Positive
    call_seconds: Took
    overhead_seconds: float
    single_overhead_seconds: float
    warm_up_calls: Count
    clock_step_seconds: Took
    settled: bool
    cold: bool
    first_call_seconds: Took | None
    load_seconds: Took
    compile_seconds: float | None
    parity_error: Amount | None
    row_error: Amount | None
    warnings: list[Text]
    threads: dict[Text, Whole]
    libraries: dict[Text, Text]
    device: Text | None
    settings: dict[Text, Text]
    device_memory: dict[Text, Whole]
    base_rss_bytes: Count | None
    added_rss_bytes: Count | None
    peak_rss_bytes: Count | None


class Nothing(Answer):
    """An operation that has nothing to say."""


class Watched(Answer):
    """What calls take, from the first one on: (seconds since then, seconds of a call)."""

    windows: list[Annotated[list[Seconds], Field(min_length=2, max_length=2)]]


class Sample(Answer):
    """One sample: seconds of a call, and when it began."""

    seconds: Seconds
    started: Seconds


class Calls(Answer):
    """Calls timed one by one."""

    seconds: list[Seconds]
    device_seconds: list[Seconds]


class Audited(Answer):
    """The largest error of an answer after the timing."""

    error: Amount


class Described(Answer):
    """What a source gives."""

    kind: Text
    description: Text
    digest: Text
    heads: Positive
    width: Positive
    output_width: Positive
    temperature: Rate
    train_queries: Count
    held_out_queries: Count
    matrices: Count
    notes: list[Text]


class Built(Answer):
    """Where a contender lies, ready to be loaded."""

    place: str
    heads: Positive
    costs: dict[str, Annotated[list[Amount], Field(min_length=2, max_length=2)]]
    bytes: Count
    build_seconds: Took | None
    cached: bool | None
    proofs: dict[str, Literal["formula", "float64", "itself", "approximation"]]
    warnings: list[Text]
    files: dict[str, str]  # digests of what is loaded


class Trained(Answer):
    """Where a trained student lies."""

    place: str


class HeldOut(Answer):
    """A contender that is ready to be scored."""

    place: str
    heads: Positive
    batch_size: Positive
    parameters: Count | None
    training_seconds: Took | None
    training_steps: Count | None
    notes: list[Text]
    files: dict[str, str]
    cached: bool


class Scored(Answer):
    """Scores of fidelity."""

    scores: dict[Text, float]
    intervals: dict[Text, Ends]
    per_query: dict[Text, list[float]]
    data: Text
    temperature: Rate
    queries: Count
    effective_heads: float


class Costs(Answer):
    """What a projector states: (N, B, operations, bytes, products) each."""

    costs: list[Annotated[tuple[Positive, Positive, Amount, Amount, list[Shape]], Strict(False)]]


class Rates(Answer):
    """What a machine or a device reaches; empty where it was not measured."""

    products: list[Product] = Field(default_factory=list)
    flops_per_second: dict[Size, Rate] = Field(default_factory=dict)
    bytes_per_second: dict[Size, Rate] = Field(default_factory=dict)
    launch_seconds: Took = 0.0
    synchronise_seconds: Took = 0.0


class Card(Answer):
    """What is known of a student that was written; more than this is only shown."""

    model_config = ConfigDict(extra="allow")

    training_seed: Whole


class Saved(Answer):
    """Where a student was written."""

    card: Card


ANSWERS: Mapping[str, type[Answer]] = {
    "ready": Ready,
    "watch": Watched,
    "rehearse": Nothing,
    "sample": Sample,
    "calls": Calls,
    "audit": Audited,
    "describe": Described,
    "build": Built,
    "train": Trained,
    "hold_out": HeldOut,
    "score": Scored,
    "costs": Costs,
    "save": Saved,
    "project": Nothing,
    "rates": Rates,
}


def validated(child: Child, stage: str, operation: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a child to an operation.

    Raises:
        ChildFailed: where it is another; the child is ended.
    """
    try:
        return checked(value, ANSWERS[operation]).model_dump(exclude_unset=True)
    except InvalidAnswer as error:
        raise child.protocol_error(stage, str(error)) from None
