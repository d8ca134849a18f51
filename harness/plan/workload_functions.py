"""Functions named by the workload of a plugin that they belong to, `convolution:fft`, without a suite."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from harness.errors import UserError
from harness.functions.callee import named
from harness.plan import function_groups
from harness.plugin.inspection import Question, inspect_plugins
from harness.suite.schema import Contender
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.plugin.inspection import Listing


def offered(
    functions: Sequence[object], plugins: Sequence[Path], low: int, high: int, labels: Sequence[str] = ()
) -> tuple[function_groups.FunctionGroup, tuple[int, ...]] | None:
    """The functions with what their workload says of them, and the n before each jump of a cost; None where no plugin is meant.

    A module or a file of the present folder comes before a workload of its name, unless plugin files are given.

    Raises:
        UserError: where plugins are given and none of them, and none that is installed, offers that.
    """
    pairs = [each.rpartition(":")[::2] for each in functions if isinstance(each, str)]
    names = {workload for workload, _ in pairs}
    if len(pairs) < len(functions) or (not plugins and any(map(_importable, names))):
        if plugins:
            raise UserError("plugins offer functions by name", next_step="name them as WORKLOAD:FUNCTION")
        return None
    questions = [
        Question(
            key=f"{name}:{own}", kind="workload", name=name, steps=(low, high) if low < high else None, function=own
        )
        for name, own in pairs
    ]
    listing = inspect_plugins(plugins, questions)
    if not plugins and not names & set(listing.names("workload")):
        return None
    for name, own in pairs:
        _check(listing, name, own)
    if len(names) > 1:
        raise UserError(
            f"the functions belong to {len(names)} workloads ({', '.join(sorted(names))}), which make different inputs",
            next_step="race functions of one workload",
        )
    (name,) = names
    used = list(labels) or [own for _, own in pairs]
    group = {
        function_groups.spelled(label): Contender(function=own, workload=name, projector=own, runtime="python")
        for label, (_, own) in zip(used, pairs, strict=True)
    }
    steps = {n for each in questions if (reply := listing.reply(each.key)) is not None for n in reply.steps}
    return function_groups.of_workload(group, listing), tuple(sorted(steps))


def _importable(name: str) -> bool:
    """Whether there is a module or a file of this name; nothing is imported."""
    if not name or name.endswith(".py") or "." in name or name in sys.modules:
        return True
    if named(f"{name}:function").file:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _check(listing: Listing, name: str, own: str) -> None:
    """Whether a plugin offers this function.

    Raises:
        UserError: where none does, or it cannot be used.
    """
    found = listing.find("workload", name)
    if found is None:
        what, hint = listing.unknown("workload", name)
        raise UserError(what, next_step=hint)
    if found.missing:
        raise UserError(f"the workload {name!r} needs {', '.join(found.missing)}", next_step=found.install)
    reply = listing.reply(f"{name}:{own}")
    if reply is not None and reply.error:
        raise UserError(f"the workload {name!r} cannot be used: {reply.error}", where=found.origin)
    if reply is not None and reply.problems:
        problem = reply.problems[0]
        raise UserError(
            f"the workload {name!r} needs options ({'.'.join(map(str, problem.path))}: {problem.what})",
            next_step="give them in a suite",
        )
    if reply is None or own not in reply.functions:
        known = list(reply.functions) if reply is not None else []
        hint = suggestion(own, known)
        raise UserError(f"no function {own!r} in the workload {name!r}", next_step=hint)
