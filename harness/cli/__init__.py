"""The command line: it parses, calls and prints. Heavy rooms are imported by the command that needs them."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import harness
from harness.cli import encoding, keeping, reading, running
from harness.cli.heads import heads
from harness.cli.register import register, submit
from harness.cli.terms import DONE, FAILED, INTERRUPTED, say
from harness.errors import HarnessError

_TRACEBACK = "HARNESS_TRACEBACK"  # environment variable

app = typer.Typer(
    name="harness",
    help="Find the problem size at which one implementation overtakes another, and check that it is still right there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_MEASURE = (running.run, running.check, running.locate, running.doctor, running.distill)
_READ = (
    reading.report, reading.verify, reading.advise, reading.compare, reading.history, reading.site, reading.view,
    reading.export, reading.tune, submit,
)  # fmt: skip
_PANELS: dict[str, tuple[Callable[..., None], ...]] = {"Measure": _MEASURE, "Read what was measured": _READ}
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(heads, name="heads", rich_help_panel="Measure")
app.add_typer(register, name="register", rich_help_panel="Read what was measured")
app.add_typer(keeping.plugins, name="plugins", rich_help_panel="Plugins and cache")
app.add_typer(keeping.cache, name="cache", rich_help_panel="Plugins and cache")


def main() -> NoReturn:
    """Runs the command line.

    It exits with 0 done, 1 failed or regressed, 2 a mistake of the user, 3 inconclusive, 130 interrupted.
    """
    signal.signal(signal.SIGTERM, _as_interrupt)
    encoding.tolerate((sys.stdout, sys.stderr))
    try:
        app(standalone_mode=True)
    except HarnessError as error:
        say(f"error: {error}", error=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("interrupted", error=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(DONE)
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        say(f"error: this is a bug of the harness: {what}; see all of it with {_TRACEBACK}=1", error=True)
        sys.exit(FAILED)
    sys.exit(DONE)


def _as_interrupt(number: int, frame: Any) -> None:  # noqa: ARG001 - the signature of a signal handler
    raise KeyboardInterrupt


def _version(wanted: bool) -> None:
    if wanted:
        say(f"crossover-harness {harness.__version__}")
        raise typer.Exit


@app.callback()
def _all(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass
