"""Commands about machines: up, worker, status. What they do is an executor's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.cli.output import DONE, FAILED, INTERRUPTED, console, say, width
from harness.errors import UserError
from harness.plugin.built_in import FLEET_EXECUTOR

if TYPE_CHECKING:
    from harness.fleet.messages import Flag
    from harness.suite.loading import Loaded

fleet = typer.Typer(
    help="Run suites on several machines: start a scheduler, lend machines, list them.", no_args_is_help=True
)
_INSTEAD = {
    "--save": "use it with a run on this machine, or with its folder",
    "--allow-plugin": "put the file into the suite's folder, with which it travels; or allow it on each machine, by "
    "HARNESS_ALLOW_PLUGINS",
}
Files = Annotated[
    list[Path] | None, typer.Option("--plugin", metavar="FILE", help="a local plugin file; may be repeated")
]


@fleet.command()
def up(
    hosts: Annotated[
        str,
        typer.Option(metavar="A,B,…", help="hosts to start a worker on, by SSH; default: none"),
    ] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port of the scheduler")] = 8786,
    executor: Annotated[str, typer.Option(metavar="NAME", help="executor that manages the machines")] = FLEET_EXECUTOR,
    files: Files = None,
) -> None:
    """Start a scheduler, and a worker on each host; Ctrl-C stops them."""
    from harness.fleet.choosing import executor as chosen

    chosen(executor, files or []).serve({"hosts": hosts, "port": str(port)}, say)


@fleet.command()
def worker(
    address: Annotated[
        str,
        typer.Argument(
            help="address that `harness fleet up` printed, such as tcp://scheduler:8786", show_default=False
        ),
    ],
    name: Annotated[str, typer.Option(help="name of this machine; default: its host name")] = "",
    files: Files = None,
) -> None:
    """Lend this machine to runs, until Ctrl-C. There can be one worker on a machine."""
    from harness.fleet.choosing import executor as chosen

    chosen(address, files or []).work({"name": name}, say)


@fleet.command()
def status(
    address: Annotated[str, typer.Argument(help="address, such as tcp://scheduler:8786, or slurm", show_default=False)],
    files: Files = None,
) -> None:
    """List the machines and their states; exit code 1 if one cannot be used."""
    from harness.fleet.choosing import executor as chosen
    from harness.report.columns import grid

    found = chosen(address, files or [])
    try:
        machines = found.machines()
    finally:
        found.close()
    rows = [(each.name, each.wrong or each.state, each.about) for each in machines]
    say(
        grid(rows, ("machine", "state", "where"), width())
        if rows
        else "no machine; start a worker on each: `harness fleet worker ADDRESS`"
    )
    raise typer.Exit(FAILED if any(each.wrong for each in machines) else DONE)


def on_machines(
    loaded: Loaded, on: str, folder: Path, *, machines: list[str], only: list[str], settings: list[str],
    flags: list[Flag], resume: bool, verbose: bool,
) -> NoReturn:  # fmt: skip
    """`harness run --on`: runs a suite on machines, prints the answer of each, and leaves."""
    from harness.fleet import coordinator
    from harness.fleet.choosing import executor as chosen
    from harness.report import writing

    found = chosen(on, loaded.plugin_files)
    try:
        wanted = coordinator.RunOptions(
            only=tuple(only), settings=tuple(settings), flags=tuple(flags), machines=tuple(machines)
        )
        ended = coordinator.run(loaded, found, folder, wanted, say, resume=resume)
    finally:
        found.close()
    for each in ended:
        if each.summary is not None:
            say(f"\n{each.machine}")
            writing.show(each.summary, console(), each.folder, verbose=verbose)
    statuses = {each.status for each in ended}
    raise SystemExit(
        DONE if statuses == {"complete"} else INTERRUPTED if statuses <= {"complete", "interrupted"} else FAILED
    )


def refused(option: str) -> UserError:
    """The sentence about an option that means nothing on other machines."""
    return UserError(f"{option} cannot be used with --on", next_step=_INSTEAD[option])
