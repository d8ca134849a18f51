"""Whether the plugins can do what a suite asks of them: offers, options, forms, devices, and N within the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.cache import folder as cache_folder
from harness.errors import Problem, SuiteError
from harness.plan import call_modes, device_presence, workloads
from harness.plan.sweep import Sweep, sweep
from harness.plugin.inspection import Listing, OfferData, Question, Reply, SourceQuestion, inspect_plugins
from harness.suite.devices import kind_of
from harness.suite.schema import Contender, HeadsList, HeadsRange, Suite, Use
from harness.validation import Path as Place
from harness.validation import did_you_mean, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.plugin.discovery import Kind
    from harness.suite.loading import Loaded


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A suite that can be run."""

    suite: Suite
    sweep: Sweep
    listing: Listing
    notes: tuple[str, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    """Contenders whose plugin failed to load, and why: their cells are skipped, and the run has failed."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Contenders whose device is not here, and why: their cells are skipped, and nothing has failed."""


@dataclass(frozen=True)
class _OfferUse:
    """One use of an offer in a suite."""

    kind: Kind
    name: str
    at: Place  # where its name stands
    options_at: Place
    options: Mapping[str, Any]
    contender: str = ""  # empty for the source

    @property
    def key(self) -> str:
        return dotted(self.at)


def check_suite(loaded: Loaded, *, cache: Path | None = None, deadline_seconds: float | None = None) -> Checked:
    """Asks the plugins whether they can do what the suite wants, and spells the suite out.

    Args:
        loaded: what `harness.suite.loading.load` returned.
        cache: the folder that sources keep their files in; the user's cache folder if None.
        deadline_seconds: after which a plugin that hangs is given up; see `harness.plugin.inspection.inspect_plugins`.

    Raises:
        SuiteError: with every problem.
        ChildError: where the plugins cannot be asked.
    """
    suite = loaded.suite
    if suite.functions:
        replies = workloads.ask(loaded, deadline_seconds)
        return Checked(suite=suite, sweep=sweep(suite, replies.steps), listing=replies.listing, notes=loaded.notes)
    wanted = list(_wanted(suite))
    low, high = _span(suite)
    place = SourceQuestion(folder=str(loaded.folder), cache=str(cache or cache_folder() / "sources"), seed=suite.seed)
    questions = [
        Question(
            key=each.key,
            kind=each.kind,
            name=each.name,
            options=each.options,
            steps=(low, high) if each.kind == "projector" and low < high else None,
            limit=place if each.kind == "source" else None,
        )
        for each in wanted
    ]
    listing = inspect_plugins(loaded.plugin_files, questions, deadline_seconds=deadline_seconds)
    suite = _with_teachers(_scoring(suite, listing), listing)
    review = _Review(loaded, listing)
    for each in wanted:
        review.offer(each)
    for name, contender in suite.contenders.items():
        review.contender(name, contender)
    review.memory_limit()
    review.limits()
    review.races()
    away = device_presence.absent(loaded, listing, deadline_seconds) if not review.problems else {}
    out = {**away, **review.broken}
    if not review.problems and len(out) == len(suite.contenders):
        for name, reason in out.items():
            review.report(("contenders", name), reason)
    if review.problems:
        raise SuiteError(sorted(dict.fromkeys(review.problems), key=lambda problem: problem.line))
    spread = call_modes.spread(suite)
    suite = spread.suite
    out = {name: out[base] for name, base in spread.bases.items() if base in out}
    steps = {
        name: reply.steps
        for name, base in spread.bases.items()
        if (reply := listing.reply(dotted(("contenders", base, "projector")))) is not None and reply.declares_steps
    }
    notes = (*loaded.notes, *review.notes, *(f"not loaded: {failure}" for failure in listing.failures))
    notes += tuple(device_presence.notes(suite, away))
    spelled = sweep(suite, steps, broken=out)
    return Checked(
        suite=suite,
        sweep=spelled,
        listing=listing,
        notes=notes,
        broken={**review.broken, **{name: why for name, why in out.items() if spread.bases[name] in review.broken}},
        absent={name: why for name, why in out.items() if spread.bases[name] in away},
    )


def _scoring(suite: Suite, listing: Listing) -> Suite:
    """The same suite, in which what approximates a formula is scored whether or not it says so."""
    contenders = {
        name: each.model_copy(update={"scored": True}) if _approximates(each, listing) else each
        for name, each in suite.contenders.items()
    }
    return suite.model_copy(update={"contenders": contenders})


def _with_teachers(suite: Suite, listing: Listing) -> Suite:
    """The same suite, in which every contender has a teacher that some plugin offers."""
    contenders = {
        name: each if each.teacher else each.model_copy(update={"teacher": _teacher(each, listing)})
        for name, each in suite.contenders.items()
    }
    return suite.model_copy(update={"contenders": contenders})


def _teacher(contender: Contender, listing: Listing) -> str:
    """Of a suite that names none: whose formula the projector approximates, or else the first that declares to teach."""
    wanted = _approximates(contender, listing)
    if wanted and listing.find("projector", wanted):
        return wanted
    projectors = [each for each in listing.offers if each.kind == "projector"]
    own = [each.name for each in projectors if each.teaches and each.family in ("", each.name)]  # not what inherits it
    return next(iter(own), "")


def _approximates(contender: Contender, listing: Listing) -> str:
    """The family that an untrained contender approximates; empty where it approximates none."""
    projector = listing.find("projector", contender.projector)
    return projector.approximates if projector is not None and contender.trainer is None else ""


def _wanted(suite: Suite) -> Iterator[_OfferUse]:
    """Every use of an offer, with the place of its name and options."""
    source = suite.source
    yield _OfferUse("source", source.use, ("source", "use"), ("source", "options"), source.options)
    for name, contender in suite.contenders.items():
        at: Place = ("contenders", name)
        yield _OfferUse("projector", contender.projector, (*at, "projector"), (*at, "options"), contender.options, name)
        if contender.source is not None:
            own = contender.source
            yield _OfferUse("source", own.use, (*at, "source", "use"), (*at, "source", "options"), own.options, name)
        how = contender.runtime_options
        yield _OfferUse("runtime", contender.runtime, (*at, "runtime"), (*at, "runtime_options"), how, name)
        if contender.trainer is not None:
            own = contender.trainer
            yield _OfferUse("trainer", own.use, (*at, "trainer", "use"), (*at, "trainer", "options"), own.options, name)
        if contender.teacher:  # also of what is not trained: it may be fitted to its answers, or scored against them
            yield _OfferUse("projector", contender.teacher, (*at, "teacher"), (*at, "teacher"), {}, name)


def _span(suite: Suite) -> tuple[int, int]:
    """The smallest and the largest N that anything in a suite may visit."""
    ranges: list[HeadsRange | HeadsList] = [
        suite.heads,
        *(race.heads for race in suite.races if race.heads is not None),
    ]
    return min(each.low for each in ranges), max(each.high for each in ranges)


class _Review:
    """Collects what is wrong."""

    def __init__(self, loaded: Loaded, listing: Listing) -> None:
        self._loaded = loaded
        self._suite = loaded.suite
        self._listing = listing
        self.problems: list[Problem] = []
        self._untrained: list[str] = []
        self.broken: dict[str, str] = {}

    def report(self, path: Place, what: str, hint: str = "", *, at_key: bool = False) -> None:
        self.problems.append(self._loaded.document.problem(path, what, hint, at_key=at_key))

    def memory_limit(self) -> None:
        """A limit of the address space cannot hold a GPU's driver, which reserves as much as all memory together."""
        elsewhere = sorted(
            {kind for name in self._suite.contenders if (kind := kind_of(self._suite.device_of(name))) != "cpu"}
        )
        if self._suite.measurement.memory_limit_bytes is not None and elsewhere:
            self.report(
                ("measurement", "memory_limit_bytes"),
                f"a limit of the address space does not work with {' and '.join(elsewhere)}, whose driver needs more",
                "leave it out, or run the contenders on the cpu alone with --only",
            )

    def offer(self, wanted: _OfferUse) -> None:
        """The offer exists, can be used here, and accepts its options."""
        found = self._listing.find(wanted.kind, wanted.name)
        if found is None:
            self._unknown(wanted)
            return
        if found.missing:
            self.report(
                wanted.at,
                f"the {wanted.kind} {wanted.name!r} needs {', '.join(found.missing)}, which is not installed",
                found.install,
            )
            return
        reply = self._listing.reply(wanted.key) or Reply(key=wanted.key)
        for problem in reply.problems:
            self.report(
                (*wanted.options_at, *problem.path), problem.what, problem.hint, at_key=problem.what == "unknown key"
            )
        if reply.error:
            path = wanted.options_at if wanted.options else wanted.at
            self.report(path, f"the {wanted.kind} {wanted.name!r} cannot be used: {reply.error}")

    def _unknown(self, wanted: _OfferUse) -> None:
        what, hint = self._listing.unknown(wanted.kind, wanted.name)
        other = next((each.kind for each in self._listing.offers if each.name == wanted.name), None)
        if not did_you_mean(wanted.name, self._listing.names(wanted.kind)):
            if other:
                hint = f"{wanted.name!r} is a {other}"
            elif self._listing.failures and wanted.contender:
                self.broken.setdefault(wanted.contender, f"{what}; {hint}")
                return
        self.report(wanted.at, what, hint)

    def contender(self, name: str, contender: Contender) -> None:
        """Projector, runtime and trainer fit together."""
        at: Place = ("contenders", name)
        projector = self._listing.find("projector", contender.projector)
        runtime = self._listing.find("runtime", contender.runtime)
        if runtime is not None:
            kind = kind_of(self._suite.device_of(name))
            if kind not in runtime.devices:
                hint = f"runtimes that do: {self._runtimes(lambda each: kind in each.devices)}"
                where = (*at, "device" if contender.device else "runtime")
                self.report(where, f"the runtime {runtime.name!r} does not run on {kind}", hint)
            if projector is not None and not set(runtime.forms) & set(projector.forms):
                what = (
                    f"the runtime {runtime.name!r} takes the form {_one_of(runtime.forms)}, "
                    f"and the projector {projector.name!r} is built as {_one_of(projector.forms)}"
                )
                takers = self._runtimes(lambda each: bool(set(each.forms) & set(projector.forms)))
                self.report((*at, "runtime"), what, f"runtimes that take it: {takers}")
        if projector is None:
            return
        if contender.trainer is not None and "module" not in projector.forms:
            what = (
                f"the projector {projector.name!r} cannot be trained: "
                f"it is built as {_one_of(projector.forms)}, and trainers take modules"
            )
            self.report((*at, "trainer"), what, "leave the trainer out", at_key=True)
        if projector.needs_training and contender.trainer is None:
            self._untrained.append(name)
        teacher = self._listing.find("projector", contender.teacher)
        wanted, computed = _approximates(contender, self._listing), (teacher.family or teacher.name) if teacher else ""
        if wanted and computed and wanted != computed:
            self.report(
                (*at, "teacher"),
                f"the projector {projector.name!r} approximates {wanted}, and its teacher computes {computed}",
                f"name a teacher of the family {wanted}",
            )

    @property
    def notes(self) -> list[str]:
        """What is worth knowing before the suite runs."""
        if not self._untrained:
            return []
        *names, last = self._untrained
        if not names:
            return [f"{last} is raced untrained: its latency counts, its output means nothing"]
        raced = f"{', '.join(names)} and {last} are raced untrained"
        return [f"{raced}: their latencies count, their outputs mean nothing"]

    def _runtimes(self, fits: Any) -> str:
        return (
            ", ".join(sorted(each.name for each in self._listing.offers if each.kind == "runtime" and fits(each)))
            or "none"
        )

    def limits(self) -> None:
        """An N beyond the source of a contender that would be measured there is a problem."""
        sweep = self._suite.heads
        for name, contender in self._suite.contenders.items():
            at: Place = ("source", "use") if contender.source is None else ("contenders", name, "source", "use")
            reply = self._listing.reply(dotted(at))
            if reply is None or reply.limit is None:
                continue
            own, limit = contender.heads, reply.limit
            visited = [heads for heads in sweep.grid() if own is None or own.includes(heads)]
            if max(visited, default=0) > limit:
                where = ("heads",) if contender.source is None else at
                self._beyond(where, max(visited), contender.source or self._suite.source, limit)
            for number, race in enumerate(self._suite.races):
                high = min([race.heads.high if race.heads else sweep.high, *([own.high] if own else [])])
                if name in (race.baseline, race.challenger) and high > limit:
                    where = at if contender.source else ("races", number, "heads") if race.heads else ("heads",)
                    self._beyond(where, high, contender.source or self._suite.source, limit)

    def _beyond(self, path: Place, heads: int, source: Use, limit: int) -> None:
        where = self._suite.heads if path == ("heads",) else None
        if isinstance(where, HeadsList) and heads in where.values:
            path = (*path, "values", list(where.values).index(heads))
        elif path[-1] == "heads":
            path = (*path, "to")
        what = f"N = {heads:,} exceeds the source {source.use!r}, which has {limit:,} heads"
        self.report(path, what, f"end at {limit}, or use a source that makes any N: `harness plugins` lists them")

    def races(self) -> None:
        """A race that requires fidelity needs a challenger that can have any."""
        for number, race in enumerate(self._suite.races):
            contender = self._suite.contenders.get(race.challenger)
            if race.requires is None or contender is None or contender.trainer is not None:
                continue
            projector: OfferData | None = self._listing.find("projector", contender.projector)
            if projector is not None and projector.needs_training:
                self.report(
                    ("races", number, "requires"),
                    f"the challenger {race.challenger!r} has no trainer, so its output means nothing",
                    f"give contenders.{race.challenger} a trainer, or leave `requires` out",
                    at_key=True,
                )


def _one_of(forms: tuple[str, ...]) -> str:
    return " or ".join(repr(form) for form in forms)
