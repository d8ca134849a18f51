"""The commands of `harness`: its own, and those that plugins add, which are imported when they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

from harness.errors import OfferError
from harness.plugin import built_in, commands

if TYPE_CHECKING:
    from harness.plugin.commands import PluginCommand

_OF_BUILT_INS = "Measure"
_OF_OTHERS = "Commands of plugins"


class CommandGroup(TyperGroup):
    """Commands of the harness first; a plugin cannot replace one.

    Help lists a command of an installed distribution with that distribution's summary, and runs none of its code.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands."""
        own = super().list_commands(ctx)
        return [*own, *(name for name in commands.commands() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name; that of an installed distribution is a stand-in until it is run."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        if cmd_name in built_in.COMMANDS:
            return _command(commands.built_in(cmd_name))
        found = commands.commands().get(cmd_name)
        if found is None:
            return None
        text = f"{found.summary} ({found.label})".strip()
        return TyperCommand(cmd_name, help=text, rich_help_panel=_OF_OTHERS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was typed, imported, and what follows it."""
        name, command, rest = super().resolve_command(ctx, args)
        known = name is not None and (name in self.commands or name in built_in.COMMANDS)
        return name, command if known or name is None else _command(commands.commands()[name]), rest


def _command(found: PluginCommand) -> Any:
    """A plugin's object as a command.

    Raises:
        OfferError: where it cannot be imported, or is no command.
    """
    panel = _OF_BUILT_INS if found.built_in else _OF_OTHERS
    holder = typer.Typer(add_completion=False)
    try:
        made = found.load()
        if isinstance(made, typer.Typer):
            holder.add_typer(made, name=found.name, rich_help_panel=panel)
        else:
            holder.command(found.name, rich_help_panel=panel)(made)
        return typer.main.get_group(holder).commands[found.name]
    except (Exception, SystemExit) as error:
        raise OfferError(
            f"the command {found.name!r} of {found.label} cannot be loaded: {type(error).__name__}: {error}",
            next_step="repair or uninstall that plugin",
        ) from error
