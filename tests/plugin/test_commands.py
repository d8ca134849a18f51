"""Commands that other distributions add: listed without running their code, run by name, and never in the way."""

from __future__ import annotations

import sys

import pytest

from harness.plugin import commands
from tests.command_line import called

COUNT = '''
"""Adds `harness count-cells`."""
import pathlib, typer, harness

print("imported")


def count(folder: pathlib.Path, twice: bool = False) -> None:
    """Count the lines of a run's records."""
    lines = (folder / "measurements.jsonl").read_text().splitlines()
    if not lines:
        raise harness.DataError("it holds no records", where=str(folder))
    harness.say(f"{len(lines) * (2 if twice else 1)} \\033[31mrecords")


group = typer.Typer(help="Two commands.")
group.command("one")(lambda: print("one"))
group.command("two")(lambda: print("two"))
number = 3
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a distribution that adds commands: a module on the path, and metadata that names them."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    (folder / "command_counting.py").write_text(COUNT)

    def install(distribution="harness-counting", **entries):
        info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        about = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\nSummary: Counts what was measured.\n"
        (info / "METADATA").write_text(about)
        lines = [f"{name.replace('_', '-')} = {value}" for name, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{commands.GROUP}]", *lines]) + "\n")

    yield install
    sys.modules.pop("command_counting", None)


def test_a_command_of_a_plugin_is_listed_without_running_its_code_and_runs(installed, tmp_path):
    installed(count_cells="command_counting:count")
    listed = called("--help", env={"COLUMNS": "120"})
    assert "count-cells" in listed.stdout
    assert "Counts what was measured. (harness-counting 1.2)" in listed.stdout
    assert "imported" not in listed.stdout
    assert "Count the lines of a run's records." in called("count-cells", "--help").stdout
    (tmp_path / "measurements.jsonl").write_text("{}\n{}\n")
    done = called("count-cells", tmp_path, "--twice")
    assert (done.returncode, done.stdout) == (0, "4 \\x1b[31mrecords\n")


def test_its_errors_are_printed_like_those_of_the_harness(installed, tmp_path):
    installed(count_cells="command_counting:count")
    (tmp_path / "measurements.jsonl").write_text("")
    done = called("count-cells", tmp_path)
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path}: it holds no records\n")


def test_an_application_is_a_group_of_commands(installed):
    installed(counts="command_counting:group")
    assert "Two commands." in called("counts", "--help").stdout
    assert called("counts", "two").stdout.splitlines()[-1] == "two"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("command_gone:count", "ModuleNotFoundError: No module named 'command_gone'"),
        ("command_counting:gone", "AttributeError: "),
        ("command_counting:number", "TypeError: 3 is not a callable object"),
    ],
)
def test_one_that_cannot_be_loaded_says_so_and_spoils_nothing_else(installed, entry, why):
    installed(broken=entry)
    assert called("--help").returncode == 0
    done = called("broken")
    assert done.returncode == 2
    assert "error: the command 'broken' of harness-counting 1.2 cannot be loaded: " in done.stderr
    assert why in done.stderr
    assert "repair or uninstall that plugin" in done.stderr


def test_no_plugin_replaces_a_command_and_the_first_distribution_keeps_a_name(installed):
    installed(
        "b-second", report="command_counting:count", distill="command_counting:count", mine="command_counting:group"
    )
    installed("a-first", mine="command_counting:count")
    assert "Render the report of a run again" in called("report", "--help").stdout
    assert "Distil heads into students" in called("distill", "--help").stdout
    assert commands.commands()["mine"].label == "a-first 1.2"


def test_a_command_that_is_not_there_is_an_error(installed):
    installed(count_cells="command_counting:count")
    done = called("count-sells")
    assert done.returncode == 2
    assert "No such command" in done.stderr
