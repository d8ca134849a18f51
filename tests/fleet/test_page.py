"""The page about several machines, as it is written: its files, its commands, in their order; addresses are this machine's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.command_line import called
from tests.fleet.fleet import Fleet

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_page_leads_to_a_run_of_each_machine(tmp_path):
    pytest.importorskip("distributed")
    fleet, folder = None, tmp_path / "typed"
    folder.mkdir()
    try:
        for language, name, content in BLOCK.findall(PAGE[: PAGE.index("## What holds for all machines")]):
            if name:
                (folder / name).write_text(content, encoding="utf-8")
            for line in content.strip().splitlines() if language == "bash" else ():
                words = shlex.split(line)
                if words == ["harness", "fleet", "up"]:
                    fleet = Fleet(tmp_path)
                elif words[:4] == ["harness", "fleet", "worker", "tcp://scheduler:8786"]:
                    fleet.start_worker(words[words.index("--name") + 1])
                else:
                    words = [each.replace("tcp://scheduler:8786", fleet.address) for each in words[1:]]
                    done = called(*words, cwd=folder)
                    assert done.returncode == 0, line + "\n" + done.stdout + done.stderr
    finally:
        if fleet is not None:
            fleet.__exit__()
    assert sorted(each.parent.name for each in folder.glob("*/*/report.md")) == ["a", "b"]
