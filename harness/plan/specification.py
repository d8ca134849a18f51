"""A contender spelled out as plain data: what the parent tells its children to build, load and call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["source", "projector", "trainer", "runtime"]


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
    function: str | None = None  # `module:function` of (heads, batch size), instead of all the offers
    seed: int = 0
    training_seed: int = 0
    threads: int = 1
    device: Literal["cpu", "cuda"] = "cpu"
    tolerance: float = 1e-4
    folder: str = "."  # of the suite: relative paths in a source's options start there
    cache: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data for the pipe."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Specification:
        """The specification that `to_json` wrote."""
        offers = {
            name: OfferReference(**data[name]) if data.get(name) else None
            for name in ("source", "projector", "runtime", "teacher", "trainer")
        }
        return cls(**{**data, **offers})
