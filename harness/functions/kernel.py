"""A function that is raced, with how its inputs are made and how its outputs are compared."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness.functions.callee import Callee

if TYPE_CHECKING:
    from collections.abc import Mapping

Takes: TypeAlias = Literal["n and batch", "n", "input", "inputs"]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """What a worker has to know of a plain function."""

    function: Callee
    setup: Callee | None = None  # makes the input from (n, seed), off the clock
    equal: Callee | None = None  # (a, b) -> whether two outputs are the same; by value if absent
    compared: bool = True  # False: the user asked that outputs are not compared
    takes: Takes = "n and batch"  # "inputs": a tuple that the setup returns, one argument each
    fresh: bool = False  # it changes its input, so that every call gets a copy of its own, made off the clock
    redrawn: bool = False  # it remembers inputs, so that every call gets one that it has not seen

    @property
    def checked(self) -> bool:
        """Whether its answers are compared: with those of the other functions before, and with its own after the timing."""
        return self.compared and (self.setup is not None or self.equal is not None)

    def to_json(self) -> dict[str, Any]:
        """Plain data for the pipe."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Kernel:
        """The kernel that `to_json` wrote."""
        parts = {name: Callee.from_json(data[name]) if data.get(name) else None for name in ("setup", "equal")}
        return cls(**{**data, **parts, "function": Callee.from_json(data["function"])})
