"""Which contenders of a suite cannot run here since their device is absent, as their runtimes find out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugin.inspection import Question, inspect_plugins
from harness.suite.devices import kind_of, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.plugin.inspection import Listing
    from harness.suite.loading import Loaded
    from harness.suite.schema import Suite


def absent(loaded: Loaded, listing: Listing, deadline_seconds: float | None) -> dict[str, str]:
    """For each contender whose device is not here, why.

    It is asked anew each time: a device may come and go between two runs, while the rest of a listing is kept.
    """
    suite = loaded.suite
    questions = {
        name: Question(
            key=name,
            kind="runtime",
            name=contender.runtime,
            options=contender.runtime_options,
            device=(kind_of(suite.device_of(name)), number_of(suite.device_of(name))),
        )
        for name, contender in suite.contenders.items()
        if kind_of(suite.device_of(name)) != "cpu" and listing.find("runtime", contender.runtime) is not None
    }
    if not questions:
        return {}
    found = inspect_plugins(
        loaded.plugin_files,
        list(questions.values()),
        deadline_seconds=deadline_seconds,
        cached=False,
        without=listing.excluded,
    )
    replies = {name: found.reply(name) for name in questions}
    reasons = {name: reply.absent or reply.error for name, reply in replies.items() if reply is not None}
    return {name: f"the device {suite.device_of(name)} is absent: {why}" for name, why in reasons.items() if why}


def notes(suite: Suite, away: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each reason with the contenders that it concerns, and one for each race that is left out."""
    by_reason: dict[str, list[str]] = {}
    for name, why in away.items():
        by_reason.setdefault(why, []).append(name)
    for why, names in by_reason.items():
        yield f"skipped: {', '.join(names)} ({why})"
    for race in suite.races:
        lost = [repr(name) for name in (race.baseline, race.challenger) if name in away]
        if lost:
            yield f"the race {race.name!r} is skipped: it needs {' and '.join(lost)}"
