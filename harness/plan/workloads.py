"""Whether the plugins offer the workloads that a suite's functions belong to, and what they say of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.errors import Problem, SuiteError
from harness.plan.specification import OfferReference
from harness.plugin.inspection import Listing, Question, Reply, inspect_plugins
from harness.validation import dotted, suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.suite.loading import Loaded
    from harness.suite.schema import Contender
    from harness.validation import Path as Place


@dataclass(frozen=True, kw_only=True)
class WorkloadReplies:
    """What plugins said about a suite of functions."""

    listing: Listing = field(default_factory=Listing)
    steps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # by contender, of those that declare them


def ask(loaded: Loaded, deadline_seconds: float | None = None) -> WorkloadReplies:
    """Asks for the workloads of a suite's functions; nothing is asked where they have none.

    Raises:
        SuiteError: where a workload, its options or a function is wrong, with every problem.
        ChildError: where the plugins cannot be asked.
    """
    suite = loaded.suite
    wanted = {name: each for name, each in suite.contenders.items() if each.workload}
    if not wanted:
        return WorkloadReplies()
    spans = [suite.heads, *(race.heads for race in suite.races if race.heads is not None)]
    low, high = min(each.low for each in spans), max(each.high for each in spans)
    questions = [
        Question(
            key=dotted(("contenders", name)),
            kind="workload",
            name=each.workload,
            options=each.options,
            steps=(low, high) if low < high else None,
            function=each.function,
        )
        for name, each in wanted.items()
    ]
    listing = inspect_plugins(loaded.plugin_files, questions, deadline_seconds=deadline_seconds)
    problems = [each for name, contender in wanted.items() for each in _problems(loaded, listing, name, contender)]
    if problems:
        raise SuiteError(sorted(dict.fromkeys(problems), key=lambda problem: problem.line))
    replies = {name: listing.reply(dotted(("contenders", name))) for name in wanted}
    steps = {name: reply.steps for name, reply in replies.items() if reply is not None and reply.declares_steps}
    return WorkloadReplies(listing=listing, steps=steps)


def reference(listing: Listing, contender: Contender) -> OfferReference | None:
    """The workload of a contender, for the processes that call it; None where it has none."""
    if not contender.workload:
        return None
    found = listing.find("workload", contender.workload)
    plugin = found.plugin if found else ""
    return OfferReference(kind="workload", name=contender.workload, plugin=plugin, options=dict(contender.options))


def _problems(loaded: Loaded, listing: Listing, name: str, contender: Contender) -> Iterator[Problem]:
    """What is wrong with one contender's workload."""
    at: Place = ("contenders", name)
    document, found = loaded.document, listing.find("workload", contender.workload)
    if found is None:
        yield document.problem((*at, "workload"), *listing.unknown("workload", contender.workload))
        return
    if found.missing:
        what = f"the workload {found.name!r} needs {', '.join(found.missing)}, which is not installed"
        yield document.problem((*at, "workload"), what, found.install)
        return
    reply = listing.reply(dotted(at)) or Reply(key=dotted(at))
    for each in reply.problems:
        at_key = each.what == "unknown key"
        yield document.problem((*at, "options", *each.path), each.what, each.hint, at_key=at_key)
    if reply.error:
        yield document.problem((*at, "workload"), f"the workload {found.name!r} cannot be used: {reply.error}", "")
    elif not reply.problems and contender.function not in reply.functions:
        hint = suggestion(contender.function, reply.functions)
        yield document.problem((*at, "function"), f"no function {contender.function!r} in {found.name!r}", hint)
