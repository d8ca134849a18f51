"""The child process that loads the plugins and answers an inquiry: `python -m harness.plugin.inspection_child`.

It reads one JSON question from its standard input and writes JSON lines to what was its standard output: before each
step what it is about to do with which plugin, so that a hang or a crash can be blamed, and at last the listing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.plugin.inspection import FailureData, Listing, OfferData, OptionProblem, Question, Reply, TrackerData
from harness.plugin.interfaces import Projector, Runtime, Source, SourceContext, Workload
from harness.plugin.manager import Catalog, Offered, available
from harness.plugin.registration import said
from harness.process import server
from harness.validation import complaints, option_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


class Announcer:
    """Writes the protocol's lines to a descriptor that no plugin knows.

    Args:
        descriptor: where.
        mark: a line that parts the output of one plugin from that of the next; none is written where it is empty.
    """

    def __init__(self, descriptor: int, mark: str = "") -> None:
        self._descriptor = descriptor
        self._mark = mark
        self._plugin = ""

    def send(self, message: Mapping[str, Any]) -> None:
        """Writes one line."""
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._descriptor, line) :]

    def doing(self, plugin: str, action: str, label: str = "") -> None:
        """Says what is about to be done with a plugin; what another one has printed ends here."""
        if plugin != self._plugin and self._mark:
            server.flush()
            os.write(2, f"{self._mark}\n".encode())
        self._plugin = plugin
        self.send({"plugin": plugin, "label": label or plugin.removeprefix("file:"), "action": action})


def main() -> None:
    """Reads the question, answers it, and ends without waiting for threads that a plugin may have left behind."""
    die_with_parent()
    asked = json.load(sys.stdin.buffer)
    announcer = Announcer(_reserved_output(), asked.get("mark", ""))
    announcer.send({"listing": answer(asked, announcer).model_dump()})
    sys.stderr.flush()
    os._exit(0)


def answer(asked: Mapping[str, Any], announcer: Announcer) -> Listing:
    """Loads the plugins and describes what they offer.

    Args:
        asked: `plugin_files`, `questions`, and `without`, the identities of plugins to leave out.
        announcer: hears of every step.
    """
    files = [Path(name) for name in asked.get("plugin_files", ())]
    catalog = Catalog.load(files, without=asked.get("without", ()), announce=announcer.doing)
    failures = [
        FailureData(plugin=each.plugin, label=each.label, stage=each.stage, what=each.what, output=each.output)
        for each in catalog.failures
    ]
    offers = []
    for offered in catalog.offers:
        announcer.doing(
            offered.origin.plugin, f"was asked to describe its {offered.kind} {offered.name!r}", offered.origin.label
        )
        try:
            offers.append(_described(offered))
        except (Exception, SystemExit) as error:
            what = f"its {offered.kind} {offered.name!r} cannot be described: {_said(error)}"
            failures.append(
                FailureData(plugin=offered.origin.plugin, label=offered.origin.label, stage="offers", what=what)
            )
    replies = [_reply(Question.model_validate(each), catalog, announcer) for each in asked.get("questions", ())]
    announcer.doing("", "was asked for versions")
    return Listing(
        offers=tuple(offers), failures=tuple(failures), warnings=catalog.warnings, versions=catalog.versions(),
        trackers=tuple(TrackerData(**vars(each)) for each in catalog.trackers()), replies=tuple(replies),
    )  # fmt: skip


def _described(offered: Offered) -> OfferData:
    offer, origin = offered.offer, offered.origin
    schema = type(offer).Options.model_json_schema()
    here = available(offer)
    return OfferData(
        kind=offered.kind, name=offered.name, description=str(offer.description), plugin=origin.plugin,
        origin=origin.label,
        distribution=origin.distribution, version=origin.version, entry_point=origin.entry_point, file=origin.file,
        forms=tuple(getattr(offer, "forms", ())), devices=tuple(getattr(offer, "devices", ())),
        needs_training=bool(getattr(offer, "needs_training", False)), tolerance=getattr(offer, "tolerance", None),
        precision=str(getattr(offer, "precision", "float32")),
        family=str(getattr(offer, "family", "")), teaches=bool(getattr(offer, "teaches", False)),
        approximates=str(getattr(offer, "approximates", "")), fresh=bool(getattr(offer, "fresh", False)),
        compares=isinstance(offer, Workload) and type(offer).equal is not Workload.equal,
        options_schema=schema, option_rows=tuple(option_rows(schema)), missing=here.missing, install=here.command,
    )  # fmt: skip


def _reply(question: Question, catalog: Catalog, announcer: Announcer) -> Reply:
    """What an offer says to its options, and to what else is asked."""
    offered = next((each for each in catalog.offers if (each.kind, each.name) == (question.kind, question.name)), None)
    if offered is None:
        return Reply(key=question.key, known=False)
    announcer.doing(
        offered.origin.plugin, f"was asked about its {question.kind} {question.name!r}", offered.origin.label
    )
    try:
        configured = offered.offer.with_options(question.options)
    except ValidationError as error:
        told = complaints(error, type(offered.offer).Options)
        return Reply(
            key=question.key,
            problems=tuple(OptionProblem(path=each.path, what=each.what, hint=each.hint) for each in told),
        )
    except (Exception, SystemExit) as error:
        return Reply(key=question.key, error=f"its options cannot be checked: {_said(error)}")
    try:
        if question.steps and isinstance(configured, Projector):
            low, high = question.steps
            steps = sorted({int(n) for n in configured.steps(low, high) if low <= n < high})
            declares = type(configured).steps is not Projector.steps
            return Reply(key=question.key, steps=tuple(steps), declares_steps=declares)
        if isinstance(configured, Workload):
            return _of_workload(question, configured)
        if question.limit and isinstance(configured, Source):
            place = question.limit
            context = SourceContext(folder=Path(place.folder), cache=Path(place.cache), seed=place.seed)
            return Reply(key=question.key, limit=configured.limit(context))
        if question.device and isinstance(configured, Runtime):
            return Reply(key=question.key, absent=configured.absent(*question.device))
    except (Exception, SystemExit) as error:
        return Reply(key=question.key, error=_said(error))
    return Reply(key=question.key)


def _of_workload(question: Question, workload: Workload) -> Reply:
    """Its functions, and where the cost of the one that was asked about jumps."""
    names = tuple(map(str, workload.rivals()))
    if not question.steps or question.rival not in names:
        return Reply(key=question.key, rivals=names)
    low, high = question.steps
    steps = sorted({int(n) for n in workload.steps(question.rival, low, high) if low <= n < high})
    declares = type(workload).steps is not Workload.steps
    return Reply(key=question.key, rivals=names, steps=tuple(steps), declares_steps=declares)


def _said(error: BaseException) -> str:
    from harness.errors import HarnessError

    return str(error) if isinstance(error, HarnessError) else said(error)


def _reserved_output() -> int:
    """Keeps the answer's pipe for the protocol: what plugins and their libraries print goes to standard error."""
    reserved = os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a plugin that reads its standard input gets an end, and does not wait
    return reserved


def die_with_parent() -> None:
    """On Linux, asks to be killed when the parent ends; elsewhere the deadline has to do."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
