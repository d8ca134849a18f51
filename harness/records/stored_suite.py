"""What a run's folder says that it was asked, checked: the suite in run.json, and the shapes of its free parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from harness.errors import RecordsError
from harness.printable import one_line
from harness.suite.schema import Suite

if TYPE_CHECKING:
    from harness.records.measurement import RunInfo

_MOST_UNKNOWN = 100  # keys of a newer version


class _Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


_Count = Annotated[int, Field(ge=1, le=2**53)]
_Rate = Annotated[FiniteFloat, Field(gt=0)]
_Shape = tuple[_Count, _Count, _Count]


class _DeviceLimits(_Loose):
    """The rates of a device, and what it costs to start work there and to wait for it."""

    flops_per_second: Annotated[Mapping[_Count, _Rate], Field(min_length=1)]
    bytes_per_second: Annotated[Mapping[_Count, _Rate], Field(min_length=1)]
    products: list[tuple[_Count, _Count, _Count, _Rate]] = []
    launch_seconds: Annotated[FiniteFloat, Field(ge=0)]
    synchronise_seconds: Annotated[FiniteFloat, Field(ge=0)]


class _Limits(_Loose):
    """The rates that the machine reached, and what calls cost."""

    flops_per_second: Annotated[Mapping[_Count, _Rate], Field(min_length=1)] = {}
    bytes_per_second: Annotated[Mapping[_Count, _Rate], Field(min_length=1)] = {}
    products: list[tuple[_Count, _Count, _Count, _Rate]] = []
    costs: Mapping[str, list[tuple[_Count, _Count, FiniteFloat, FiniteFloat, list[_Shape]]]] = {}
    devices: Mapping[str, _DeviceLimits] = {}

    @model_validator(mode="after")
    def _of_something(self) -> _Limits:
        if not self.devices and not (self.flops_per_second and self.bytes_per_second):
            raise ValueError("it holds no rates, neither of the processor nor of another device")
        return self


class _Machine(_Loose):
    """What is read of the machine; the rest is only shown."""

    processor: str | None = None
    architecture: str | None = None
    system: str | None = None
    python: str | None = None
    python_implementation: str | None = None
    node: str | None = None
    governor: str | None = None
    logical_cores: int | None = None
    physical_cores: int | None = None
    usable_cores: int | None = None
    memory_bytes: FiniteFloat | None = None
    caches: Mapping[str, FiniteFloat] = {}
    container: Mapping[str, str] | None = None
    gpus: list[str] | None = None
    limits: _Limits | None = None


class _Offer(_Loose):
    """What is read of an offer."""

    origin: str = ""
    family: str | None = None
    approximates: str | None = None


class _Source(_Loose):
    """What is read of a source."""

    heads: Annotated[int, Field(ge=0, le=2**53)] = 0
    temperature: FiniteFloat = 0.0
    train_queries: int = 0
    held_out_queries: int = 0
    notes: list[str] = []


class _Free(_Loose):
    machine: _Machine
    offers: Mapping[str, _Offer]
    source: _Source
    sources: Mapping[str, _Source]


def suite_of(run: RunInfo) -> Suite:
    """The suite that a run was asked, without the keys of a newer version.

    Raises:
        RecordsError: where it is no suite.
    """
    data: Any = run.suite
    for _ in range(_MOST_UNKNOWN):
        try:
            return _consistent(Suite.model_validate(data))
        except ValidationError as error:
            found = error.errors(include_url=False)
            unknown = [each["loc"] for each in found if each["type"] == "extra_forbidden"]
            if len(unknown) < len(found):
                first = next(each for each in found if each["type"] != "extra_forbidden")
                raise RecordsError(_sentence("suite", first)) from error
            for path in unknown:
                data = _without(data, path)
    raise RecordsError(f"invalid file: suite: more than {_MOST_UNKNOWN} levels of unknown keys")


def _consistent(suite: Suite) -> Suite:
    """The suite, whose races and documented figures are about what it has.

    Raises:
        RecordsError: where one is not there.
    """
    for race in suite.races:
        for name in (race.baseline, race.challenger):
            if name not in suite.contenders:
                what = f"suite.races: {one_line(race.name)} is with {one_line(name)}, which is not a contender"
                raise RecordsError(f"invalid file: {what}")
    races, documented = {each.name for each in suite.races}, suite.documented
    steps = suite.waterfall.steps if suite.waterfall is not None else ()
    raced = [*(each.race for each in (documented.figures if documented else ())), *(each.race for each in steps)]
    named = [("race", each, races) for each in raced]
    single = (
        [*(each.contender for each in documented.latencies), *(each.contender for each in documented.scores)]
        if documented
        else []
    )
    named += [("contender", each, set(suite.contenders)) for each in (*single, *suite.relative_to) if each is not None]
    named += [("contender", each, set(suite.contenders)) for several in suite.relative_to.values() for each in several]
    for kind, name, known in named:
        if name not in known:
            raise RecordsError(f"invalid file: suite: there is no {kind} {one_line(name)}")
    return suite


def check(run: RunInfo) -> None:
    """Looks at the parts of run.json that have no type of their own.

    Raises:
        RecordsError: where one is of another shape.
    """
    suite_of(run)
    try:
        machine = {name: value for name, value in run.machine.items() if name != "limits" or value not in (None, {})}
        free = {"machine": machine, "offers": run.offers, "source": run.source, "sources": run.sources}
        _Free.model_validate(free)
    except ValidationError as error:
        raise RecordsError(_sentence("", error.errors(include_url=False)[0])) from error


def _sentence(part: str, found: Any) -> str:
    path = ".".join(str(each) for each in (*([part] if part else []), *found["loc"]))
    return f"invalid file: {one_line(path)}: {one_line(str(found['msg']))}"


def _without(data: Any, path: tuple[int | str, ...]) -> Any:
    """Plain data without the key at a path; names of union branches in the path are passed over."""
    step, rest = path[0], path[1:]
    if isinstance(data, Mapping):
        if step not in data:
            return _without(data, rest) if rest else data
        if not rest:
            return {key: value for key, value in data.items() if key != step}
        return {**data, step: _without(data[step], rest)}
    if isinstance(data, list | tuple) and isinstance(step, int) and rest and step < len(data):
        return [_without(each, rest) if index == step else each for index, each in enumerate(data)]
    return _without(data, rest) if rest else data
