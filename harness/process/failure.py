"""Why something could not be measured: the form in which children, records and reports speak of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TOO_SLOW = "too slow"  # a kind of failure that was foreseen, or seen before anything was timed
CHANGED = "changed"  # a kind of failure: a file that was built is another now, and was not loaded
PROCESS = "the process "  # begins what is said of one that has ended
_SETTLING = ("memory", "deadline", TOO_SLOW)


class Failure(BaseModel):
    """Why a cell has no latency."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: Annotated[str, Field(description="load, build, train, export, score, parity, warm-up, sample, audit")]
    what: str
    kind: Annotated[
        str, Field(description="error, parity, signal, exit, deadline, memory, protocol, changed, too slow")
    ] = "error"
    signal: str | None = None
    output: Annotated[tuple[str, ...], Field(description="the last lines that the process printed")] = ()
    traceback: Annotated[tuple[str, ...], Field(description="lines of the exception's traceback")] = ()

    @property
    def ending(self) -> str:
        """`exited with code 3`: how the process ended; empty where it did not."""
        return self.what.removeprefix(PROCESS) if self.kind in ("signal", "exit") else ""

    @property
    def settles_larger(self) -> bool:
        """Memory or time ran out, as it would at every larger N."""
        return self.kind in _SETTLING or self.signal == "SIGKILL"
