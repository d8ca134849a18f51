"""A contender spelled out as plain data: what the parent tells its children to build, load and call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.functions.kernel import Kernel
from harness.suite.devices import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["source", "projector", "trainer", "runtime", "workload"]


@dataclass(frozen=True, kw_only=True)
class OfferReference:
    """An offer by name, and the plugin to import for it: nothing else is imported into a worker."""

    kind: Kind
    name: str
    plugin: str  # as the catalog's listing names it
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Specification:
    """Everything that a builder or a worker needs to know of one contender."""

    contender: str
    source: OfferReference | None = None
    projector: OfferReference | None = None
    runtime: OfferReference | None = None
    teacher: OfferReference | None = None
    trainer: OfferReference | None = None
    function: Kernel | None = None  # a plain function, instead of all the offers
    workload: OfferReference | None = None  # that the function belongs to
    workload_function: str = ""  # its name there
    seed: int = 0
    training_seed: int = 0
    threads: int = 1
    training_threads: int = 1  # what is raced with one thread and with two is trained once
    device: str = "cpu"  # with its number where it is not the first of its kind
    transfers: Literal["excluded", "included"] = "excluded"
    mode: Literal["latency", "pipelined"] = "latency"
    tolerance: float = 1e-4
    folder: str = "."  # of the suite: relative paths in a source's options start there
    cache: str = ""

    @property
    def device_kind(self) -> str:
        """What runtimes get to know of it: the process sees one device of this kind."""
        return kind_of(self.device)

    def to_json(self) -> dict[str, Any]:
        """Plain data for the pipe."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Specification:
        """The specification that `to_json` wrote."""
        offers = {
            name: OfferReference(**data[name]) if data.get(name) else None
            for name in ("source", "projector", "runtime", "teacher", "trainer", "workload")
        }
        kernel = Kernel.from_json(data["function"]) if data.get("function") else None
        return cls(**{**data, **offers, "function": kernel})
