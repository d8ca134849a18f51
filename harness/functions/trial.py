"""A trial: plain functions are imported, called and compared in a process of their own before a run relies on them."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.errors import UserError
from harness.functions.kernel import Kernel, Takes  # noqa: TC001
from harness.process import allocator, messages
from harness.process.child import Child, ChildFailed, environment
from harness.process.exit_status import writable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.process.failure import Failure

CHILD = "harness.functions.trial_child"
DEADLINE_SECONDS = 60.0  # for importing and calling them
_CLIMBING_SECONDS = 6.0  # for all n after the first


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What was learnt: the kernels as they are to be called, and what the answer has to say about them."""

    kernels: tuple[Kernel, ...]
    notes: tuple[str, ...] = ()
    between: bool = True  # they work at n between those of the list, where one was given
    more: bool = False  # there is another n to be tried


def run_trial(
    kernels: Sequence[Kernel],
    low: int,
    high: int,
    batch: int,
    *,
    seed: int = 0,
    threads: int = 1,
    deadline_seconds: float = DEADLINE_SECONDS,
    sizes: Sequence[int] = (),
) -> TrialResult:
    """Imports and calls functions in a child process, so that a mistake is reported before anything is measured.

    At several n from the smallest on: what they return is compared, and whether a call changes its input, returns work that
    has not been done, remembers its answers, or takes longer the more often it was called.

    Args:
        kernels: the functions, the first one is what others are compared with.
        low: the smallest n: there they must work.
        high: the largest.
        batch: of the calls.
        seed: of the inputs.
        threads: that libraries may use.
        deadline_seconds: for all of it.
        sizes: the n that the user listed, if any: those that are tried are among them, but for one between two of them.

    Raises:
        UserError: where one is not there, does not take these arguments, fails, answers differently, or does not return.
    """
    seconds = min(_CLIMBING_SECONDS, deadline_seconds / 6)
    request = {
        "do": "try", "kernels": [each.to_json() for each in kernels], "low": low, "high": high, "batch": batch, "seed": seed,
        "sizes": sorted(set(sizes)), "seconds": seconds,
    }  # fmt: skip
    doing = ["to start"]
    child = Child(CHILD, {}, environment={**environment(threads), **allocator.variables()})
    try:
        found = _answer(child, request, doing, deadline_seconds)
        ends = time.monotonic() + 2 * seconds
        with contextlib.suppress(ChildFailed):  # where one dies or hangs at a larger n, the search finds out
            while found.more:
                found = _answer(child, {"do": "climb"}, doing, max(0.0, ends - time.monotonic()))
    except messages.InvalidAnswer as error:
        raise UserError(f"the process that tried the functions sent an invalid response ({error})") from None
    except ChildFailed as failed:
        raise _error_about(failed.failure, doing[-1], deadline_seconds) from None
    finally:
        child.close(patience=0.0)
    if found.what:
        raise UserError(found.what, next_step=found.next_step)
    notes = tuple(map(writable, found.notes))
    return TrialResult(kernels=_learnt(kernels, found.kernels), notes=notes, between=found.between)


def _learnt(given: Sequence[Kernel], answered: Sequence[Mapping[str, Any]]) -> tuple[Kernel, ...]:
    """The kernels with what the child has found out about each.

    Raises:
        UserError: where its answer is about others.
    """
    try:
        found = [
            dataclasses.replace(one, **_Learnt.model_validate(other).model_dump())
            for one, other in zip(given, answered, strict=True)
        ]
    except ValueError:  # pydantic's own is one
        what = "the process that tried the functions sent an invalid response (about other functions)"
        raise UserError(what) from None
    return tuple(found)


def _answer(child: Child, request: Mapping[str, Any], doing: list[str], deadline: float) -> _Answer:
    """The child's answer to a request, within so many seconds; `doing` grows by what it announces."""
    answer = child.ask(
        request,
        stage="load",
        deadline=deadline,
        hear=lambda notice: doing.append(notice.get("doing", "")),
        renewed=False,
    )
    return messages.checked(answer, _Answer)


class _Learnt(messages.Answer):
    """What a trial finds out about a function: how it is to be called."""

    takes: Takes
    fresh: bool
    redrawn: bool


class _Answer(messages.Answer):
    """What the child says: the functions as they are to be called, or what is wrong."""

    kernels: list[dict[str, Any]] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    between: bool = True
    more: bool = False  # there is another n to be tried
    what: str = ""
    next_step: str = ""


def _error_about(failure: Failure, doing: str, deadline_seconds: float) -> UserError:
    """Why nothing came of it, and while what."""
    if failure.kind == "deadline":
        return UserError(
            f"the functions were not ready within {deadline_seconds:g} s: it was still {doing}",
            next_step="begin the range at an n that takes less, or import less",
        )
    last = failure.output[-1] if failure.output else "no output"
    how = failure.ending or f"failed ({failure.what})"
    return UserError(f"the process that tried the functions {how} while {doing}: {last}")
