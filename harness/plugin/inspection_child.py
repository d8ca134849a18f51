"""The child process that loads the plugins and answers an inquiry: `python -m harness.plugin.inspection_child`.

Before each step it announces what it is about to do with which plugin, so that a hang or a crash can be blamed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from harness.plugin.failure import PluginFailure
from harness.plugin.inspection import Listing, OfferData, OptionProblem, Question, Reply, TrackerData
from harness.plugin.interfaces import Projector, Runtime, Source, SourceContext, Workload
from harness.plugin.manager import Catalog, Offered, available
from harness.plugin.registration import error_line
from harness.process.server import announce, serve
from harness.validation import option_rows, validation_issues

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Say: TypeAlias = Callable[..., None]  # (plugin, action, label)


def main() -> None:
    """Answers inquiries, and ends without waiting for threads that a plugin may have left behind."""
    serve(lambda _: {"list": lambda request: answer(request, doing).model_dump(mode="json")})


def doing(plugin: str, action: str, label: str = "") -> None:
    """Says what is about to be done with a plugin."""
    announce({"plugin": plugin, "label": label or plugin.removeprefix("file:"), "action": action})


def answer(asked: Mapping[str, Any], say: Say) -> Listing:
    """Loads the plugins and describes what they offer.

    Args:
        asked: `plugin_files`, `questions`, and `without`, the identities of plugins to leave out.
        say: called with (plugin, action, label) before every step.
    """
    files = [Path(name) for name in asked.get("plugin_files", ())]
    catalog = Catalog.load(files, without=asked.get("without", ()), announce=say)
    failures = [*catalog.failures]
    offers = []
    for offered in catalog.offers:
        say(offered.origin.plugin, f"was asked to describe its {offered.kind} {offered.name!r}", offered.origin.label)
        try:
            offers.append(_described(offered))
        except (Exception, SystemExit) as error:
            what = f"its {offered.kind} {offered.name!r} cannot be described: {_error_text(error)}"
            failures.append(
                PluginFailure(plugin=offered.origin.plugin, label=offered.origin.label, stage="offers", what=what)
            )
    replies = [_reply(Question.model_validate(each), catalog, say) for each in asked.get("questions", ())]
    say("", "was asked for versions")
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
        precision=str(getattr(offer, "precision", "float32")), schemes=tuple(getattr(offer, "schemes", ())),
        family=str(getattr(offer, "family", "")), teaches=bool(getattr(offer, "teaches", False)),
        approximates=str(getattr(offer, "approximates", "")), fresh=bool(getattr(offer, "fresh", False)),
        compares=isinstance(offer, Workload) and type(offer).equal is not Workload.equal,
        options_schema=schema, option_rows=tuple(option_rows(schema)), missing=here.missing, install=here.command,
    )  # fmt: skip


def _reply(question: Question, catalog: Catalog, say: Say) -> Reply:
    """What an offer says to its options, and to what else is asked."""
    offered = next((each for each in catalog.offers if (each.kind, each.name) == (question.kind, question.name)), None)
    if offered is None:
        return Reply(key=question.key, known=False)
    say(offered.origin.plugin, f"was asked about its {question.kind} {question.name!r}", offered.origin.label)
    try:
        configured = offered.offer.with_options(question.options)
    except ValidationError as error:
        issues = validation_issues(error, type(offered.offer).Options)
        return Reply(
            key=question.key,
            problems=tuple(OptionProblem(path=each.path, what=each.what, hint=each.hint) for each in issues),
        )
    except (Exception, SystemExit) as error:
        return Reply(key=question.key, error=f"its options cannot be checked: {_error_text(error)}")
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
        return Reply(key=question.key, error=_error_text(error))
    return Reply(key=question.key)


def _of_workload(question: Question, workload: Workload) -> Reply:
    """Its functions, and where the cost of the one that was asked about jumps."""
    names = tuple(map(str, workload.rivals()))
    if not question.steps or question.function not in names:
        return Reply(key=question.key, functions=names)
    low, high = question.steps
    steps = sorted({int(n) for n in workload.steps(question.function, low, high) if low <= n < high})
    declares = type(workload).steps is not Workload.steps
    return Reply(key=question.key, functions=names, steps=tuple(steps), declares_steps=declares)


def _error_text(error: BaseException) -> str:
    from harness.errors import HarnessError

    return str(error) if isinstance(error, HarnessError) else error_line(error)


if __name__ == "__main__":
    main()
