"""What the sources of a run give, contender by contender, and whether this machine can hold it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.cache import private
from harness.errors import DataError, HarnessError, ResourceError
from harness.process.child import ChildFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.plan.plan import Plan


class SourceFacts:
    """The descriptions of all sources.

    Attributes:
        source: what the suite's source gives; the first contender's own where all have one.
        sources: what those give that contenders have for themselves, by contender.
    """

    def __init__(self, plan: Plan, ask: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        self._plan = plan
        self._ask = ask
        self.source: dict[str, Any] = {}
        self.sources: dict[str, dict[str, Any]] = {}

    def describe(self) -> None:
        """Asks every source, and refuses what this machine cannot hold.

        Raises:
            DataError: where the embeddings are not as wide as the user said.
            ResourceError: where memory or disk do not suffice.
            HarnessError: where the suite's source cannot be loaded.
        """
        specifications = self._plan.specifications
        if next(iter(specifications.values())).function:
            return
        users = self._users_of_sources()
        leading = "" if "" in users else next(iter(users))  # the suite's, where anybody uses it
        try:
            self.source = self._described(users[leading])
        except ChildFailed as failed:
            what = f"the source cannot be loaded: {failed.failure.what}"
            raise HarnessError(what, where="source.options") from failed
        for name, own in users.items():
            if name:
                with contextlib.suppress(ChildFailed):  # where it fails, its contender's cells tell
                    self.sources |= dict.fromkeys(own, self.source if name == leading else self._described(own))
        for found in (self.source, *self.sources.values()):
            if self._plan.width not in (None, found["width"]):
                raise DataError(
                    f"the embeddings are {found['width']} wide, {self._plan.width} were expected",
                    next_step=f"pass --embed-dim {found['width']}",
                )
        self._refuse_what_does_not_fit()
        for own in users.values():
            self._look_at_all_heads(own)

    def of(self, contender: str) -> dict[str, Any]:
        """What the source of a contender gives: its own where it has one, else the suite's."""
        return self.sources.get(contender, self.source)

    def digest(self, contender: str) -> str | None:
        """Of a contender's data; None for plain functions, which have none."""
        given = self.of(contender)
        return given.get("all_digest", given.get("digest"))

    def _users_of_sources(self) -> dict[str, list[str]]:
        """The contenders of each source: under an empty name those of the suite's, under a first user's its own."""
        users: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for contender, specification in self._plan.specifications.items():
            own = self._plan.suite.contenders[contender].source is not None
            name = names.setdefault(repr(specification.source), contender) if own else ""
            users.setdefault(name, []).append(contender)
        return users

    def _described(self, users: Sequence[str], *, largest: bool = False) -> dict[str, Any]:
        """What a source gives where the suite's sweep begins or, where no user takes part there, at their smallest N.

        With `largest`: at the largest N at which one of them takes part.
        """
        sizes = [each for user in users for each in self._span(user)]
        begins = self._plan.suite.heads.low
        heads = max(sizes) if largest else begins if min(sizes) <= begins <= max(sizes) else min(sizes)
        specification = self._plan.specifications[users[0]]
        request = {"do": "describe", "specification": specification.to_json(), "heads": heads}
        return self._ask(request)

    def _look_at_all_heads(self, users: Sequence[str]) -> None:
        """Notes the digest of all heads of real data, where some may change beyond the smallest N.

        Data that are made are so by their options, and as large as one likes.
        """
        given = [found for user in users if (found := self.of(user)).get("kind") == "real"]
        if not given:
            return
        with contextlib.suppress(ChildFailed):  # the cells of this N tell
            digest = self._described(users, largest=True)["digest"]
            for found in given:
                found["all_digest"] = digest

    def _span(self, contender: str) -> tuple[int, int]:
        """The smallest and the largest N at which a contender takes part."""
        sweep, heads = self._plan.sweep, self._plan.suite.heads
        sizes = [cell.heads for cell in sweep.cells if cell.contender == contender]
        sizes += [
            n for case in sweep.cases if contender in (case.baseline, case.challenger) for n in (case.low, case.high)
        ]
        return min(sizes, default=heads.low), max(sizes, default=heads.low)

    def _refuse_what_does_not_fit(self) -> None:
        """Estimates memory and disk at the largest N of each contender, and refuses with the figures."""
        import psutil

        held: dict[str, tuple[int, int, int]] = {}  # bytes of heads, largest N, bytes of a batch's weights
        for name, batches in self._plan.batch_sizes.items():
            given, heads = self.of(name), self._span(name)[1]
            width, output_width = given["width"], given["output_width"]
            mapped = given.get("matrices", 0) / max(given.get("heads", 1), 1)  # share of heads with a matrix
            one_head = int((width + output_width + mapped * width * output_width) * 4)
            held[name] = heads * one_head, heads, max(batches) * heads * 16
        one, heads, _ = max(held.values())
        kept = sum(min(each, self._plan.suite.measurement.models_in_memory_bytes) for each, _, _ in held.values())
        memory = 4 * one + kept + max(weights for _, _, weights in held.values())
        free = psutil.virtual_memory().available
        if memory > free:
            raise ResourceError(
                f"N = {heads:,} needs about {memory / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free",
                next_step="lower heads.to, or run fewer contenders with --only",
            )
        folder = cache_folder()
        private(folder)
        disk = 2 * one + sum(each for each, _, _ in held.values())
        room = psutil.disk_usage(str(folder)).free
        if disk > room:
            raise ResourceError(
                f"N = {heads:,} needs about {disk / 2**30:.1f} GiB of disk, {room / 2**30:.1f} GiB are free",
                where=str(folder),
                next_step="lower heads.to, or set HARNESS_CACHE to a larger disk",
            )
