"""Asks a child process what the plugins offer, so that the process that asks imports none of them."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import ChildError, UserError
from harness.plugin import inspection_cache
from harness.plugin.discovery import Kind
from harness.plugin.failure import PluginFailure
from harness.process import exit_status, messages
from harness.process.child import Child, ChildFailed
from harness.validation import unknown_component

if TYPE_CHECKING:
    from pathlib import Path

    from harness.process.failure import Failure

DEADLINE_SECONDS = 60.0
DEADLINE_VARIABLE = "HARNESS_PLUGIN_SECONDS"
CHILD = "harness.plugin.inspection_child"
_KEPT_LINES = 12  # of what a child printed before it died
_Size: TypeAlias = Annotated[int, Field(ge=-(2**53), le=2**53)]  # an N that records can hold


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SourceQuestion(_Data):
    """What a source is given when it is asked for its limit."""

    folder: str  # that relative paths in its options are relative to
    cache: str
    seed: int = 0


class Question(_Data):
    """One configured offer, and what is asked about it."""

    key: str  # the asker's own name for the question
    kind: Kind
    name: str
    options: Mapping[str, Any] = {}
    steps: tuple[int, int] | None = None  # of a projector: the range (low, high)
    limit: SourceQuestion | None = None  # of a source
    device: tuple[str, int] | None = None  # of a runtime: kind and number of the device that it is to run on
    function: str = ""  # of a workload: whose `steps` are asked for


class OptionProblem(_Data):
    """An option that an offer refuses."""

    path: tuple[str | int, ...]
    what: str
    hint: str = ""


class Reply(_Data):
    """The answer to one question."""

    key: str
    known: bool = True  # False: nobody offers it
    problems: tuple[OptionProblem, ...] = ()
    steps: tuple[_Size, ...] = ()
    declares_steps: bool = False  # of a projector: it says where its cost jumps, maybe nowhere in the range
    limit: _Size | None = None
    functions: tuple[str, ...] = ()  # of a workload: the names of its functions
    absent: str = ""  # of a runtime: why the device that was asked about is not here
    error: str = ""  # what the offer raised while it was asked


class OfferData(_Data):
    """An offer as data."""

    kind: Kind
    name: str
    description: str = ""
    plugin: str  # identity of its plugin, for `Catalog.load(only=…)`
    origin: str  # as a message names the plugin
    distribution: str = ""
    version: str = ""
    entry_point: str = ""
    file: str = ""
    forms: tuple[Literal["module", "numpy"], ...] = ()  # of projectors and runtimes
    devices: tuple[str, ...] = ()  # of runtimes
    needs_training: bool = False
    family: str = ""  # of a projector: the formula that it computes, empty for one of its own
    teaches: bool = False  # of a projector: the teacher of suites that name none
    approximates: str = ""  # of a projector: the family that it only approximates
    fresh: bool = False  # of a workload: every call gets a copy of the input
    compares: bool = False  # of a workload: it says itself which outputs are equal
    tolerance: float | None = None
    precision: str = "float32"  # of a runtime
    schemes: tuple[str, ...] = ()  # of an executor: beginnings of `--on` that mean it
    options_schema: Mapping[str, Any] = {}
    option_rows: tuple[tuple[str, str, str, str], ...] = ()  # (option, type, default, description)
    missing: tuple[str, ...] = ()  # import names that are not installed
    install: str = ""  # the command that installs them


class TrackerData(_Data):
    """A plugin that follows how a run goes."""

    plugin: str  # its identity
    label: str = ""
    when: str = ""  # an environment variable without which it has nothing to do


class Listing(_Data):
    """Everything that the plugins answered."""

    offers: tuple[OfferData, ...] = ()
    failures: tuple[PluginFailure, ...] = ()
    warnings: tuple[str, ...] = ()
    versions: Mapping[str, str] = {}
    trackers: tuple[TrackerData, ...] = ()
    excluded: tuple[str, ...] = ()  # identities of plugins that hang or crash: leave them out of every `Catalog.load`
    replies: tuple[Reply, ...] = ()

    def find(self, kind: str, name: str) -> OfferData | None:
        """The offer of this kind and name, or None."""
        return next((each for each in self.offers if (each.kind, each.name) == (kind, name)), None)

    def unknown(self, kind: str, name: str) -> tuple[str, str]:
        """(what, hint) for a name that no plugin offers."""
        return unknown_component(kind, name, self.names(kind), self.failures)

    def names(self, kind: str) -> list[str]:
        """Names of all offers of a kind, sorted."""
        return sorted(each.name for each in self.offers if each.kind == kind)

    def reply(self, key: str) -> Reply | None:
        """The reply to the question of this key, or None."""
        return self._by_key.get(key)

    @functools.cached_property
    def _by_key(self) -> Mapping[str, Reply]:
        return {each.key: each for each in reversed(self.replies)}


def inspect_plugins(
    plugin_files: Sequence[Path] = (),
    questions: Sequence[Question] = (),
    *,
    deadline_seconds: float | None = None,
    cached: bool = True,
    without: Sequence[str] = (),
) -> Listing:
    """All offers, failures and versions, and the replies to questions.

    A plugin that hangs or crashes is found by what the child said last, left out, and reported as a failure.

    Args:
        plugin_files: local plugin files.
        questions: what to ask about configured offers.
        deadline_seconds: longest that a plugin may take to import, or to answer one question; then it is given up. The
            environment variable HARNESS_PLUGIN_SECONDS if None, or a minute.
        cached: answer from the cache where nothing changed. Only answers without a failure are kept.
        without: identities of plugins to leave out.

    Raises:
        ChildError: where the child fails though no plugin can be blamed.
        UserError: where a plugin file is not there, or HARNESS_PLUGIN_SECONDS is not a number of seconds.
    """
    for path in plugin_files:
        if not path.is_file():
            raise UserError("there is no such plugin file", where=str(path), next_step="name an existing .py file")
    asked = {
        "plugin_files": [str(path.resolve()) for path in plugin_files],
        "questions": [each.model_dump() for each in questions],
        "without": sorted(without),
    }
    key = inspection_cache.key(plugin_files, asked) if cached else ""
    if key and (kept := inspection_cache.read(key)) is not None:
        with contextlib.suppress(ValueError):
            return Listing.model_validate_json(kept)
    listing = _ask_until_answered(asked, _deadline() if deadline_seconds is None else deadline_seconds)
    if key and not listing.failures:
        with contextlib.suppress(ValueError):  # the path of a plugin may hold bytes that are no UTF-8
            inspection_cache.write(key, listing.model_dump_json())
    return listing


def _deadline() -> float:
    given = os.environ.get(DEADLINE_VARIABLE, "")
    try:
        seconds = float(given or DEADLINE_SECONDS)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < threading.TIMEOUT_MAX:
        raise UserError(f"{DEADLINE_VARIABLE} is {given!r}", next_step="give it a number of seconds")
    return seconds


def _ask_until_answered(asked: Mapping[str, Any], deadline_seconds: float) -> Listing:
    culprits: dict[str, PluginFailure] = {}
    while True:
        outcome = _ask({**asked, "without": sorted({*asked["without"], *culprits})}, deadline_seconds)
        if outcome.listing is not None:
            found = outcome.listing
            failures = (*found.failures, *culprits.values())
            return found.model_copy(update={"failures": failures, "excluded": tuple(culprits)})
        if not outcome.plugin or outcome.plugin in culprits:
            printed = f", having printed: {' / '.join(outcome.output[-3:])}" if outcome.output else ""
            raise ChildError(
                f"the process that lists the plugins {outcome.what}{printed}",
                next_step="run it with `python -X faulthandler -m harness plugins`",
            )
        culprits[outcome.plugin] = PluginFailure(
            plugin=outcome.plugin, label=outcome.label, stage="import" if "imported" in outcome.action else "call",
            what=f"it {outcome.what} while it {outcome.action}", output=outcome.output,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """How one child ended, and what it was doing."""

    listing: Listing | None
    what: str
    plugin: str
    label: str
    action: str
    output: tuple[str, ...]


def _ask(asked: Mapping[str, Any], deadline_seconds: float) -> _Outcome:
    """Starts one child, and listens until it has answered, has ended, or is late."""
    doing = _Doing()
    child = Child(CHILD, {})
    listing: Listing | None = None
    what, output = "", tuple[str, ...]()
    try:
        answer = child.ask({"do": "list", **asked}, stage="import", deadline=deadline_seconds, hear=doing.hear)
        listing = messages.checked(answer, Listing)
    except messages.InvalidAnswer as error:
        what = f"sent an invalid response ({exit_status.writable(str(error))})"
    except ChildFailed as failed:
        what, output = ended(failed.failure, deadline_seconds), failed.failure.output[-_KEPT_LINES:]
    finally:
        child.close(patience=0.0)
    return _Outcome(
        listing=listing, what=what, plugin=doing.plugin, label=doing.label, action=doing.action, output=output
    )


@dataclass
class _Doing:
    """What the child has said last."""

    plugin: str = ""
    label: str = ""
    action: str = "started"

    def hear(self, notice: Mapping[str, str]) -> None:
        """A step begins."""
        self.plugin, self.label = notice.get("plugin", ""), notice.get("label", "")
        self.action = notice.get("action", "did something")


def ended(failure: Failure, deadline_seconds: float) -> str:
    """How the child ended, as what follows the name of a plugin."""
    if failure.kind == "deadline":
        return f"did not end within {deadline_seconds:g} s"
    return failure.ending or f"sent an invalid response ({failure.what})"
