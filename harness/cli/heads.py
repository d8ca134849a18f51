"""Commands about files of heads: show."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

heads = typer.Typer(help="See what a file of heads holds.", no_args_is_help=True)


@heads.callback()
def _group() -> None:
    """Keeps `show` a command of its own while it is the only one."""


@heads.command()
def show(
    file: Annotated[Path, typer.Argument(help="an lda.db or .npz file", show_default=False)],
    projection: Annotated[
        str | None, typer.Option(help="id or name of the only projection to show; default: all")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="T, in place of the stored one")] = None,
) -> None:
    """Print the projections of a file: N, D, T, effective heads, queries, and what is odd."""
    options = {"--projection": projection, "--temperature": temperature}
    given = [f"{name}={value}" for name, value in options.items() if value is not None]
    # In a process of its own: the core imports no plugin.
    command = [sys.executable, "-m", "harness_plugins.inspection", *given, "--", str(file)]
    sys.exit(subprocess.run(command, check=False).returncode)
