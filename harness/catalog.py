"""Loads plugins, survives bad ones, and settles who owns a name. For child processes: a plugin may import anything."""

from __future__ import annotations

import importlib.util
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy
from pydantic import BaseModel

from harness import hookspecs
from harness.contracts import Offer, Projector, Runtime, Source, Trainer
from harness.discovery import Candidate, Kind, Origin, candidates
from harness.errors import OfferError
from harness.validation import did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

# In the order in which they claim names. Written as a stranger would write them; each offers what its hooks return.
BUILT_IN = (
    "harness_plugins.lda",
    "harness_plugins.lda_blocked",
    "harness_plugins.transformer",
    "harness_plugins.students",
    "harness_plugins.residual",
    "harness_plugins.distillation",
    "harness_plugins.recipe",
    "harness_plugins.python",
    "harness_plugins.eager",
    "harness_plugins.torchscript",
    "harness_plugins.onnxruntime",
    "harness_plugins.reduced_precision",
    "harness_plugins.inductor",
    "harness_plugins.sources",
    "harness_plugins.resampled",
    "harness_plugins.mlflow",
)
KINDS: Mapping[Kind, type[Offer]] = {"source": Source, "projector": Projector, "trainer": Trainer, "runtime": Runtime}
_HOOKS: Mapping[Kind, str] = {
    "source": "harness_sources",
    "projector": "harness_projectors",
    "trainer": "harness_trainers",
    "runtime": "harness_runtimes",
}
NOTIFICATIONS = ("harness_run_started", "harness_measured", "harness_run_finished")


@dataclass(frozen=True, kw_only=True)
class Offered:
    """An offer, and who offers it."""

    kind: Kind
    name: str
    offer: Offer
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class PluginFailure:
    """A plugin, or a part of one, that cannot be used; everything else goes on."""

    plugin: str
    label: str
    stage: str  # import, hooks, offers, versions, notification
    what: str
    output: tuple[str, ...] = ()  # the end of its traceback, or of what it printed

    def __str__(self) -> str:
        return f"{self.label}: {self.what}"


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """A plugin that implements a lifecycle hook."""

    plugin: str
    label: str
    when: str = ""  # its `harness_tracks_when`: an environment variable without which it has nothing to do


@dataclass(frozen=True, kw_only=True)
class Availability:
    """Whether an offer can be used here."""

    missing: tuple[str, ...] = ()  # import names

    command: str = ""  # what installs them

    @property
    def here(self) -> bool:
        """Nothing is missing."""
        return not self.missing


def available(offer: Offer) -> Availability:
    """What an offer needs that is not installed (from its `requires`), and the command that installs it."""
    lacking = [name for name in offer.requires if _lacks(name)]
    if not lacking:
        return Availability()
    wanted = " ".join(f"'{offer.requires[name]}'" for name in lacking)
    return Availability(missing=tuple(lacking), command=f"pip install {wanted}")


def _lacks(name: str) -> bool:
    try:
        return importlib.util.find_spec(name.partition(".")[0]) is None
    except (ImportError, ValueError):
        return True


@dataclass(kw_only=True)
class _Findings:
    """What loading collects on its way."""

    offers: list[Offered] = field(default_factory=list)
    failures: list[PluginFailure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    plugins: dict[str, Origin] = field(default_factory=dict)  # by identity, those that could be registered

    def fail(self, origin: Origin, stage: str, what: str, output: Sequence[str] = ()) -> None:
        self.failures.append(
            PluginFailure(plugin=origin.plugin, label=origin.label, stage=stage, what=what, output=tuple(output))
        )


class Catalog:
    """The offers of all plugins that could be loaded, and why the others could not."""

    def __init__(self, manager: pluggy.PluginManager, findings: _Findings) -> None:
        self._manager = manager
        self.offers = tuple(findings.offers)
        self.failures = tuple(findings.failures)
        self.warnings = tuple(findings.warnings)
        self.plugins: Mapping[str, Origin] = dict(findings.plugins)

    @classmethod
    def load(
        cls,
        plugin_files: Sequence[Path] = (),
        *,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        announce: Callable[[str, str], None] | None = None,
    ) -> Catalog:
        """Loads the built-in plugins, those of installed distributions in order of their names, and local files.

        Args:
            plugin_files: Python files that are plugins, loaded last.
            only: identities of the plugins to load (`Offered.origin.plugin`), so that a process imports no more than it
                needs; all if None.
            without: identities of plugins to leave out, because they hang or crash.
            announce: is told the identity of a plugin and what is about to be done with it, before it is done.

        Never raises for what a plugin does: see `failures`.
        """
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        findings = _Findings()
        tell = announce or _silent
        for candidate in candidates(BUILT_IN, plugin_files, findings.warnings):
            identity = candidate.origin.plugin
            if identity in without or (only is not None and identity not in only):
                continue
            tell(identity, "was imported")
            plugin = _imported(candidate, findings)
            if plugin is not None and _registered(manager, candidate.origin, plugin, findings):
                tell(identity, "was asked for its offers")
                _collect(manager, candidate.origin, plugin, findings)
        return cls(manager, findings)

    def get(self, kind: str, name: str) -> Offer:
        """The offer of this kind and name.

        Raises:
            OfferError: where there is none; it says which name is near, and which plugins failed to load.
        """
        for offered in self.offers:
            if (offered.kind, offered.name) == (kind, name):
                return offered.offer
        known = [offered.name for offered in self.offers if offered.kind == kind]
        what, hint = unknown(kind, name, known, [str(failure) for failure in self.failures])
        raise OfferError(what, next_step=hint)

    def origin(self, kind: str, name: str) -> Origin | None:
        """Who offers this name; None where nobody does."""
        return next((each.origin for each in self.offers if (each.kind, each.name) == (kind, name)), None)

    def versions(self) -> dict[str, str]:
        """Versions of the libraries that results depend on, as the plugins tell them, and which plugin could not."""
        told: dict[str, str] = {}
        for identity in self.plugins:
            try:
                for answer in self._call(identity, "harness_versions"):
                    told.update({str(name): str(version) for name, version in answer.items()})
            except (Exception, SystemExit) as error:
                told[f"versions of {self.plugins[identity].label}"] = f"unknown: {_said(error)}"
        return told

    def trackers(self) -> tuple[Tracker, ...]:
        """The plugins that implement a lifecycle hook."""
        hooks = [getattr(self._manager.hook, name) for name in NOTIFICATIONS]
        implementing = {each.plugin_name: each.plugin for hook in hooks for each in hook.get_hookimpls()}
        return tuple(
            Tracker(
                plugin=identity,
                label=origin.label,
                when=str(getattr(implementing[identity], "harness_tracks_when", "")),
            )
            for identity, origin in self.plugins.items()
            if identity in implementing
        )

    def notify(self, hook: str, **data: Any) -> list[PluginFailure]:
        """Calls a lifecycle hook of every plugin; what one raises is returned, and the others are still called."""
        failures = []
        for tracker in self.trackers():
            try:
                self._call(tracker.plugin, hook, **data)
            except (Exception, SystemExit) as error:
                what = f"{hook} raised {_said(error)}"
                failures.append(
                    PluginFailure(
                        plugin=tracker.plugin, label=tracker.label, stage="notification", what=what, output=_tail(error)
                    )
                )
        return failures

    def _call(self, identity: str, hook: str, **data: Any) -> list[Any]:
        others = [
            plugin for name, plugin in self._manager.list_name_plugin() if name != identity and plugin is not None
        ]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**data)
        return results


def unknown(kind: str, name: str, known: Iterable[str], failures: Sequence[str]) -> tuple[str, str]:
    """(what, hint) for a name that nobody offers: the near name, else what failed to load, else what there is."""
    known = sorted(known)
    near = nearest(name, known)
    hint = did_you_mean(name, known) if near else f"there are {', '.join(known)}" if known else "no plugin offers any"
    if failures:
        hint += f"; a plugin that failed to load may be the one: {'; '.join(failures)}"
    return f"no {kind} {name!r}", hint


def _imported(candidate: Candidate, findings: _Findings) -> Any:
    try:
        return candidate.load()
    except SystemExit as error:
        findings.fail(
            candidate.origin, "import", f"it called sys.exit({error.code!r}) while it was imported", _tail(error)
        )
    except Exception as error:
        findings.fail(candidate.origin, "import", f"it cannot be imported: {_said(error)}", _tail(error))
    return None


def _registered(manager: pluggy.PluginManager, origin: Origin, plugin: Any, findings: _Findings) -> bool:
    """Registers a plugin, and says at once which of its hooks do not exist (pluggy would ignore them)."""
    try:
        manager.register(plugin, origin.plugin)
    except Exception as error:
        findings.fail(origin, "hooks", f"its hooks cannot be registered: {_said(error)}", _tail(error))
        if manager.get_plugin(origin.plugin) is not None:
            manager.unregister(name=origin.plugin)
        return False
    specified = [name for name in vars(hookspecs) if name.startswith("harness_")]
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec() and not any(
            impl.optionalhook for impl in caller.get_hookimpls() if impl.plugin is plugin
        ):
            hint = did_you_mean(caller.name, specified) or f"there are {', '.join(specified)}"
            findings.fail(origin, "hooks", f"it implements the hook {caller.name!r}, which does not exist; {hint}")
    marked = {caller.name for caller in callers}
    for name in specified:
        if callable(getattr(plugin, name, None)) and name not in marked:
            findings.warnings.append(f"{origin.label} defines {name} without @harness.hookimpl, so it is never called")
    if not callers:
        findings.warnings.append(f"{origin.label} implements no hook, so it offers nothing")
    findings.plugins[origin.plugin] = origin
    return True


def _collect(manager: pluggy.PluginManager, origin: Origin, plugin: Any, findings: _Findings) -> None:
    """Asks one plugin for its offers, hook by hook, so that what it does wrong is its own failure only."""
    others = [each for name, each in manager.list_name_plugin() if name != origin.plugin and each is not None]
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or []}
    for kind, hook in _HOOKS.items():
        if hook not in implemented:
            continue
        try:
            answers = manager.subset_hook_caller(hook, others)()
            if not answers:
                findings.warnings.append(f"{hook} of {origin.label} returned nothing")
            offers = [offer for answer in answers for offer in answer]
        except (Exception, SystemExit) as error:
            findings.fail(origin, "hooks", f"{hook} raised {_said(error)}", _tail(error))
            continue
        for offer in offers:
            wrong = _fault(kind, hook, offer)
            if wrong:
                findings.fail(origin, "offers", wrong)
            else:
                _claim(Offered(kind=kind, name=offer.name, offer=offer, origin=origin), findings)


def _claim(offered: Offered, findings: _Findings) -> None:
    """Adds an offer unless its name is taken: the first keeps it."""
    for other in findings.offers:
        if (other.kind, other.name) == (offered.kind, offered.name):
            findings.fail(
                offered.origin, "offers",
                f"its {offered.kind} {offered.name!r} is not used: {other.origin.label} already offers that name; "
                "rename one of them",
            )  # fmt: skip
            return
    findings.offers.append(offered)


def _fault(kind: Kind, hook: str, offer: Any) -> str:
    """What makes an offer unusable; empty where nothing does."""
    wanted = KINDS[kind]
    if isinstance(offer, type):
        return f"{hook} returned the class {offer.__name__}; return an instance, {offer.__name__}()"
    if not isinstance(offer, wanted):
        return f"{hook} returned {type(offer).__name__}, which is not a harness.{wanted.__name__}"
    name = getattr(offer, "name", None)
    if not isinstance(name, str) or not name.strip() or any(letter.isspace() for letter in name):
        return f"{hook} returned {type(offer).__name__}, whose `name` is {name!r}; give it a name without blanks"
    options = getattr(offer, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        return f"the {kind} {name!r} has an `Options` that is not a pydantic model; derive it from harness.Options"
    forms = getattr(offer, "forms", ("module",))
    if not isinstance(forms, tuple | list) or not forms or any(form not in ("module", "numpy") for form in forms):
        return f"the {kind} {name!r} has forms = {forms!r}; it takes a tuple of 'module' and 'numpy'"
    return ""


def _said(error: BaseException) -> str:
    """An exception in one line, with the place in the plugin where it was raised."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and "pluggy" not in frame.filename
    ]
    own = [frame for frame in frames if Path(frame.filename).parent != Path(__file__).parent]
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + lines[0] if lines else ''}{place}"


def _tail(error: BaseException) -> tuple[str, ...]:
    text = "".join(traceback.format_exception(error))
    return tuple(text.rstrip().splitlines()[-6:])


def _silent(plugin: str, action: str) -> None:
    """Tells nobody."""
