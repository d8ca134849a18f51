"""Imports a plugin and takes its offers in; what it does wrong is its own failure, and nobody else's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from harness.causes import place, traceback_lines
from harness.plugin import hookspecs
from harness.plugin.embedding import Embedder
from harness.plugin.execution import Executor
from harness.plugin.failure import PluginFailure
from harness.plugin.interfaces import Offer, Projector, Runtime, Source, Trainer, Workload
from harness.validation import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pluggy

    from harness.plugin.discovery import Candidate, Kind, Origin

KINDS: Mapping[Kind, type[Offer]] = {
    "source": Source,
    "projector": Projector,
    "trainer": Trainer,
    "runtime": Runtime,
    "workload": Workload,
    "embedder": Embedder,
    "executor": Executor,
}
_HOOKS: Mapping[Kind, str] = {
    "source": "harness_sources",
    "projector": "harness_projectors",
    "trainer": "harness_trainers",
    "runtime": "harness_runtimes",
    "workload": "harness_workloads",
    "embedder": "harness_embedders",
    "executor": "harness_executors",
}


@dataclass(frozen=True, kw_only=True)
class Offered:
    """An offer, and who offers it."""

    kind: Kind
    name: str
    offer: Offer
    origin: Origin


@dataclass(kw_only=True)
class Findings:
    """What loading collects on its way."""

    offers: list[Offered] = field(default_factory=list)
    failures: list[PluginFailure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    plugins: dict[str, Origin] = field(default_factory=dict)  # by identity, those that could be registered

    def fail(self, origin: Origin, stage: str, what: str, output: Sequence[str] = ()) -> None:
        """Notes what a plugin did wrong."""
        self.failures.append(
            PluginFailure(plugin=origin.plugin, label=origin.label, stage=stage, what=what, output=tuple(output))
        )


def imported(candidate: Candidate, findings: Findings) -> Any:
    """The plugin, or None where it cannot be imported; `findings` say why."""
    try:
        return candidate.load()
    except SystemExit as error:
        findings.fail(
            candidate.origin,
            "import",
            f"it called sys.exit({error.code!r}) while it was imported",
            traceback_lines(error),
        )
    except Exception as error:
        findings.fail(candidate.origin, "import", f"it cannot be imported: {error_line(error)}", traceback_lines(error))
    return None


def registered(manager: pluggy.PluginManager, origin: Origin, plugin: Any, findings: Findings) -> bool:
    """Registers a plugin, and says at once which of its hooks do not exist (pluggy would ignore them)."""
    try:
        manager.register(plugin, origin.plugin)
    except Exception as error:
        findings.fail(origin, "hooks", f"its hooks cannot be registered: {error_line(error)}", traceback_lines(error))
        if manager.get_plugin(origin.plugin) is not None:
            manager.unregister(name=origin.plugin)
        return False
    specified = [name for name in vars(hookspecs) if name.startswith("harness_")]
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec() and not any(
            impl.optionalhook for impl in caller.get_hookimpls() if impl.plugin is plugin
        ):
            hint = suggestion(caller.name, specified)
            findings.fail(origin, "hooks", f"it implements the hook {caller.name!r}, which does not exist; {hint}")
    marked = {caller.name for caller in callers}
    for name in specified:
        if callable(getattr(plugin, name, None)) and name not in marked:
            findings.warnings.append(f"{origin.label} defines {name} without @harness.hookimpl, so it is never called")
    if not callers:
        findings.warnings.append(f"{origin.label} implements no hook, so it offers nothing")
    findings.plugins[origin.plugin] = origin
    return True


def collect(manager: pluggy.PluginManager, origin: Origin, plugin: Any, findings: Findings) -> None:
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
            findings.fail(origin, "hooks", f"{hook} raised {error_line(error)}", traceback_lines(error))
            continue
        for offer in offers:
            wrong = _fault(kind, hook, offer)
            if wrong:
                findings.fail(origin, "offers", wrong)
            else:
                _claim(Offered(kind=kind, name=offer.name, offer=offer, origin=origin), findings)


def _claim(offered: Offered, findings: Findings) -> None:
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


def error_line(error: BaseException) -> str:
    """An exception in one line, with the place in the plugin that led to it."""
    found = place(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' + lines[0] if lines else ''}{f' ({found})' if found else ''}"
