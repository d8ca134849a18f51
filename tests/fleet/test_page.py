"""The page about several machines, as it is written: its files, its commands, in their order; addresses are this machine's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command_line import called
from tests.fleet.fleet import Fleet
from tests.report.fleets import changed

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECOND = PAGE.index("## What holds for all machines")
SCHEDULER, REPOSITORY = "tcp://scheduler:8786", "https://example.org/runs.git"


def typed(page, folder, replaced, *, fleet=None):
    """Types what a page says, and gives what each line printed; `fleet` brings up what is meant to stay."""
    printed = {}
    for language, name, content in BLOCK.findall(page):
        if name:
            (folder / name).write_text(content, encoding="utf-8")
        for line in content.strip().splitlines() if language == "bash" else ():
            words = shlex.split(line)
            if words[:3] in (["harness", "fleet", "up"], ["harness", "fleet", "worker"]):
                fleet(words[2:], replaced)
                continue
            for said, meant in replaced.items():
                words = [each.replace(said, meant) for each in words]
            done = called(*words[1:], cwd=folder)
            assert done.returncode == 0, line + "\n" + done.stdout + done.stderr
            printed[line] = done.stdout
    return printed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the first half was typed."""
    pytest.importorskip("distributed")
    folder, started = tmp_path_factory.mktemp("typed"), []

    def begin(words, replaced):
        if words == ["up"]:
            started.append(Fleet(tmp_path_factory.mktemp("machines")))
            replaced[SCHEDULER] = started[0].address
        else:
            assert words[:3] == ["worker", SCHEDULER, "--name"]
            started[0].start_worker(words[3])

    try:
        typed(PAGE[:SECOND], folder, {}, fleet=begin)
    finally:
        for each in started:
            each.__exit__()
    return folder


def test_the_page_leads_to_a_run_of_each_machine(folder):
    assert sorted(each.parent.name for each in folder.glob("*/*/report.md")) == ["a", "b"]


def test_and_from_there_to_a_report_and_a_register(folder):
    for place, name in enumerate(("epyc", "xeon", "graviton")):
        shutil.copytree(folder / "both" / "ab"[place % 2], folder / "results" / name)
        changed(folder / "results" / name, lambda run, name=name: run["machine"].update(processor=name))
    shutil.copytree(folder / "both" / "a", folder / "results" / "crossover-20260803")
    repository = folder / "runs.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", repository], check=True)
    printed = typed(PAGE[SECOND:], folder, {REPOSITORY: str(repository)})
    of_three, of_both = (each for line, each in printed.items() if line.startswith("harness report fleet"))
    assert "3 machines" in of_three
    assert all(name in of_three for name in ("epyc", "xeon", "graviton"))
    assert "2 machines" in of_both  # alike in all but their names, which fleet.json beside their folders knows
    machines = json.loads((folder / "fleet-report" / "fleet.json").read_text())["machines"]
    assert [(each["key"], each["name"]) for each in machines] == [("A", "a"), ("B", "b")]
    assert printed["harness register verify register"].endswith("1 accepted, 0 refused\n")
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "main"], cwd=repository, capture_output=True, text=True, check=True
    )
    (entry,) = (folder / "register").iterdir()
    assert f"{entry.name}/measurements.jsonl" in listed.stdout
