"""The child of a trial: calls plain functions at several n, and finds what is wrong or how each is to be called.

`python -P -m harness.functions.trial_child` announces what it does, and answers with the kernels or with the problem.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import units
from harness.errors import UserError
from harness.functions import equality, memoisation
from harness.functions.growth import growth
from harness.functions.inputs import seeds
from harness.functions.kernel import Kernel
from harness.functions.loaded_kernels import LoadedKernels
from harness.functions.trial import TrialResult
from harness.process.server import Operation, announce, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_CALL = 0.3  # seconds: at larger n nothing is tried
_FACTOR = 8  # between the n at which outputs are compared
_SHARE = 0.3  # of the seconds for them, that a call may be expected to take
_REMEMBERED = 10.0  # times as long as the second call at the same n: then an answer was remembered
_SIZES = 3  # n at which that is looked at
_SLOW_ENOUGH = 2e-5  # seconds of a first call that stand out from noise
_LEFT_SHARE = 0.1  # of the call, below which what is left when it ends does not matter


class _Outcome(NamedTuple):
    """Of one call."""

    output: Any
    given: Any  # the input, after the call
    changed: bool  # by it
    again: Any  # the output of another call


class Trial:
    """Calls at the smallest n and at larger ones.

    Raises:
        UserError: where a function cannot be imported.
    """

    def __init__(self, request: Mapping[str, Any], doing: Callable[[str], None]) -> None:
        self._low, self._high, self._batch = int(request["low"]), int(request["high"]), int(request["batch"])
        self._seed, self._seconds = int(request["seed"]), float(request["seconds"])
        self._sizes = [int(each) for each in request.get("sizes", ())]
        self._doing = doing
        self._notes: dict[str, None] = {}
        self._different: set[int] = set()  # functions whose values differ from those of the first one
        self._long = False  # a call took so long that larger n are not tried
        self._took: dict[int, float] = {}  # seconds of the slowest function, by n
        self._between = True
        self._heads = self._low  # the last n that was tried
        self._ends = math.inf
        kernels = [Kernel.from_json(each) for each in request["kernels"]]
        self._loaded = LoadedKernels(kernels, self._batch, self._seed, doing)
        self._numbers = range(len(kernels))

    def run(self) -> TrialResult:
        """Everything.

        Raises:
            UserError: where something is wrong.
        """
        found = self.begin()
        while found.more:
            found = self.climb()
        return found

    def begin(self) -> TrialResult:
        """What the smallest n shows.

        Raises:
            UserError: where something is wrong.
        """
        self._ends = time.monotonic() + self._seconds
        self._try_size(self._low)
        for number in self._numbers:
            self._check_growth(number)
        self._between = self._works_between()
        return self._result()

    def climb(self) -> TrialResult:
        """What the next n shows, and all before.

        Raises:
            UserError: where something is wrong.
        """
        self._heads = self._next_size(self._heads)
        try:
            self._try_size(self._heads)
        except UserError as error:
            if not isinstance(error.__cause__, Exception):
                raise
            self._heads = self._high  # it fails there: the search finds out from where on
        return self._result()

    def _result(self) -> TrialResult:
        more = self._heads < self._high and not self._long and time.monotonic() < self._ends
        if more and len(self._took) > 1:
            more = self._expected_seconds(self._next_size(self._heads)) < _SHARE * self._seconds
        notes = (*self._notes, *self._notes_of_calls())
        return TrialResult(kernels=tuple(self._loaded.kernels), notes=notes, between=self._between, more=more)

    def _expected_seconds(self, heads: int) -> float:
        """Seconds that a call may take at a larger n, by its growth so far."""
        (first, before), (last, now) = list(self._took.items())[-2:]
        growth = math.log(now / before) / math.log(last / first)
        return float(now * (heads / last) ** max(1.0, growth))

    def _next_size(self, heads: int) -> int:
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
                self._try_size(heads)
            except UserError as error:
                self._note(f"no n was timed that is not in the list, since {error.what}")
                return False
        return True

    def _try_size(self, heads: int) -> None:
        """Everything that one n shows.

        Raises:
            UserError: where something is wrong; its cause is what a function raised.
        """
        given = self._loaded.first_input(heads)
        copied = self._copier(heads, given)
        if heads == self._low:
            self._check_repeats(heads, given)
            self._choose_forms(heads, copied)
        first, *others = [self._call_twice(number, heads, copied) for number in self._numbers]
        for number, each in enumerate(others, 1):
            if self._loaded.kernels[0].checked:
                self._compare(heads, first, each, number)
            elif self._loaded.kernels[0].compared:
                self._note_difference(heads, first, each, number)

    def _copier(self, heads: int, given: Any) -> Callable[[], Any]:
        """What gives equal inputs: copies, or, of what cannot be copied, the same draw once more.

        Raises:
            UserError: where it can neither be copied nor called with twice.
        """
        copied = equality.copier(given)
        try:
            copied()
        except Exception as error:
            if any(isinstance(each, Iterator) for each in (given if isinstance(given, tuple) else [given])):
                what = f"the setup returns {equality.unconsumed(given) or equality.type_name(given)}, which one call uses up"
                raise UserError(what, next_step="return a list, an array or other data") from error
            return lambda: self._loaded.first_input(heads)
        return copied

    def _check_repeats(self, heads: int, given: Any) -> None:
        """Functions run in processes of their own: a setup has to give each of them the same input."""
        if not self._loaded.has_setup:
            return
        one, other = equality.snapshot(given), equality.snapshot(again := self._loaded.first_input(heads))
        if one is not None and one != other and not equality.unchanged(given, again):
            raise UserError(
                f"the setup gives different inputs for the same seed at n = {heads:,}, so that functions would not get the same",
                next_step="draw from numpy.random.default_rng(seed) in setup(n, seed)",
            )

    def _choose_forms(self, heads: int, copied: Callable[[], Any]) -> None:
        """What each function is called with; one that takes a tuple either way takes it as the others do."""
        forms = [self._loaded.forms(number, heads, copied) for number in self._numbers]
        spread = ["inputs"] in forms
        for number, some in enumerate(forms):
            self._loaded.learn(number, takes=some[-1] if spread and "inputs" in some else some[0])

    def _call_twice(self, number: int, heads: int, copied: Callable[[], Any]) -> _Outcome:
        """One function at one n, called twice with equal inputs."""
        loaded, label = self._loaded, self._loaded.label(number)
        self._doing(f"calling {label} at n = {heads:,}")
        given = copied()
        before, kept = equality.snapshot(given), copied()
        output, seconds = loaded.call(number, heads, given)
        if what := equality.unconsumed(output):
            raise UserError(
                f"{label} returns {what}, whose work has not been done when the call ends",
                next_step="return its result, such as list(...) or sum(...) of it, so that the work is timed",
            )
        if loaded.has_setup and before != equality.snapshot(given) and not equality.unchanged(kept, given):
            loaded.learn(number, fresh=True)
        again, next_seconds = loaded.call(number, heads, copied())
        if seconds > _SLOW_ENOUGH and seconds > 2 * next_seconds:  # the second one may have been disturbed
            next_seconds = min(next_seconds, loaded.call(number, heads, copied())[1])
        self._long |= max(seconds, next_seconds) > _LONGEST_CALL
        self._took[heads] = max(self._took.get(heads, 1e-9), next_seconds)
        self._check_finished(number, heads, copied, output, next_seconds)
        kernel = loaded.kernels[number]
        if kernel.checked and not loaded.same_output(output, again, label):
            if kernel.equal is None and getattr(type(output), "__eq__", None) is object.__eq__:
                raise UserError(
                    f"{label} returns {equality.type_name(output)}, of which two are never equal (it has no __eq__)",
                    next_step="define what counts as equal (equal=, --equal), or leave the comparison out "
                    "(equal=None, --no-equal)",
                )
            raise UserError(
                f"{label} does not repeat its output at n = {heads:,}: {equality.preview(output)}, then "
                f"{equality.preview(again)}",
                next_step="seed what it draws, or leave the comparison out (equal=None, --no-equal)",
            )
        if not loaded.has_setup:
            if seconds > _SLOW_ENOUGH and seconds > _REMEMBERED * next_seconds:
                self._check_memory_of_sizes(number, heads)
        elif self._is_memory_suspected(kernel, seconds, next_seconds) and self._remembers_inputs(number, heads):
            loaded.learn(number, redrawn=True)
        return _Outcome(output, given, loaded.kernels[number].fresh, again)

    def _is_memory_suspected(self, kernel: Kernel, seconds: float, again: float) -> bool:
        """Whether it is worth a few more calls: they are short, or the second one was."""
        return not kernel.redrawn and (again <= memoisation.LONGEST_SECONDS or seconds > memoisation.FACTOR * again)

    def _remembers_inputs(self, number: int, heads: int) -> bool:
        """Whether inputs that it has seen, and gets again as on the clock, cost it a small part of others."""
        numbers = seeds(self._seed, 1)  # of another launch: none that it has seen
        self._doing(f"calling the setup and {self._loaded.label(number)} at n = {heads:,}")
        own = (lambda given: equality.copier(given)()) if self._loaded.kernels[number].fresh else None
        found = memoisation.time_repeated(
            lambda given: self._loaded.call(number, heads, given),
            lambda: self._loaded.input(heads, next(numbers)),
            time.perf_counter,
            own=own,
        )
        return found is not None

    def _check_memory_of_sizes(self, number: int, heads: int) -> None:
        """Notes where a fast second call was that of an answer that is remembered, and not only what is done once."""
        others = list(range(heads + 1, heads + 1 + _SIZES))
        if self._sizes:
            others = [each for each in self._sizes if each > heads][:_SIZES] or [self._high]
        pairs = []
        for other in others:
            first, *later = (self._loaded.call(number, other, self._batch)[1] for _ in range(3))
            pairs.append((first, min(later)))
            if first <= _SLOW_ENOUGH or first <= _REMEMBERED * min(later):
                return
        first, second = pairs[0]
        self._note(
            f"{self._loaded.label(number)} remembers its answers (first call at n = {others[0]:,} {units.seconds(first)}, "
            f"second {units.seconds(second)}): what is timed is remembering; give it inputs by a setup to time its work"
        )

    def _check_finished(self, number: int, heads: int, copied: Callable[[], Any], output: Any, seconds: float) -> None:
        """Whether an output that can be waited for, or converted, holds work that the call has left.

        Raises:
            UserError: where it does.
        """
        if equality.finisher(output) is None:
            return
        late = []
        for _ in range(_SIZES):
            each, _ = self._loaded.call(number, heads, copied())
            late.append(equality.unfinished_seconds(each, time.perf_counter))
        if (left := min(late)) > max(_SLOW_ENOUGH, _LEFT_SHARE * seconds):
            raise UserError(
                f"{self._loaded.label(number)} returns {equality.type_name(output)} with {units.seconds(left)} of work left over "
                f"when the call ends, after {units.seconds(seconds)}",
                next_step="return what has been computed (numpy.asarray of it, or after its block_until_ready), so that the "
                "work is timed",
            )

    def _check_growth(self, number: int) -> None:
        """Notes where calls at the smallest n take longer the more of them there were."""
        if self._long:
            return
        label = self._loaded.label(number)
        self._doing(f"calling {label} many times at n = {self._low:,}")
        copied = self._copier(self._low, self._loaded.first_input(self._low))
        if (found := growth(lambda: self._loaded.call(number, self._low, copied())[1])) is not None:
            self._note(
                f"{label} takes longer the more often it was called (at n = {self._low:,} {units.seconds(found[0])} at first, "
                f"{units.seconds(found[1])} later): something that it keeps grows, and its time does not depend on n alone"
            )

    def _compare(self, heads: int, first: _Outcome, other: _Outcome, number: int) -> None:
        """Compares what a function computes with that of the first."""
        labels = self._loaded.label(0), self._loaded.label(number)
        reference, output = self._results(first, other)
        if self._loaded.same_output(reference, output, " and ".join(labels)):
            return
        nothing = first.output is None and other.output is None
        do = "make the same of their input" if nothing else "return the same"
        raise UserError(
            f"{labels[0]} and {labels[1]} do not {do} at n = {heads:,}: {equality.preview(reference)} and "
            f"{equality.preview(output)}",
            next_step="fix one of them, define what counts as equal (equal=, --equal), or leave the comparison out "
            "(equal=None, --no-equal)",
        )

    def _results(self, one: _Outcome, other: _Outcome) -> tuple[Any, Any]:
        """What is compared: the outputs; of functions that return nothing what they have made of their input."""
        nothing = one.output is None and other.output is None
        if not self._loaded.has_setup or (nothing and not (one.changed and other.changed)):
            return one.output, other.output
        return tuple(each.given if each.output is None else each.output for each in (one, other))

    def _note_difference(self, heads: int, first: _Outcome, other: _Outcome, number: int) -> None:
        """Notes outputs that differ though each function repeats its own: without a setup that may be meant."""
        loaded = self._loaded
        with contextlib.suppress(Exception):  # of the user's classes
            steady = all(loaded.equal(each.output, each.again) for each in (first, other))
            if number in self._different or not steady or loaded.equal(first.output, other.output):
                return
            self._different.add(number)
            self._note(
                f"{loaded.label(0)} and {loaded.label(number)} return different values at n = {heads:,}: "
                f"{equality.preview(first.output)} and {equality.preview(other.output)}; an equality would refuse that (--equal)"
            )

    def _notes_of_calls(self) -> Iterator[str]:
        """What an answer has to say about how its functions were called."""
        for number, kernel in enumerate(self._loaded.kernels):
            label = self._loaded.label(number)
            if kernel.redrawn:
                yield f"{label} remembers its answers: every call got an input that it had not seen, made off the clock"
            elif kernel.fresh:
                yield f"{label} changes its input: every call got a copy of its own, made off the clock"
        if self._loaded.has_setup and not self._loaded.kernels[0].compared:
            yield "outputs were not compared, as asked: whether the functions compute the same is not known"

    def _note(self, text: str) -> None:
        self._notes.setdefault(text)


def operations(_: Mapping[str, Any]) -> Mapping[str, Operation]:
    """What can be asked: `try` first, and then `climb` while there is more."""
    trials: list[Trial] = []

    def begin(request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            trials.append(Trial(request, lambda text: announce({"doing": text})))
        except UserError as error:
            return {"what": error.what, "next_step": error.next_step}
        return _answered(trials[-1].begin)

    return {"try": begin, "climb": lambda _: _answered(trials[-1].climb)}


def _answered(step: Callable[[], TrialResult]) -> dict[str, Any]:
    """Kernels and notes, or what is wrong and what to do."""
    try:
        found = step()
    except UserError as error:
        return {"what": error.what, "next_step": error.next_step}
    about = {"notes": list(found.notes), "between": found.between, "more": found.more}
    return {"kernels": [each.to_json() for each in found.kernels], **about}


if __name__ == "__main__":
    serve(operations)
