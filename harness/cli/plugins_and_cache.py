"""Commands about what is there: plugins, and the cache of trained and exported students."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import say, width

plugins = typer.Typer(
    help="List the components that plugins offer, show the options of one, start a new plugin.", no_args_is_help=False
)
cache = typer.Typer(help="List or clear the cache of trained and exported students.", no_args_is_help=True)
Files = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="a local plugin file; may be repeated")
]


@plugins.callback(invoke_without_command=True)
def _list(
    context: typer.Context,
    files: Files = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="print the tracebacks of plugins that failed to load")
    ] = False,
) -> None:
    """List every component: kind, name, origin, what it does, and whether it can run here."""
    if context.invoked_subcommand is not None:
        return
    from harness.plugin.inspection import inspect_plugins
    from harness.report import plugins as offers

    say(offers.listing(inspect_plugins(files or []), width(), verbose=verbose))


@plugins.command()
def show(
    name: Annotated[str, typer.Argument(help="name of a component", show_default=False)], files: Files = None
) -> None:
    """Show a component and its options."""
    from harness.plugin.inspection import inspect_plugins
    from harness.report import plugins as offers

    say(offers.details(inspect_plugins(files or []), name, width()))


@plugins.command()
def new(
    name: Annotated[str, typer.Argument(help="name of the component, such as low-rank", show_default=False)],
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="folder of the project; new or empty", show_default=False)
    ],
    kind: Annotated[str, typer.Option(help="projector, runtime, trainer, source or embedder")] = "projector",
) -> None:
    """Start a plugin project that installs, passes its own test, and runs."""
    from harness.plugin import scaffold
    from harness.plugin.inspection import inspect_plugins

    taken = [offer.name for offer in inspect_plugins().offers if offer.kind == kind]
    for path in scaffold.write(name, kind, folder, taken=taken):
        say(f"wrote {path}")
    say(scaffold.next_steps(folder, name, kind))


@cache.command("list")
def list_() -> None:
    """List the cached folders, the most recently used first."""
    from harness.cache import folder
    from harness.measure.artifacts import Artifacts
    from harness.report import plugins as offers

    say(offers.cache_contents(Artifacts(folder()), width()))


@cache.command()
def clear() -> None:
    """Empty the cache; students are trained and exported again when they are needed."""
    from harness import units
    from harness.cache import folder
    from harness.measure.artifacts import Artifacts

    say(f"freed {units.size(Artifacts(folder()).clear())}")
