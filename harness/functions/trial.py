"""Plain functions tried in a process of their own before a run relies on them: found, called, compared, looked through.

`python -P -m harness.functions.trial` announces what it does, and answers what is wrong, or how each function is to be called.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import itertools
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from harness import units
from harness.causes import is_own, place
from harness.errors import ContenderError, UserError
from harness.functions import allocator, likeness, remembering
from harness.functions.inputs import drawn, seeds
from harness.functions.kernel import Kernel, Takes
from harness.process import messages
from harness.process.child import Child, ChildFailed, environment
from harness.process.exit_status import writable
from harness.process.server import Operation, announce, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.process.failure import Failure

CHILD = "harness.functions.trial"
DEADLINE_SECONDS = 60.0  # for importing and calling them
_CLIMBING_SECONDS = 6.0  # for all n after the first
_LONGEST_CALL = 0.3  # seconds: at larger n nothing is tried
_FACTOR = 8  # between the n at which outputs are compared
_SHARE = 0.3  # of the seconds for them, that a call may be expected to take
_REMEMBERED = 10.0  # times as long as the second call at the same n: then an answer was remembered
_SIZES = 3  # n at which that is looked at
_SLOW_ENOUGH = 2e-5  # seconds of a first call that are told from noise
_LEFT_SHARE = 0.1  # of the call, below which what is left when it ends does not matter
_GROWTH_SECONDS = 0.15  # of one series of calls
_BLOCKS = 12
_GROWS = 1.4  # the last third of a series over its first
_RISES = 0.6  # Kendall's tau of the blocks of a series,
_RISES_ON = 0.3  # and of the second one, which begins where the first one ended


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What was learnt: the kernels as they are to be called, and what the answer has to say about them."""

    kernels: tuple[Kernel, ...]
    notes: tuple[str, ...] = ()
    between: bool = True  # they work at n between those of the list, where one was given
    more: bool = False  # there is another n to be tried


class _Outcome(NamedTuple):
    """Of one call."""

    output: Any
    given: Any  # the input, after the call
    changed: bool  # by it
    again: Any  # the output of another call


class Wrong(Exception):  # noqa: N818 - an answer: this is wrong
    """What is wrong with a function, and what to do."""

    def __init__(self, what: str, next_step: str) -> None:
        super().__init__(what)
        self.what, self.next_step = what, next_step


def tried(
    kernels: Sequence[Kernel],
    low: int,
    high: int,
    batch: int,
    *,
    seed: int = 0,
    threads: int = 1,
    deadline_seconds: float = DEADLINE_SECONDS,
    sizes: Sequence[int] = (),
) -> Tried:
    """Imports and calls rivals in a child process, so that a mistake is reported before anything is measured.

    At several n from the smallest on: what they return is compared, and whether a call changes its input, returns work that
    has not been done, remembers its answers, or takes longer the more often it was called.

    Args:
        kernels: the rivals, the first one is what others are compared with.
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
    asked = {"kernels": [each.to_json() for each in kernels], "low": low, "high": high, "batch": batch, "seed": seed}
    asked["sizes"] = sorted(set(sizes))
    asked["seconds"] = seconds = min(_CLIMBING_SECONDS, deadline_seconds / 6)
    doing = ["to start"]
    child = Child(CHILD, {}, environment={**environment(threads), **allocator.variables()})
    try:
        found = _answer(child, {"do": "try", **asked}, doing, deadline_seconds)
        ends = time.monotonic() + 2 * seconds
        with contextlib.suppress(ChildFailed):  # where one dies or hangs at a larger n, the search finds out
            while found.more:
                found = _answer(child, {"do": "climb"}, doing, max(0.0, ends - time.monotonic()))
    except messages.InvalidAnswer as error:
        raise UserError(f"the process that tried the functions answered what cannot be used ({error})") from None
    except ChildFailed as failed:
        raise _refused(failed.failure, doing[-1], deadline_seconds) from None
    finally:
        child.close(patience=0.0)
    if found.what:
        raise UserError(found.what, next_step=found.next_step)
    kernels, notes = tuple(map(Kernel.from_json, found.kernels)), tuple(map(writable, found.notes))
    return Tried(kernels=kernels, notes=notes, between=found.between)


def _answer(child: Child, request: Mapping[str, Any], doing: list[str], deadline: float) -> _Answer:
    """What the child says to a request, within so many seconds; `doing` grows by what it announces."""
    answer = child.ask(
        request,
        stage="load",
        deadline=deadline,
        hear=lambda notice: doing.append(notice.get("doing", "")),
        renewed=False,
    )
    return messages.checked(answer, _Answer)


class _Answer(messages.Answer):
    """What the child says: the functions as they are to be called, or what is wrong."""

    kernels: list[dict[str, Any]] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    between: bool = True
    more: bool = False  # there is another n to be tried
    what: str = ""
    next_step: str = ""


def _refused(failure: Failure, doing: str, deadline_seconds: float) -> UserError:
    """Why nothing came of it, and while what."""
    if failure.kind == "deadline":
        return UserError(
            f"the functions were not ready within {deadline_seconds:g} s: it was still {doing}",
            next_step="begin the range at an n that takes less, or import less",
        )
    last = failure.output[-1] if failure.output else "no output"
    how = (
        failure.what.removeprefix("the process ") if failure.kind in ("signal", "exit") else f"failed ({failure.what})"
    )
    return UserError(f"the process that tried the functions {how} while {doing}: {last}")


class Trial:
    """The child's side.

    Args:
        asked: `kernels`, `low`, `high`, `batch`, `seed`, `seconds` for what is tried beyond the smallest n, and
            `sizes` where only those n may be called.
        doing: called with what is done next.
    """

    def __init__(self, asked: Mapping[str, Any], doing: Callable[[str], None]) -> None:
        self._kernels = [Kernel.from_json(each) for each in asked["kernels"]]
        self._low, self._high, self._batch = int(asked["low"]), int(asked["high"]), int(asked["batch"])
        self._seed, self._seconds = int(asked["seed"]), float(asked["seconds"])
        self._sizes = [int(each) for each in asked.get("sizes", ())]
        self._doing = doing
        self._functions: list[Callable[..., Any]] = []
        self._setup: Callable[..., Any] | None = None
        self._equal: Callable[[Any, Any], Any] = likeness.same
        self._notes: dict[str, None] = {}
        self._apart: set[int] = set()  # functions whose values differ from those of the first one
        self._long = False  # a call took so long that larger n are not tried
        self._took: dict[int, float] = {}  # seconds of the slowest function, by n
        self._between = True
        self._heads = self._low  # the last n that was tried
        self._ends = math.inf

    def run(self) -> Tried:
        """Everything.

        Raises:
            Wrong: where something is.
        """
        found = self.begin()
        while found.more:
            found = self.climb()
        return found

    def begin(self) -> Tried:
        """What the smallest n shows.

        Raises:
            Wrong: where something is.
        """
        self._import()
        self._ends = time.monotonic() + self._seconds
        self._at(self._low)
        for number in range(len(self._kernels)):
            self._grows(number)
        self._between = self._works_between()
        return self._found()

    def climb(self) -> Tried:
        """What the next n shows, and all before.

        Raises:
            Wrong: where something is.
        """
        self._heads = self._following(self._heads)
        try:
            self._at(self._heads)
        except Wrong as wrong:
            if not isinstance(wrong.__cause__, Exception):
                raise
            self._heads = self._high  # it fails there: the search finds out from where on
        return self._found()

    def _found(self) -> Tried:
        more = self._heads < self._high and not self._long and time.monotonic() < self._ends
        if more and len(self._took) > 1:
            more = self._expected(self._following(self._heads)) < _SHARE * self._seconds
        notes = (*self._notes, *self._told())
        return Tried(kernels=tuple(self._kernels), notes=notes, between=self._between, more=more)

    def _expected(self, heads: int) -> float:
        """Seconds that a call may take at a larger n, by its growth so far."""
        (first, before), (last, now) = list(self._took.items())[-2:]
        growth = math.log(now / before) / math.log(last / first)
        return now * (heads / last) ** max(1.0, growth)

    def _following(self, heads: int) -> int:
        """The next n that is tried: several times as large, and of the list where there is one."""
        wanted = min(heads * _FACTOR, self._high)
        return next((each for each in self._sizes if each >= wanted), self._high) if self._sizes else wanted

    def _works_between(self) -> bool:
        """Whether the functions work at n between the first of the list, such as 3 where it has 2 and 4."""
        gap = next(((a, b) for a, b in itertools.pairwise(self._sizes) if b > a + 1), None)
        if gap is None or self._long:
            return True
        for heads in sorted({gap[0] + 1, min(round(math.sqrt(gap[0] * gap[1])), _FACTOR * gap[0])} - set(gap)):
            try:
                self._at(heads)
            except Wrong as wrong:
                self._note(f"no n was timed that is not in the list, since {wrong.what}")
                return False
        return True

    def _import(self) -> None:
        first = self._kernels[0]
        wanted = [each.function for each in self._kernels]
        extra = [each for each in (first.setup, first.equal) if each is not None]
        found = []
        for callee in (*wanted, *extra):
            self._doing(f"importing {callee.label}")
            try:
                found.append(callee.load())
            except ContenderError as error:
                raise Wrong(error.what, error.next_step or "name a function as module:function") from None
            except BaseException as error:  # noqa: BLE001 - whatever a module raises when it is imported
                where = callee.module or callee.label
                raise Wrong(
                    f"{where!r} cannot be imported: {said(error)}", f"`python -c 'import {where}'` shows all of it"
                ) from None
        self._functions = found[: len(wanted)]
        if first.setup is not None:
            self._setup = found[len(wanted)]
        if first.equal is not None:
            self._equal = found[-1]

    def _at(self, heads: int) -> None:
        """Everything that one n shows.

        Raises:
            Wrong: where something is; its cause is what a function raised.
        """
        given = self._draw(heads, 0)
        copied = self._copier(heads, given)
        if heads == self._low:
            self._repeats(heads, given)
            self._settle(heads, copied)
        first, *others = [self._one(number, heads, copied) for number in range(len(self._kernels))]
        for number, each in enumerate(others, 1):
            if self._kernels[0].checked:
                self._compare(heads, first, each, number)
            elif self._kernels[0].compared:
                self._tell_apart(heads, first, each, number)

    def _copier(self, heads: int, given: Any) -> Callable[[], Any]:
        """What gives equal inputs: copies, or, of what cannot be copied, the same draw once more.

        Raises:
            Wrong: where it can neither be copied nor called with twice.
        """
        copied = likeness.copier(given)
        try:
            copied()
        except Exception as error:
            if any(isinstance(each, Iterator) for each in (given if isinstance(given, tuple) else [given])):
                what = (
                    f"the setup returns {likeness.unconsumed(given) or likeness.named(given)}, which one call uses up"
                )
                raise Wrong(what, "return a list, an array or other data") from error
            return lambda: self._draw(heads, 0)
        return copied

    def _one(self, number: int, heads: int, copied: Callable[[], Any]) -> _Outcome:
        """One function at one n, called twice with equal inputs."""
        label = self._label(number)
        self._doing(f"calling {label} at n = {heads:,}")
        given = copied()
        before, kept = likeness.snapshot(given), copied()
        output, seconds = self._call(number, heads, given)
        if what := likeness.unconsumed(output):
            raise Wrong(
                f"{label} returns {what}, whose work has not been done when the call ends",
                "return its result, such as list(...) or sum(...) of it, so that the work is timed",
            )
        if self._setup is not None and before != likeness.snapshot(given) and not _unchanged(kept, given):
            self._kernels[number] = dataclasses.replace(self._kernels[number], fresh=True)
        again, next_seconds = self._call(number, heads, copied())
        if seconds > _SLOW_ENOUGH and seconds > 2 * next_seconds:  # the second one may have been disturbed
            next_seconds = min(next_seconds, self._call(number, heads, copied())[1])
        self._long |= max(seconds, next_seconds) > _LONGEST_CALL
        self._took[heads] = max(self._took.get(heads, 1e-9), next_seconds)
        self._finished(number, heads, copied, output, next_seconds)
        kernel = self._kernels[number]
        if kernel.checked and not self._alike(output, again, label):
            if kernel.equal is None and type(output).__eq__ is object.__eq__:
                raise Wrong(
                    f"{label} returns {likeness.named(output)}, of which two are never equal (it has no __eq__)",
                    "say what counts as equal (equal=, --equal), or leave the comparison out (equal=None, --no-equal)",
                )
            raise Wrong(
                f"{label} does not repeat its output at n = {heads:,}: {likeness.shown(output)}, then "
                f"{likeness.shown(again)}",
                "seed what it draws, or leave the comparison out (equal=None, --no-equal)",
            )
        if self._setup is None:
            if seconds > _SLOW_ENOUGH and seconds > _REMEMBERED * next_seconds:
                self._remembers_sizes(number, heads)
        elif self._may_remember(kernel, seconds, next_seconds) and self._remembers(number, heads):
            self._kernels[number] = dataclasses.replace(self._kernels[number], redrawn=True)
        return _Outcome(output, given, self._kernels[number].fresh, again)

    def _may_remember(self, kernel: Kernel, seconds: float, again: float) -> bool:
        """Whether it is worth a few more calls: they are short, or the second one was."""
        return not kernel.redrawn and (again <= remembering.LONGEST_SECONDS or seconds > remembering.FACTOR * again)

    def _remembers(self, number: int, heads: int) -> bool:
        """Whether inputs that it has seen, and gets again as on the clock, cost it a small part of others."""
        numbers = seeds(self._seed, 1)  # of another launch: none that it has seen
        self._doing(f"calling the setup and {self._label(number)} at n = {heads:,}")
        own = (lambda given: likeness.copier(given)()) if self._kernels[number].fresh else None
        found = remembering.remembers(
            lambda given: self._call(number, heads, given),
            lambda: self._drawn(heads, next(numbers)),
            time.perf_counter,
            own=own,
        )
        return found is not None

    def _remembers_sizes(self, number: int, heads: int) -> None:
        """Whether a fast second call was that of an answer that is remembered, and not only what is done once."""
        others = list(range(heads + 1, heads + 1 + _SIZES))
        if self._sizes:
            others = [each for each in self._sizes if each > heads][:_SIZES] or [self._high]
        pairs = []
        for other in others:
            first, *later = (self._call(number, other, self._batch)[1] for _ in range(3))
            pairs.append((first, min(later)))
            if first <= _SLOW_ENOUGH or first <= _REMEMBERED * min(later):
                return
        first, second = pairs[0]
        self._note(
            f"{self._label(number)} remembers its answers (first call at n = {others[0]:,} {units.seconds(first)}, second "
            f"{units.seconds(second)}): what is timed is remembering; give it inputs by a setup to time its work"
        )

    def _finished(self, number: int, heads: int, copied: Callable[[], Any], output: Any, seconds: float) -> None:
        """Whether an output that can be waited for, or converted, holds work that the call has left.

        Raises:
            Wrong: where it does.
        """
        if likeness.waiting(output) is None:
            return
        late = []
        for _ in range(_SIZES):
            each, _ = self._call(number, heads, copied())
            late.append(likeness.left(each, time.perf_counter))
        if (left := min(late)) > max(_SLOW_ENOUGH, _LEFT_SHARE * seconds):
            raise Wrong(
                f"{self._label(number)} returns {likeness.named(output)} with {units.seconds(left)} of work left over when the "
                f"call ends, after {units.seconds(seconds)}",
                "return what has been computed (numpy.asarray of it, or after its block_until_ready), so that the work is timed",
            )

    def _grows(self, number: int) -> None:
        """Whether calls at the smallest n take longer the more of them there were, in two series, the second going on."""
        if self._long:
            return
        self._doing(f"calling {self._label(number)} many times at n = {self._low:,}")
        copied = self._copier(self._low, self._draw(self._low, 0))
        series: list[tuple[float, float, int]] = []
        for _ in range(2):
            blocks = self._series(number, copied)
            third = len(blocks) // 3
            if third < 2 or _tau(blocks) < (_RISES_ON if series else _RISES):
                return
            series.append((statistics.median(blocks[:third]), statistics.median(blocks[-third:]), len(blocks)))
        (first, last, _), (onward, end, _) = series
        if last > _GROWS * first and onward > 0.9 * last and end > onward:
            self._note(
                f"{self._label(number)} takes longer the more often it was called (at n = {self._low:,} "
                f"{units.seconds(first)} at first, {units.seconds(end)} later): something that it keeps grows, and its time "
                "does not depend on n alone"
            )

    def _series(self, number: int, copied: Callable[[], Any]) -> list[float]:
        """Seconds of the fastest call in each of some blocks of equal duration: what else runs does not count."""
        blocks = []
        ends = time.perf_counter() + _GROWTH_SECONDS
        block = _GROWTH_SECONDS / _BLOCKS
        while (now := time.perf_counter()) < ends:
            took = []
            while time.perf_counter() - now < block:
                took.append(self._call(number, self._low, copied())[1])
            blocks.append(min(took))
        return blocks

    def _draw(self, heads: int, turn: int) -> Any:
        """An input of this n, or the batch where there is no setup."""
        if self._setup is None:
            return self._batch
        numbers = seeds(self._seed, 0)
        for _ in range(turn):
            next(numbers)
        self._doing(f"calling the setup at n = {heads:,}")
        return self._drawn(heads, next(numbers))

    def _drawn(self, heads: int, seed: int) -> Any:
        """What the setup makes of this n and seed.

        Raises:
            Wrong: where it raises.
        """
        assert self._setup is not None
        try:
            return drawn(self._setup, heads, self._batch, seed)
        except BaseException as error:
            label = self._kernels[0].setup.label if self._kernels[0].setup else ""
            raise Wrong(
                f"the setup {label!r} fails at n = {heads:,}: {said(error)}", "define it as setup(n) or setup(n, seed)"
            ) from error

    def _repeats(self, heads: int, given: Any) -> None:
        """Rivals run in processes of their own: a setup has to give each of them the same input."""
        if self._setup is None:
            return
        one, other = likeness.snapshot(given), likeness.snapshot(again := self._draw(heads, 0))
        if one is not None and one != other and not _unchanged(given, again):
            raise Wrong(
                f"the setup gives different inputs for the same seed at n = {heads:,}, so that rivals would not get the same",
                "draw from numpy.random.default_rng(seed) in setup(n, seed)",
            )

    def _settle(self, heads: int, copied: Callable[[], Any]) -> None:
        """What each function is called with; one that takes a tuple either way takes it as its rivals do."""
        ways = [self._takes(number, heads, copied) for number in range(len(self._kernels))]
        spread = ["inputs"] in ways
        for number, some in enumerate(ways):
            takes = some[-1] if spread and "inputs" in some else some[0]
            self._kernels[number] = dataclasses.replace(self._kernels[number], takes=takes)

    def _takes(self, number: int, heads: int, copied: Callable[[], Any]) -> list[Takes]:
        """What a function can be called with.

        Raises:
            Wrong: where it takes nothing of that.
        """
        label, function, given = self._label(number), self._functions[number], copied()
        wanted: list[tuple[Takes, tuple[Any, ...]]] = [("n and batch", (heads, self._batch)), ("n", (heads,))]
        if self._setup is not None:
            wanted = [("input", (given,))]
            if isinstance(given, tuple):
                wanted.append(("inputs", given))
        try:
            signature = inspect.signature(function)
        except (ValueError, TypeError):  # a builtin whose signature is not known: the call tells
            return self._answering(function, wanted, copied) or [wanted[-1][0]]
        found: list[Takes] = []
        problem = ""
        for takes, arguments in wanted:
            try:
                signature.bind(*arguments)
            except TypeError as error:
                problem = problem or str(error)
                continue
            found.append(takes)
        if found:
            return found
        if self._setup is not None:
            raise Wrong(f"{label} does not take what the setup returns: {problem}", "define it with that one argument")
        raise Wrong(f"{label} does not take (n, batch): {problem}", "define it as f(n, batch) or f(n)")

    def _answering(
        self,
        function: Callable[..., Any],
        wanted: Sequence[tuple[Takes, tuple[Any, ...]]],
        copied: Callable[[], Any],
    ) -> list[Takes]:
        """The ways in which a function can be called without an error."""
        found: list[Takes] = []
        for takes, arguments in wanted:
            given = copied()
            try:
                function(*{"input": (given,), "inputs": given}.get(takes, arguments))
            except Exception:  # noqa: BLE001, S112 - what does not take this may raise anything
                continue
            found.append(takes)
        return found

    def _call(self, number: int, heads: int, given: Any) -> tuple[Any, float]:
        """(output, seconds) of one call.

        Raises:
            Wrong: where it raises.
        """
        function, takes = self._functions[number], self._kernels[number].takes
        arguments = {"n and batch": (heads, given), "n": (heads,), "input": (given,)}.get(takes, given)
        began = time.perf_counter()
        try:
            output = function(*arguments)
        except BaseException as error:
            place = f"n = {heads:,}" + (f", batch {self._batch:,}" if takes == "n and batch" else "")
            raise Wrong(
                f"{self._label(number)} fails at {place}: {said(error)}",
                "begin the range at an n that it can do, or fix the function",
            ) from error
        return output, time.perf_counter() - began

    def _compare(self, heads: int, first: _Outcome, other: _Outcome, number: int) -> None:
        labels = self._label(0), self._label(number)
        reference, output = self._results(first, other)
        if self._alike(reference, output, " and ".join(labels)):
            return
        nothing = first.output is None and other.output is None
        do = "make the same of their input" if nothing else "return the same"
        raise Wrong(
            f"{labels[0]} and {labels[1]} do not {do} at n = {heads:,}: {likeness.shown(reference)} and "
            f"{likeness.shown(output)}",
            "fix one of them, say what counts as equal (equal=, --equal), or leave the comparison out (equal=None, --no-equal)",
        )

    def _tell_apart(self, heads: int, first: _Outcome, other: _Outcome, number: int) -> None:
        """Notes outputs that differ though each function repeats its own: without a setup that may be meant."""
        with contextlib.suppress(Exception):  # of the user's classes
            steady = all(self._equal(each.output, each.again) for each in (first, other))
            if number in self._apart or not steady or self._equal(first.output, other.output):
                return
            self._apart.add(number)
            self._note(
                f"{self._label(0)} and {self._label(number)} return different values at n = {heads:,}: "
                f"{likeness.shown(first.output)} and {likeness.shown(other.output)}; an equality would refuse that (--equal)"
            )

    def _results(self, one: _Outcome, other: _Outcome) -> tuple[Any, Any]:
        """What is compared: the outputs; of functions that return nothing what they have made of their input."""
        nothing = one.output is None and other.output is None
        if self._setup is None or (nothing and not (one.changed and other.changed)):
            return one.output, other.output
        return tuple(each.given if each.output is None else each.output for each in (one, other))

    def _alike(self, one: Any, other: Any, labels: str) -> bool:
        try:
            return bool(self._equal(one, other))
        except Exception as error:  # noqa: BLE001 - whatever the user's own comparison raises
            raise Wrong(
                f"the outputs of {labels} cannot be compared: {said(error)}",
                "say what counts as equal (equal=, --equal), or leave the comparison out (equal=None, --no-equal)",
            ) from None

    def _told(self) -> Iterator[str]:
        """What an answer has to say about how its functions were called."""
        for number, kernel in enumerate(self._kernels):
            label = self._label(number)
            if kernel.redrawn:
                yield f"{label} remembers its answers: every call got an input that it had not seen, made off the clock"
            elif kernel.fresh:
                yield f"{label} changes its input: every call got a copy of its own, made off the clock"
        if self._setup is not None and not self._kernels[0].compared:
            yield "outputs were not compared, as asked: whether the rivals compute the same is not known"

    def _note(self, text: str) -> None:
        self._notes.setdefault(text)

    def _label(self, number: int) -> str:
        return repr(self._kernels[number].function.label)


def said(error: BaseException) -> str:
    """An exception in a line, with where it came from."""
    found = place(error)
    if is_own(found.rpartition(":")[0]):  # builtins and what travels with its code have no lines of their own
        found = ""
    return f"{type(error).__name__}: {error}{f' ({Path(found).name})' if found else ''}"


def _unchanged(before: Any, after: Any) -> bool:
    """Equal by value, where that can be asked: what is only computed when it is first needed is no change."""
    try:
        return type(before) is type(after) and _identical(before, after)
    except Exception:  # noqa: BLE001 - a class of the user's may raise anything
        return False


def _identical(one: Any, other: Any) -> bool:
    import numpy as np

    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and one.shape == other.shape and np.array_equal(one, other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_unchanged, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(_unchanged(one[key], other[key]) for key in one)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, str | int | float | bytes | set | frozenset | type(None)):
        return bool(one == other)
    return False


def _tau(values: Sequence[float]) -> float:
    """Kendall's rank correlation of values with their order."""
    pairs = [(a, b) for place, a in enumerate(values) for b in values[place + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs) / max(1, len(pairs))


def operations(_: Mapping[str, Any]) -> Mapping[str, Operation]:
    """What can be asked: `try` first, and then `climb` while there is more."""
    trials: list[Trial] = []

    def begin(request: Mapping[str, Any]) -> dict[str, Any]:
        trials.append(Trial(request, lambda text: announce({"doing": text})))
        return _told(trials[-1].begin)

    return {"try": begin, "climb": lambda _: _told(trials[-1].climb)}


def _told(step: Callable[[], Tried]) -> dict[str, Any]:
    """Kernels and notes, or what is wrong and what to do."""
    try:
        found = step()
    except Wrong as wrong:
        return {"what": wrong.what, "next_step": wrong.next_step}
    about = {"notes": list(found.notes), "between": found.between, "more": found.more}
    return {"kernels": [each.to_json() for each in found.kernels], **about}


if __name__ == "__main__":
    serve(operations)
