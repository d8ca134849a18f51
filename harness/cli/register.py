"""Commands about a register of runs: submit, register verify."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import DONE, FAILED, put, say

register = typer.Typer(help="Check a register, a folder of runs from many machines.", no_args_is_help=True)


@register.callback()
def _group() -> None:
    pass


@register.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="folder of the register", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="print the verdicts for programs")] = False,
) -> None:
    """Derive every run of a register again, and refuse what does not follow from its raw seconds."""
    from harness.commands.register import checking

    found = checking.verified(folder)
    refused = sum(not each.accepted for each in found)
    if as_json:
        put(checking.as_json(found))
    else:
        for each in found:
            say(each.sentence)
        say(f"{len(found) - refused} accepted, {refused} refused")
    sys.exit(FAILED if refused else DONE)


def submit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a complete run", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            metavar="REGISTER", help="a folder, or git+PATH, git+https://… or git+ssh://…, with #branch if wanted"
        ),
    ],
) -> None:
    """Check a run, and add its raw records to a register under a name that follows from them."""
    from harness.commands.register import submitting

    say(submitting.submit(run, to).sentence)
