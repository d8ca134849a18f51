"""Commands that plugins add to the command line: found by name, imported only when they are run."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from harness.plugin.built_in import COMMANDS
from harness.plugin.discovery import normalised

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "crossover_harness.commands"  # of entry points: `NAME = "module:object"`


@dataclass(frozen=True, kw_only=True)
class PluginCommand:
    """A command of a plugin, not yet imported.

    Attributes:
        name: what is typed after `harness`.
        label: who adds it, as a message names it.
        summary: of the distribution that adds it, in one line; empty for a built-in.
        load: imports it: a `typer.Typer`, or a function whose arguments Typer can read.
    """

    name: str
    label: str
    summary: str = ""
    load: Callable[[], Any]

    @property
    def built_in(self) -> bool:
        """Whether it comes with the harness."""
        return self.name in COMMANDS


def commands() -> dict[str, PluginCommand]:
    """All commands of plugins by name. Built-ins claim their names first, then distributions in order of their names."""
    found = {name: built_in(name) for name in COMMANDS}
    owned = [(each.dist, each) for each in entry_points(group=GROUP) if each.dist is not None]
    for distribution, entry in sorted(owned, key=lambda each: (normalised(each[0].name), each[1].name)):
        label = f"{distribution.name} {distribution.version}"
        summary = str(distribution.metadata.json.get("summary", ""))
        found.setdefault(entry.name, PluginCommand(name=entry.name, label=label, summary=summary, load=entry.load))
    return found


def built_in(name: str) -> PluginCommand:
    """A command of a built-in plugin."""
    return PluginCommand(name=name, label="built in", load=partial(load, COMMANDS[name]))


def load(reference: str) -> Any:
    """Imports `module:object`."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
