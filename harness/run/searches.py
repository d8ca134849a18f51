"""Several searches that share their launches: each runs in a thread of its own, and asks the main thread for pairs.

A search never goes back to an earlier launch, so the main thread serves whatever is asked of the present launch and
opens the next one when nobody needs this one any more. Children must be started from the main thread.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.records.crossovers import SearchSettings
from harness.search import BudgetSpent, Location, Pair, Progress, Unmeasurable
from harness.search.provisional import provisional
from harness.search.request import run_search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.plan.sweep import SearchCase
    from harness.suite.schema import Search

_PATIENCE_SECONDS = 5.0  # a search that computes comes to its next question


@dataclass(frozen=True, kw_only=True)
class Request:
    """Pairs that a search wants."""

    case: SearchCase
    heads: int
    rounds: int
    launch: int


@dataclass
class Searcher:
    """One search in its thread, seen from the main thread."""

    case: SearchCase
    request: Request | None = None
    progress: Progress | None = None
    prior: Location | None = None
    location: Location | None = None
    error: BaseException | None = None
    started: bool = False
    thread: threading.Thread | None = None
    reported: bool = False  # its estimate, when its exploration ended
    answered: int = 0  # when it was answered last, counted in answers
    seen: dict[int, list[Pair]] = field(default_factory=dict)  # in launch 0, by N
    answers: queue.Queue[Sequence[Pair] | BaseException] = field(default_factory=lambda: queue.Queue(1))

    @property
    def finished(self) -> bool:
        """It has an answer, or failed."""
        return self.location is not None or self.error is not None

    @property
    def explored(self) -> bool:
        """It needs nothing more of launch 0."""
        return self.finished or (self.request is not None and self.request.launch > 0)


class Abandoned(BaseException):
    """The run ended before the search did. No search may take it for an answer, so that it is no Exception."""


class Searches:
    """All searches of a run."""

    def __init__(
        self,
        cases: Sequence[SearchCase],
        how: Search,
        *,
        launches: int,
        seed: int,
        timed: bool = False,
        on_progress: Callable[[SearchCase, Progress], None] | None = None,
    ) -> None:
        self._how = how
        self._timed = timed or how.budget_seconds is not None
        self._launches = launches
        self._seed = seed
        self._tell = on_progress
        self._answers = 0
        self._events: queue.Queue[Searcher] = queue.Queue()
        self.searchers = [Searcher(case=case) for case in cases]

    def serve(self, launch: int, measure: Callable[[Request], Sequence[Pair]]) -> None:
        """Answers everything that is asked of one launch.

        Launch 0 explores one search after the other, so that one estimate comes soon. Later launches take turns: what a
        search measures there is spread over the launch, and no burst of a neighbour hits all of it.
        """
        while True:
            for searcher in self._ready_to_start():
                self._start(searcher)
            waiting = [each for each in self.searchers if each.request is not None and each.request.launch <= launch]
            if not waiting:
                return
            self._answer(waiting[0] if launch == 0 else min(waiting, key=lambda each: each.answered), measure)

    def next_launch(self) -> int | None:
        """The earliest launch that is still asked for; None once all searches have ended."""
        wanted = [each.request.launch for each in self.searchers if each.request is not None]
        return min(wanted, default=None)

    def close(self) -> None:
        """Ends the threads of searches that have not ended: what they asked for will never be answered."""
        for searcher in self.searchers:
            if searcher.thread is not None and not searcher.finished:
                with contextlib.suppress(queue.Full):
                    searcher.answers.put_nowait(Abandoned())
                searcher.thread.join(_PATIENCE_SECONDS)

    def asked(self, searcher: Searcher) -> SearchSettings:
        """The arguments of a search beside its case."""
        return SearchSettings(
            precision=self._how.precision,
            confidence=self._how.confidence,
            budget=self._how.budget_samples,
            budget_seconds=self._how.budget_seconds,
            launches=self._launches,
            seed=self._seed,
            prior=searcher.prior,
            neighbours=searcher.case.counts == "n" and searcher.case.method == "adaptive",
            further=self._launches if self._timed else 0,
        )

    def _answer(self, searcher: Searcher, measure: Callable[[Request], Sequence[Pair]]) -> None:
        request = searcher.request
        if request is None:
            return
        self._answers += 1
        searcher.answered = self._answers
        try:
            pairs = measure(request)
            answer: Sequence[Pair] | BaseException = pairs
            if request.launch == 0:
                searcher.seen.setdefault(request.heads, []).extend(pairs)
        except (Unmeasurable, BudgetSpent) as refused:
            answer = refused
        searcher.request = None
        searcher.answers.put(answer)
        self._wait_for_search(searcher)

    def _ready_to_start(self) -> Iterator[Searcher]:
        """Searches whose predecessor, the same race at an earlier batch size, has explored: they start from it."""
        previous: dict[str, Searcher] = {}
        for searcher in self.searchers:
            before = previous.get(searcher.case.race)
            if not searcher.started and (before is None or before.explored):
                yield searcher
            previous[searcher.case.race] = searcher

    def _start(self, searcher: Searcher) -> None:
        searcher.started = True
        searcher.prior = self._prior(searcher)
        searcher.thread = threading.Thread(target=self._run, args=(searcher,), daemon=True)
        searcher.thread.start()
        self._wait_for_search(searcher)

    def _prior(self, searcher: Searcher) -> Location | None:
        """What the same race at the batch size before has found so far."""
        same = [
            each
            for each in self.searchers
            if each.case.race == searcher.case.race and each.started and each is not searcher
        ]
        if not same:
            return None
        before = same[-1]
        if before.location is not None:
            return before.location
        return provisional(before.case.low, before.case.high, before.progress, before.seen, self._how.confidence)

    def _run(self, searcher: Searcher) -> None:
        """The body of a search's thread."""
        case = searcher.case

        def measure(heads: int, rounds: int, launch: int) -> Sequence[Pair]:
            searcher.request = Request(case=case, heads=heads, rounds=rounds, launch=launch)
            self._events.put(searcher)
            answer = searcher.answers.get()
            if isinstance(answer, BaseException):
                raise answer
            return answer

        def note(progress: Progress) -> None:
            searcher.progress = progress

        try:
            searcher.location = run_search(measure, case, self.asked(searcher), note)
        except BaseException as error:  # noqa: BLE001 - told by the main thread, whatever it is
            searcher.error = error
        self._events.put(searcher)

    def _wait_for_search(self, searcher: Searcher) -> None:
        """Sleeps until this search asks again or ends; only one search computes at a time."""
        self._events.get()
        if searcher.error is not None:
            raise searcher.error
        if self._tell is None or searcher.progress is None:
            return
        seen = searcher.progress
        if searcher.explored and not searcher.finished and not searcher.reported:
            searcher.reported, seen = True, replace(seen, stage="confirm")  # its next pairs are those of launch 1
        self._tell(searcher.case, seen)
