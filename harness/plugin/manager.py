"""Loads plugins, survives bad ones, and settles who owns a name. For child processes: a plugin may import anything."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from harness.causes import traceback_lines
from harness.errors import OfferError
from harness.plugin import hookspecs
from harness.plugin.built_in import BUILT_IN
from harness.plugin.discovery import Origin, candidates
from harness.plugin.failure import PluginFailure
from harness.plugin.registration import Findings, Offered, collect, error_line, imported, registered
from harness.validation import unknown_component

__all__ = [
    "BUILT_IN",
    "Availability",
    "Catalog",
    "Offered",
    "Origin",
    "PluginFailure",
    "Tracker",
    "available",
]

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from harness.plugin.interfaces import Offer

NOTIFICATIONS = ("harness_run_started", "harness_measured", "harness_run_finished")


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
    lacking = [name for name in offer.requires if _is_missing(name)]
    if not lacking:
        return Availability()
    wanted = " ".join(f"'{offer.requires[name]}'" for name in lacking)
    return Availability(missing=tuple(lacking), command=f"pip install {wanted}")


def _is_missing(name: str) -> bool:
    try:
        return importlib.util.find_spec(name.partition(".")[0]) is None
    except (ImportError, ValueError):
        return True


class Catalog:
    """The offers of all plugins that could be loaded, and why the others could not."""

    def __init__(self, manager: pluggy.PluginManager, findings: Findings) -> None:
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
            announce: is called with the identity of a plugin and what is about to be done with it.

        Never raises for what a plugin does: see `failures`.
        """
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        findings = Findings()
        tell = announce or _silent
        for candidate in candidates(BUILT_IN, plugin_files, findings.warnings):
            identity = candidate.origin.plugin
            if identity in without or (only is not None and identity not in only):
                continue
            tell(identity, "was imported")
            plugin = imported(candidate, findings)
            if plugin is not None and registered(manager, candidate.origin, plugin, findings):
                tell(identity, "was asked for its offers")
                collect(manager, candidate.origin, plugin, findings)
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
        what, hint = unknown_component(kind, name, known, self.failures)
        raise OfferError(what, next_step=hint)

    def origin(self, kind: str, name: str) -> Origin | None:
        """Who offers this name; None where no plugin does."""
        return next((each.origin for each in self.offers if (each.kind, each.name) == (kind, name)), None)

    def versions(self) -> dict[str, str]:
        """Versions of the libraries that results depend on, as the plugins report them, and which plugin could not."""
        found: dict[str, str] = {}
        for identity in self.plugins:
            try:
                for answer in self._call(identity, "harness_versions"):
                    found.update({str(name): str(version) for name, version in answer.items()})
            except (Exception, SystemExit) as error:
                found[f"versions of {self.plugins[identity].label}"] = f"unknown: {error_line(error)}"
        return found

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
                what = f"{hook} raised {error_line(error)}"
                failures.append(
                    PluginFailure(
                        plugin=tracker.plugin,
                        label=tracker.label,
                        stage="notification",
                        what=what,
                        output=traceback_lines(error),
                    )
                )
        return failures

    def _call(self, identity: str, hook: str, **data: Any) -> list[Any]:
        others = [
            plugin for name, plugin in self._manager.list_name_plugin() if name != identity and plugin is not None
        ]
        results: list[Any] = self._manager.subset_hook_caller(hook, others)(**data)
        return results


def _silent(plugin: str, action: str) -> None:
    """Tells nobody."""
