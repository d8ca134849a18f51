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
from harness.cli import encoding, plugins_and_cache, reading, running
from harness.cli.group import CommandGroup
from harness.cli.machines import fleet
from harness.cli.output import DONE, FAILED, INTERRUPTED, say
from harness.cli.register import register, submit
from harness.errors import HarnessError, UserError
from harness.system_errors import advice

_TRACEBACK = "HARNESS_TRACEBACK"  # environment variable

app = typer.Typer(
    name="harness",
    cls=CommandGroup,
    help="Find the problem size at which one implementation overtakes another, and check that it is still right there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_MEASURE = (running.run, running.check, running.locate, running.doctor)
_READ = (
    reading.report, reading.verify, reading.advise, reading.compare, reading.history, reading.site, reading.view,
    reading.export, reading.tune, submit,
)  # fmt: skip
_PANELS: dict[str, tuple[Callable[..., None], ...]] = {"Measure": _MEASURE, "Read what was measured": _READ}
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.add_typer(fleet, name="fleet", rich_help_panel="Measure")
app.add_typer(register, name="register", rich_help_panel="Read what was measured")
app.add_typer(plugins_and_cache.plugins, name="plugins", rich_help_panel="Plugins and cache")
app.add_typer(plugins_and_cache.cache, name="cache", rich_help_panel="Plugins and cache")


def main() -> NoReturn:
    """Runs the command line.

    It exits with 0 done, 1 failed or regressed, 2 a mistake of the user, 3 inconclusive, 130 interrupted.
    """
    if sys.flags.optimize > 1:  # the library of the charts needs the docstrings that this level takes away
        command = [sys.executable, "-m", "harness", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONOPTIMIZE": "1"})  # noqa: S606 - no shell is wanted
    _open_closed_streams()
    signal.signal(signal.SIGTERM, _as_interrupt)
    encoding.tolerate((sys.stdout, sys.stderr))
    try:
        _refuse_removed_folder()
        app(standalone_mode=True)
    except HarnessError as error:
        say(f"error: {error}", error=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("interrupted", error=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        if sys.stderr is not None:
            sys.stderr.close()
        sys.exit(DONE)
    except (OSError, MemoryError) as error:  # the system's own, wherever it came up: told with the file that it names
        if os.environ.get(_TRACEBACK):
            raise
        say(f"error: {_refusal(error)}; set {_TRACEBACK}=1 to see the traceback", error=True)
        sys.exit(FAILED)
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(last.filename).name}:{last.lineno})"
        say(f"error: this is a bug in the harness: {what}; set {_TRACEBACK}=1 to see the traceback", error=True)
        sys.exit(FAILED)
    sys.exit(DONE)


def _open_closed_streams() -> None:
    """Where a shell has closed standard streams, the pipes of children would get their numbers, and be written over."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _refuse_removed_folder() -> None:
    """Relative paths mean nothing in a folder that is gone.

    Raises:
        UserError: where the current folder is.
    """
    try:
        Path.cwd()
    except OSError:
        raise UserError("the current folder no longer exists", next_step="change to another folder") from None


def _refusal(error: OSError | MemoryError) -> str:
    """What the system would not do, in words."""
    if isinstance(error, MemoryError):
        return "memory ran out"
    file = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    next_step = f"; {found}" if (found := advice(error)) else ""
    return f"{file}the system says: {error.strerror or error}{next_step}"


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
