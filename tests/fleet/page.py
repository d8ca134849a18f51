"""docs/fleet.md as it is written: its files, its commands, in their order; addresses and repositories are this machine's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.command_line import called

PAGE = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.DOTALL | re.MULTILINE)
SECOND = PAGE.index("## What holds for all machines")
SCHEDULER, REPOSITORY = "tcp://scheduler:8786", "https://example.org/runs.git"


def typed(text, folder, replaced, workers=()):
    """Types what a part of the page says in a folder, and gives what each line answered; all of them succeed.

    Args:
        text: the part.
        folder: where.
        replaced: what is written here for what is written there.
        workers: the machines that are lent already; the page has to lend them, too, and what brings them together.
    """
    answered, lent = {}, []
    for language, name, content in BLOCK.findall(text):
        if name:
            (folder / name).write_text(content, encoding="utf-8")
        for line in content.strip().splitlines() if language == "bash" else ():
            words = shlex.split(line)
            if words[:3] in (["harness", "fleet", "up"], ["harness", "fleet", "worker"]):
                lent.append(words[2:])
                continue
            for said, meant in replaced.items():
                words = [each.replace(said, meant) for each in words]
            answered[line] = done = called(*words[1:], cwd=folder)
            assert done.returncode == 0, line + "\n" + done.stdout + done.stderr
    assert lent == ([["up"], *(["worker", SCHEDULER, "--name", name] for name in workers)] if workers else [])
    return answered
